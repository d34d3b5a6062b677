// Which sessions get a transcript in the log: `--trace-key`, `--trace-address`.
//
// A key is named by a hash, so that its owner can name it without handing it over: `printf %s KEY |
// sha256sum`, the first 16 digits. Keys are random, so the hash does not lead back to one. Lines are
// bounded for all sessions together.

import APIClient
import Reactor
import Wire

/// Which sessions are traced. Immutable, except for the count of lines.
package final class TraceRules: Sendable {
    /// Lines that all sessions together may write in a second.
    static let linesPerSecondMax = 200

    let keyHashes: Set<UInt64>
    let blocks: [AddressBlock]
    private let window = Locked(TraceWindow())

    package init(keyHashes: Set<UInt64> = [], blocks: [AddressBlock] = []) {
        self.keyHashes = keyHashes
        self.blocks = blocks
    }

    func matches(_ address: SocketAddress) -> Bool {
        blocks.contains { $0.contains(address) }
    }

    /// - Parameter key: the key itself; read during this call only.
    func matches(key: Bytes) -> Bool {
        !keyHashes.isEmpty && keyHashes.contains(APIKey.publicHash(of: key))
    }

    /// Whether one more line may be written now.
    func admitsLine(at now: MonotonicTime) -> TraceWindow.Verdict {
        window.withLock { $0.line(at: now) }
    }

    /// "0123456789abcdef", or more digits of the same hash; nil for anything else.
    package static func hash(_ text: String) -> UInt64? {
        guard text.utf8.count >= 16, text.utf8.count <= 64,
            text.utf8.allSatisfy({ $0.hexValue != nil })
        else { return nil }
        return UInt64(text.prefix(16), radix: 16)
    }
}

/// Lines of the second that is under way.
struct TraceWindow {
    enum Verdict: Equatable {
        /// - suppressed: lines before this one that were not written and not reported yet.
        case write(suppressed: Int)
        case suppress
    }

    private var second: UInt64 = 0
    private var lines = 0
    private var suppressed = 0

    mutating func line(at now: MonotonicTime) -> Verdict {
        let second = now.nanoseconds / 1_000_000_000
        if second != self.second {
            self.second = second
            lines = 0
        }
        guard lines < TraceRules.linesPerSecondMax else {
            suppressed += 1
            return .suppress
        }
        lines += 1
        defer { suppressed = 0 }
        return .write(suppressed: suppressed)
    }
}
