// Bytes that messages may hold in temporary files, over all loops, and the folder of these files.
//
// A key may hold at most as much as is still free (`FairShare`). Nobody waits: a message that finds
// nothing is refused, because files are given back as slowly as messages are answered. To take and to
// give back are one atomic operation on the account and one on the budget.

import Glibc
import Mapping
import Reactor
import Synchronization

/// The temporary bytes that messages share. Safe to use from any loop.
package final class TemporaryBudget: Sendable {
    private struct Place {
        var folder: String?
        var bytesMax = 0
    }

    private let place = Locked(Place())
    private let limit = Atomic<Int>(0)
    private let taken = Atomic<Int>(0)

    /// Nothing may be spilled before `open`.
    package init() {}

    /// Files are made in `folder` from now on, as long as they hold at most `bytesMax` together.
    package func open(folder: String, bytesMax: Int) {
        place.withLock { $0.folder = folder }
        limit.store(max(bytesMax, 0), ordering: .sequentiallyConsistent)
    }

    /// Bytes in all.
    package var bytesMax: Int { limit.load(ordering: .relaxed) }
    /// Bytes in files.
    package var usedBytes: Int { taken.load(ordering: .relaxed) }
    /// Where files are made; nil when nothing may be spilled.
    package var folder: String? { place.withLock { $0.folder } }

    /// Takes `bytes` for `account`.
    /// - Returns: why it could not; nil when the bytes are taken.
    func take(_ bytes: Int, for account: Account) -> FairShare.Shortage? {
        let held = account.addTemporary(bytes) - bytes
        var current = taken.load(ordering: .sequentiallyConsistent)
        while true {
            let shortage = FairShare.shortage(of: bytes, held: held, free: bytesMax - current)
            if let shortage {
                account.addTemporary(-bytes)
                return shortage
            }
            let (exchanged, original) = taken.weakCompareExchange(
                expected: current, desired: current + bytes, ordering: .sequentiallyConsistent)
            if exchanged { return nil }
            current = original
        }
    }

    /// Gives back what was taken for `account`.
    func giveBack(_ bytes: Int, of account: Account) {
        account.addTemporary(-bytes)
        let (old, _) = taken.subtract(bytes, ordering: .sequentiallyConsistent)
        assert(old >= bytes)
    }
}

extension SpillFailure {
    /// What was short, for the log.
    var words: String {
        switch self {
        case .noFolder: "no folder for temporary files"
        case .overBudget: "all temporary bytes are in use"
        case .overShare: "the key holds as many temporary bytes as are still free"
        case .disk(let errno): String(cString: strerror(errno))
        }
    }

    /// What an operator can do about it.
    var remedy: String {
        switch self {
        case .noFolder: "give --temporary-folder"
        case .overBudget, .overShare: "raise --temporary-budget, or look at /debug/accounts"
        case .disk: "free space in the temporary folder, or give another --temporary-folder"
        }
    }
}

extension LoopAccount: TemporaryFiles {
    package var folder: String? { temporary.folder }

    package func take(_ bytes: Int) -> SpillFailure? {
        switch temporary.take(bytes, for: shared) {
        case nil: nil
        case .budget: .overBudget
        case .share: .overShare
        }
    }

    package func giveBack(_ bytes: Int) { temporary.giveBack(bytes, of: shared) }
}
