import Testing

@testable import Reactor

/// Which certificate a server name chooses.
@Suite struct TLSServerNamesTests {
    private static func context(_ names: [String]) throws -> ([String], TLSContext) {
        (names, try TLSContext.selfSignedServer(names: ["unused.example"]))
    }

    @Test(
        arguments: [
            ("smtp.example.com", 0), ("SMTP.Example.COM", 0), ("smtp.example.com.", 0),
            ("a.example.net", 1), ("example.net", nil), ("a.b.example.net", nil),
            ("mail.example.net", 2), (".example.net", nil), ("*.example.net", 1),
            ("example.org", nil), ("", nil), (".", nil), ("net", nil),
        ] as [(String, Int?)])
    func `a name chooses its certificate, and a star matches one label`(
        _ name: String, _ index: Int?
    ) throws {
        let contexts = [
            try Self.context(["smtp.example.com"]), try Self.context(["*.example.net"]),
            try Self.context(["mail.example.net", "smtp.example.com"]),
        ]
        let found = TLSServerNames(contexts).find(name)
        #expect(contexts.firstIndex { $0.1 === found } == index)
    }
}
