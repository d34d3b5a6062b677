// How news of the fleet look in the server: one field of a stream's entry, in words.
//
// "1 <process> limit <name> <key> <domain or -> <milliseconds> <kind>", "1 <process> free <name>",
// "1 <process> open <domain>", "1 <process> open-key <key>", "1 <process> key <key>". Names are
// digests. What no relay of this form has written is passed over.

import Log
import Relay

enum ServerNews {
    /// Older news say nothing any more: a limit is believed for five minutes, a key for one.
    static let agesMilliseconds = 300_000

    static func bytes(_ news: FleetNews, from process: UInt64) -> [UInt8] {
        let words =
            switch news {
            case .limited(let limit):
                "limit \(limit.name.text) \(limit.key.text) \(limit.domain?.text ?? "-") "
                    + "\(limit.milliseconds) \(limit.kind)"
            case .limitEnded(let name): "free \(name.text)"
            case .domainForgotten(let domain): "open \(domain.text)"
            case .keyLimitsForgotten(let key): "open-key \(key.text)"
            case .keyForgotten(let name): "key \(name.text)"
            }
        return Array("1 \(hexadecimal(process)) \(words)".utf8)
    }

    /// - Parameters:
    ///   - age: milliseconds since it was told.
    ///   - process: what it has told itself is no news to it.
    static func read(
        _ bytes: [UInt8], age: Int, unlessFrom process: UInt64
    ) -> FleetNews? {
        guard bytes.count <= 1_024, age < agesMilliseconds else { return nil }
        let words = String(decoding: bytes, as: UTF8.self)
            .split(separator: " ", maxSplits: 7, omittingEmptySubsequences: false)
        guard words.count >= 4, words[0] == "1", words[1] != hexadecimal(process),
            let name = ServerName(words[3])
        else { return nil }
        switch words[2] {
        case "limit":
            guard words.count >= 7, let key = ServerName(words[4]), let told = Int(words[6]),
                told > age
            else { return nil }
            return .limited(
                FleetNews.Limit(
                    name: name, key: key, domain: ServerName(words[5]),
                    milliseconds: min(told - age, 86_400_000),
                    kind: words.count > 7 ? String(words[7].prefix(64)) : ""))
        case "free": return .limitEnded(name)
        case "open": return .domainForgotten(name)
        case "open-key": return .keyLimitsForgotten(name)
        case "key": return .keyForgotten(name)
        default: return nil
        }
    }
}

/// Reads the stream of news, entry after entry.
struct NewsReader {
    /// Of one reply.
    static let entriesMax = 64

    /// The entry that was read last.
    private var last = ""

    /// After which entry to read on. The first time: what may still count.
    /// - Parameter wall: milliseconds since 1970.
    mutating func next(wall: Int64) -> String {
        if last.isEmpty { last = "\(max(0, wall - Int64(ServerNews.agesMilliseconds)))-0" }
        return last
    }

    /// - Returns: the news in a reply, and whether there may be more.
    mutating func read(
        _ reply: ServerReply, wall: Int64, process: UInt64
    ) -> (news: [FleetNews], hasMore: Bool) {
        guard case .list(let streams) = reply, case .list(let stream)? = streams.first,
            stream.count == 2, case .list(let entries) = stream[1]
        else { return ([], false) }
        var heard: [FleetNews] = []
        for entry in entries {
            guard case .list(let parts) = entry, parts.count == 2,
                case .bytes(let id) = parts[0], case .list(let fields) = parts[1],
                fields.count == 2, case .bytes(let text) = fields[1]
            else { continue }
            last = String(decoding: id, as: UTF8.self)
            let sent = last.split(separator: "-").first.flatMap { Int64($0) } ?? 0
            let age = Int(min(max(0, wall - sent), 2_000_000_000))
            if let news = ServerNews.read(text, age: age, unlessFrom: process) {
                heard.append(news)
            }
        }
        return (heard, entries.count == Self.entriesMax)
    }
}
