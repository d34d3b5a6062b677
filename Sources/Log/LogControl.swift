// What can be changed about the log, and seen of it, while the relay runs. Safe from any thread.

import Logging
import Synchronization

/// The least level that is logged, and the lines that nobody read.
package final class LogControl: Sendable {
    private let threshold: Atomic<Int>
    private let dropped = Atomic<Int>(0)

    package init(level: Logger.Level) { threshold = Atomic(Self.rank(level)) }

    /// The least level that is logged.
    package var level: Logger.Level {
        get { Logger.Level.allCases[threshold.load(ordering: .relaxed)] }
        set { threshold.store(Self.rank(newValue), ordering: .relaxed) }
    }

    package func allows(_ level: Logger.Level) -> Bool {
        Self.rank(level) >= threshold.load(ordering: .relaxed)
    }

    /// Lines that were dropped since the start.
    package var droppedLines: Int { dropped.load(ordering: .relaxed) }

    func dropLine() { dropped.add(1, ordering: .relaxed) }

    /// The place in `allCases`, which goes from trace to critical.
    private static func rank(_ level: Logger.Level) -> Int {
        switch level {
        case .trace: 0
        case .debug: 1
        case .info: 2
        case .notice: 3
        case .warning: 4
        case .error: 5
        case .critical: 6
        }
    }
}
