// The help: ten flags first, and every one of the others after them.

import Foundation
import Testing

@testable import Program

struct RunHelpTests {
    private static func lines(_ text: String) -> [String] {
        text.components(separatedBy: "\n")
    }

    /// The flags of entries, in order.
    private static func flags(_ lines: [String]) -> [String] {
        lines.filter { $0.hasPrefix("  -") }.map { line in
            String(line.drop { $0 == " " }.prefix { $0 != " " && $0 != "," })
        }
    }

    @Test func `the flags that matter come first, each once, and no line is lost`() throws {
        let plain = RunCommand.helpMessage(columns: 100)
        let lines = Self.lines(RunHelp.arranged(plain))
        var expected = Self.lines(plain)
        expected += ["FIRST OF ALL:", ""]
        #expect(lines.sorted() == expected.sorted())
        let flags = Self.flags(lines)
        #expect(Array(flags.prefix(10)) == RunHelp.first)
        #expect(Set(flags).count == flags.count)
        let first = try #require(lines.firstIndex(of: "FIRST OF ALL:"))
        let clients = try #require(lines.firstIndex(of: "CLIENTS:"))
        #expect(first < clients)
    }

    @Test(arguments: [40, 80, 200])
    func `an entry stays whole however narrow the terminal is`(columns: Int) throws {
        let lines = Self.lines(RunHelp.arranged(RunCommand.helpMessage(columns: columns)))
        let clients = try #require(lines.firstIndex(of: "CLIENTS:"))
        let words = lines[..<clients].joined(separator: " ")
        #expect(words.contains("--log-level <level>"))
        #expect(words.contains("POSTSCALE_API_URL") && words.contains("POSTSCALE_LOG_LEVEL"))
    }
}
