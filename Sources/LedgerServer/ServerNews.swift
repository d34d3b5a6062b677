// How news of the fleet look in the server: one field of a stream's entry, in words.
//
// "1 <process> limit <name> <domain or -> <milliseconds> <kind>", "1 <process> free <name>",
// "1 <process> open <domain>", "1 <process> key <name>". Names are digests. What no relay of this form
// has written is passed over.

import Log
import Relay

enum ServerNews {
    /// Older news say nothing any more: a limit is believed for five minutes, a key for one.
    static let agesMilliseconds = 300_000

    static func bytes(_ news: FleetNews, from process: UInt64) -> [UInt8] {
        let words =
            switch news {
            case .limited(let limit):
                "limit \(limit.name.text) \(limit.domain?.text ?? "-") \(limit.milliseconds) "
                    + limit.kind
            case .limitEnded(let name): "free \(name.text)"
            case .domainForgotten(let domain): "open \(domain.text)"
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
            .split(separator: " ", maxSplits: 6, omittingEmptySubsequences: false)
        guard words.count >= 4, words[0] == "1", words[1] != hexadecimal(process),
            let name = ServerName(words[3])
        else { return nil }
        switch words[2] {
        case "limit":
            guard words.count >= 6, let told = Int(words[5]), told > age else { return nil }
            return .limited(
                FleetNews.Limit(
                    name: name, domain: ServerName(words[4]),
                    milliseconds: min(told - age, 86_400_000),
                    kind: words.count > 6 ? String(words[6].prefix(64)) : ""))
        case "free": return .limitEnded(name)
        case "open": return .domainForgotten(name)
        case "key": return .keyForgotten(name)
        default: return nil
        }
    }
}
