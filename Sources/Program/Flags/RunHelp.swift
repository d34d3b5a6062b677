// What `--help` shows: the flags that most people need first, then all others by what they are about.
//
// The text is the parser's. Only the order of its entries is changed, so no flag can be missing.

import ArgumentParser

/// The help of `run`.
enum RunHelp {
    /// With these a relay is set up; the order is that in which one meets them.
    static let first = [
        "--sandbox", "--tls-folder", "--hostname", "--config", "--listen", "--listen-tls",
        "--api-url",
        "--ledger", "--admin", "--log-level",
    ]

    /// As wide as the terminal.
    static var text: String { arranged(RunCommand.helpMessage()) }

    /// - Parameter help: of the parser: sections with a title, and entries that begin with two blanks
    ///   and a hyphen.
    static func arranged(_ help: String) -> String {
        var entries: [String: [Substring]] = [:]
        var others: [Substring] = []
        var name: String?
        for line in help.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("  -") {
                let word = line.drop { $0 == " " }.prefix { $0 != " " && $0 != "," }
                name = first.contains(String(word)) ? String(word) : nil
            } else if !line.hasPrefix("   ") {
                name = nil
            }
            if let name { entries[name, default: []].append(line) } else { others.append(line) }
        }
        let place = others.firstIndex { $0 == "CLIENTS:" } ?? others.endIndex
        var lines = Array(others[..<place]) + ["FIRST OF ALL:"]
        for name in first { lines += entries[name, default: []] }
        return (lines + [""] + others[place...]).joined(separator: "\n")
    }
}
