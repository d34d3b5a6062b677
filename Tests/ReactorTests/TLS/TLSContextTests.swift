import Glibc
import Testing

@testable import Reactor

@Suite struct TLSContextTests {
    @Test func `a self-signed certificate is readable and valid for thirty days`() throws {
        let context = try TLSContext.selfSignedServer(names: ["mail.example", "::1", "192.0.2.1"])
        let text = try #require(context.certificatePEM)
        #expect(text.hasPrefix("-----BEGIN CERTIFICATE-----\n"))
        let left = try #require(context.notAfter) - Int64(time(nil))
        #expect(left > 29 * 86_400 && left <= 30 * 86_400)
    }

    @Test(arguments: [[], [""], ["a,DNS:b"], ["a b"], ["a\n"]])
    func `invalid names are refused`(_ names: [String]) {
        #expect(throws: TLSError.self) { try TLSContext.selfSignedServer(names: names) }
    }

    @Test func `missing and damaged files are named in the error`() throws {
        let missing = #expect(throws: TLSError.self) {
            try TLSContext.server(certificateFile: "/nowhere/a.pem", keyFile: "/nowhere/a.key")
        }
        #expect(missing?.description == "certificate /nowhere/a.pem: No such file or directory")
        let damaged = try TemporaryFile("-----BEGIN CERTIFICATE-----\nnonsense\n")
        let refused = #expect(throws: TLSError.self) {
            try TLSContext.client(caFile: damaged.path)
        }
        #expect(refused?.description.hasPrefix("CA file \(damaged.path): ") == true)
    }

    @Test func `the error queue is empty after each failure`() throws {
        _ = try? TLSContext.client(caFile: "/nowhere")
        #expect(OpenSSLError.takeLine() == "unexpected end of TLS")
    }
}
