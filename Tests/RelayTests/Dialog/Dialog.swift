// Reads `Tests/Dialogs/*.smtp`: transcripts of whole sessions that a person can read.
//
//     // a comment
//     # tls                     the first line: connect to the port with implicit TLS
//     # whole                   not to be cut into single bytes
//     # set idleTimeoutMilliseconds=300   a setting of the relay
//     C: EHLO client.example    what the client sends, with CRLF; lines in a row go out together
//     C| partial                without CRLF; \r \n \t \\ \xNN are understood (in C: as well)
//     C: AUTH PLAIN {plain:postscale:ok}      base64 of NUL postscale NUL and the key `ok`
//     C: {base64:postscale}
//     C: {key:ok}               base64 of the key `ok`; keys end with `KeySearch.mark`
//     C: {repeat:1000:X}
//     C| {lines:1000:NOOP}
//     S: 250 Ok                 what the server must answer, to the letter
//     S: ~250 Ok: queued as *   the same, with wildcards
//     # replies 1000 250 Ok     the same answer this many times
//     # starttls                the client's half of the handshake
//     # pause 100ms             waits
//     # closed                  the server must close now, having sent nothing more
//     # close                   the client closes
//     # reset                   the client resets
//     # reconnect               a new connection to the same relay
//     # release                 frees the memory that the dialog took with `reservedBytes`
//     # drain                   the relay is told to end
//     # api sends=1             this many complete sends have reached the API so far

import Foundation
import Testing

@testable import Relay

/// One transcript.
struct Dialog: Sendable, CustomTestStringConvertible {
    enum Step: Sendable, Equatable {
        case send([UInt8])
        case expect(String)
        case replies(count: Int, String)
        case startTLS, closed, close, reset, reconnect, drain, release
        case pause(milliseconds: Int)
        case apiSends(Int)
    }

    struct Line: Sendable {
        var number: Int
        var step: Step
    }

    var name: String
    var isImplicitTLS = false
    var isWholeOnly = false
    var settings: [(name: String, value: Int)] = []
    var steps: [Line] = []

    var testDescription: String { name }

    /// Every dialog of the folder, in the order of names.
    static let all: [Dialog] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Dialogs").standardized
        let files = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
        return (files ?? []).filter { $0.hasSuffix(".smtp") }.sorted().map { file in
            let text = try? String(contentsOf: folder.appending(path: file), encoding: .utf8)
            return Dialog(name: String(file.dropLast(5)), text: text ?? "")
        }
    }()

    init(name: String, text: String) {
        self.name = name
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            read(String(line), number: index + 1)
        }
    }

    private mutating func read(_ line: String, number: Int) {
        if line.isEmpty || line.hasPrefix("//") { return }
        if line.hasPrefix("# ") { return directive(String(line.dropFirst(2)), number) }
        let rest = String(line.dropFirst(3))
        switch line.prefix(2) {
        case "C:": append(.send(Self.expand(rest) + [0x0D, 0x0A]), number)
        case "C|": append(.send(Self.expand(rest)), number)
        case "S:": append(.expect(rest), number)
        default: fatalError("\(name):\(number): \(line)")
        }
    }

    private mutating func directive(_ text: String, _ number: Int) {
        let words = text.split(separator: " ").map(String.init)
        func value(_ word: String) -> Int { Int(word.filter(\.isNumber)) ?? 0 }
        switch words.first {
        case "tls": isImplicitTLS = true
        case "whole": isWholeOnly = true
        case "set":
            let pair = words[1].split(separator: "=").map(String.init)
            settings.append((pair[0], value(pair[1])))
        case "starttls": append(.startTLS, number)
        case "closed": append(.closed, number)
        case "close": append(.close, number)
        case "reset": append(.reset, number)
        case "reconnect": append(.reconnect, number)
        case "drain": append(.drain, number)
        case "replies":
            let text = words[2...].joined(separator: " ")
            append(.replies(count: value(words[1]), text), number)
        case "release": append(.release, number)
        case "pause": append(.pause(milliseconds: value(words[1])), number)
        case "api": append(.apiSends(value(words[1])), number)
        default: fatalError("\(name):\(number): # \(text)")
        }
    }

    /// Consecutive lines of the client are one write.
    private mutating func append(_ step: Step, _ number: Int) {
        if case .send(let bytes) = step, case .send(let before) = steps.last?.step {
            steps[steps.count - 1].step = .send(before + bytes)
        } else {
            steps.append(Line(number: number, step: step))
        }
    }

    // MARK: Braces and escapes

    private static func expand(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Substring(text)
        while let character = rest.popFirst() {
            if character == "\\" {
                bytes += escape(&rest)
            } else if character == "{", let end = rest.firstIndex(of: "}") {
                bytes += macro(rest[..<end])
                rest = rest[rest.index(after: end)...]
            } else {
                bytes += Array(String(character).utf8)
            }
        }
        return bytes
    }

    private static func escape(_ rest: inout Substring) -> [UInt8] {
        switch rest.popFirst() {
        case "r": return [0x0D]
        case "n": return [0x0A]
        case "t": return [0x09]
        case "x":
            let digits = String(rest.prefix(2))
            rest = rest.dropFirst(2)
            return [UInt8(digits, radix: 16) ?? 0]
        case let other?: return Array(String(other).utf8)
        case nil: return []
        }
    }

    private static func macro(_ text: Substring) -> [UInt8] {
        let words = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        func base64(_ text: String) -> [UInt8] {
            Array(Data(text.utf8).base64EncodedString().utf8)
        }
        switch words[0] {
        case "plain" where words.count == 4:
            return base64("\(words[1])\0\(words[2])\0\(words[3])\(KeySearch.mark)")
        case "plain": return base64("\0\(words[1])\0\(words[2])\(KeySearch.mark)")
        case "base64": return base64(words[1])
        case "key": return base64(words[1] + KeySearch.mark)
        case "repeat":
            return Array(String(repeating: words[2], count: Int(words[1]) ?? 0).utf8)
        case "lines":
            return Array(String(repeating: words[2] + "\r\n", count: Int(words[1]) ?? 0).utf8)
        default: fatalError("{\(text)}")
        }
    }
}
