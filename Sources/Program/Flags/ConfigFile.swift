// `--config FILE`: flags in a file, one per line, as they are written on the command line.
//
//     # A comment.
//     --hostname smtp.example.com
//     --tls-folder /etc/letsencrypt/live/smtp.example.com
//     --max-connections-per-address 5000
//     --verbose-replies
//
// The file's lines are put before the command line's flags, and then the whole is parsed. So both
// mean the same and are checked alike. A flag of the command line replaces all lines of its name.

import ArgumentParser

/// The lines of a settings file.
struct ConfigFile: Equatable {
    /// One line: a flag's name with its dashes, and the text after it.
    struct Line: Equatable {
        var name: String
        var value: String?
        /// The file and the line's number, for error messages.
        var place = ""

        /// The same flag with the same value, wherever it stands.
        static func == (one: Line, other: Line) -> Bool {
            one.name == other.name && one.value == other.value
        }

        /// As one argument.
        var argument: String { value.map { "\(name)=\($0)" } ?? name }
    }

    /// Flags that end the program instead of setting something.
    private static let namesOfCommandLine: Set<Substring> = [
        "--config", "--check-config", "--help", "--version",
    ]

    private(set) var lines: [Line] = []

    /// No lines.
    init() {}

    /// - Parameter path: for error messages.
    /// - Throws: `ValidationError` with the file, the line's number and the error in it.
    init(text: String, path: String) throws {
        // CR and LF are one Character together.
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let line = Self.trimmed(line)
            if line.isEmpty || line.hasPrefix("#") { continue }
            let place = "\(path):\(index + 1)"
            guard line.hasPrefix("--"), line.count > 2 else {
                throw ValidationError(
                    "\(place): \(line): give one flag a line, as on the command line.")
            }
            let name = line.prefix { $0 != "=" && !$0.isWhitespace }
            guard !Self.namesOfCommandLine.contains(name) else {
                throw ValidationError("\(place): \(name) cannot stand in such a file.")
            }
            let rest = line.dropFirst(name.count)
            let value = rest.isEmpty ? nil : Self.trimmed(rest.dropFirst())
            self.lines.append(
                Line(name: String(name), value: value.map { String($0) }, place: place))
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }

    /// Reads the file that these arguments name, without the lines that they replace. Without a file
    /// there are no lines.
    /// - Throws: `ValidationError`.
    init(namedIn arguments: [String]) throws {
        guard let path = Self.path(in: arguments) else {
            self.init()
            return
        }
        let bytes: [UInt8]
        do { bytes = try SmallFile.read(path) } catch {
            throw ValidationError("--config \(error)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ValidationError("--config \(path): not UTF-8.")
        }
        try self.init(text: text, path: path)
        let given = Set(arguments.map { String($0.prefix { $0 != "=" }) })
        lines.removeAll { given.contains($0.name) }
    }

    /// The value of the last `--config`.
    private static func path(in arguments: [String]) -> String? {
        for (index, argument) in arguments.enumerated().reversed() {
            if argument.hasPrefix("--config=") { return String(argument.dropFirst(9)) }
            if argument == "--config", index + 1 < arguments.count { return arguments[index + 1] }
        }
        return nil
    }

    /// The file's lines, then `arguments` (of `check`, or of `run` with or without its name).
    func before(_ arguments: [String]) -> [String] {
        let named = arguments.prefix { $0 == "run" || $0 == "check" }.prefix(1)
        return named + lines.map(\.argument) + arguments.dropFirst(named.count)
    }

    /// The first line that no flag of `run` is, or that has a bad value: its place, and why; nil when
    /// each can be parsed.
    var fault: String? {
        for line in lines {
            do { _ = try RunCommand.parse([line.argument]) } catch {
                return "\(line.place): \(RunCommand.message(for: error))"
            }
        }
        return nil
    }

    /// Names of flags whose lines are not the same in `other`, in order.
    func differences(from other: ConfigFile) -> [String] {
        Set(lines.map(\.name) + other.lines.map(\.name)).sorted().filter { name in
            lines.filter { $0.name == name } != other.lines.filter { $0.name == name }
        }
    }
}
