// Which sessions get a transcript in the log: `--trace-key`, `--trace-address`, and for some minutes
// those that the admin listener was asked to follow.
//
// A key is named by a hash, so that its owner can name it without handing it over: `printf %s KEY |
// sha256sum`, the first 16 digits. Keys are random, so the hash does not lead back to one. Lines are
// bounded for all sessions together, and what the admin listener begins in number and time.

import APIClient
import Reactor
import Synchronization
import Wire

/// Which sessions are traced. Safe to use from any loop.
package final class TraceRules: Sendable {
    /// Whose sessions.
    package enum Subject: Hashable, Sendable {
        /// The first 64 bits of the key's SHA-256.
        case key(UInt64)
        case addresses(AddressBlock)
    }

    private struct Passing {
        let subject: Subject
        var until: MonotonicTime
    }

    /// Lines that all sessions together may write in a second.
    static let linesPerSecondMax = 200
    /// Subjects that are followed for some minutes at a time, and for how long at most.
    package static let passingMax = 16
    package static let minutesMax = 60

    let keyHashes: Set<UInt64>
    let blocks: [AddressBlock]
    private let window = Locked(TraceWindow())
    private let passing = Locked<[Passing]>([])
    /// How many `passing` has, so that sessions need not lock it to see that it is empty.
    private let passingCount = Atomic<Int>(0)

    package init(keyHashes: Set<UInt64> = [], blocks: [AddressBlock] = []) {
        self.keyHashes = keyHashes
        self.blocks = blocks
    }

    // MARK: Who is followed

    /// Until when sessions from `address` are traced; nil when they are not.
    func end(of address: SocketAddress, at now: MonotonicTime) -> MonotonicTime? {
        if blocks.contains(where: { $0.contains(address) }) { return .never }
        return passingEnd(at: now) { subject in
            guard case .addresses(let block) = subject else { return false }
            return block.contains(address)
        }
    }

    /// The same for sessions of a key.
    /// - Parameter key: the key itself; read during this call only.
    func end(ofKey key: Bytes, at now: MonotonicTime) -> MonotonicTime? {
        guard !keyHashes.isEmpty || passingCount.load(ordering: .relaxed) > 0 else { return nil }
        let name = APIKey.publicHash(of: key)
        return keyHashes.contains(name)
            ? .never : passingEnd(at: now) { $0 == .key(name) }
    }

    private func passingEnd(
        at now: MonotonicTime, _ matches: (Subject) -> Bool
    ) -> MonotonicTime? {
        guard passingCount.load(ordering: .relaxed) > 0 else { return nil }
        return passing.withLock { passing in
            passing.first { $0.until > now && matches($0.subject) }?.until
        }
    }

    /// Follows `subject` for some minutes from now on; a subject that is followed already gets the
    /// new end.
    /// - Parameter minutes: 1 to `minutesMax`.
    /// - Returns: when it ends; nil when `passingMax` others are followed.
    func follow(_ subject: Subject, minutes: Int, at now: MonotonicTime) -> MonotonicTime? {
        precondition(minutes >= 1 && minutes <= Self.minutesMax)
        let until = now.advanced(byMilliseconds: minutes * 60_000)
        return passing.withLock { passing in
            passing.removeAll { $0.until <= now || $0.subject == subject }
            defer { passingCount.store(passing.count, ordering: .relaxed) }
            guard passing.count < Self.passingMax else { return nil }
            passing.append(Passing(subject: subject, until: until))
            return until
        }
    }

    /// How many subjects are followed for some minutes.
    func followedCount(at now: MonotonicTime) -> Int {
        passing.withLock { passing in passing.count { $0.until > now } }
    }

    // MARK: Lines

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
