// The help: ten flags first, and every one of the others after them.

import Testing

@testable import Program

struct RunHelpTests {
    @Test func `the flags that matter come first, each once, and no flag is lost`() throws {
        let plain = RunCommand.helpMessage(columns: 100)
        let arranged = RunHelp.arranged(plain)
        let lines = arranged.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(
            lines.map(String.init).sorted()
                == (plain.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
                + ["FIRST OF ALL:", ""]).sorted())
        let flags = lines.filter { $0.hasPrefix("  -") }
            .map { String($0.drop { $0 == " " }.prefix { $0 != " " && $0 != "," }) }
        #expect(Array(flags.prefix(10)) == RunHelp.first)
        #expect(Set(flags).count == flags.count)
        let section = try #require(lines.firstIndex { $0 == "FIRST OF ALL:" })
        #expect(lines.firstIndex { $0 == "CLIENTS:" } ?? 0 > section)
    }

    @Test(arguments: [40, 80, 200])
    func `an entry stays whole however narrow the terminal is`(columns: Int) {
        let arranged = RunHelp.arranged(RunCommand.helpMessage(columns: columns))
        let before = arranged.range(of: "CLIENTS:").map { arranged[..<$0.lowerBound] } ?? ""
        #expect(before.contains("--log-level <level>"))
        let words = before.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.contains("POSTSCALE_API_URL") && words.contains("POSTSCALE_LOG_LEVEL"))
    }
}
