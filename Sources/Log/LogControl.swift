// What an operator can change about the log and see of it while the relay runs.

import Logging
import Synchronization

/// The least level that is logged, and the number of lost lines. Safe to use from any thread.
package final class LogControl: Sendable {
    private let threshold: Atomic<Int>
    private let dropped = Atomic<Int>(0)

    package init(level: Logger.Level) { threshold = Atomic(Self.rank(level)) }

    /// The least level that is logged.
    package var level: Logger.Level {
        get { Logger.Level.allCases[threshold.load(ordering: .relaxed)] }
        set { threshold.store(Self.rank(newValue), ordering: .relaxed) }
    }

    /// Whether events of this level are logged.
    package func allows(_ level: Logger.Level) -> Bool {
        Self.rank(level) >= threshold.load(ordering: .relaxed)
    }

    /// Lines lost since the start: too many waited, or they could not be written.
    package var droppedLines: Int { dropped.load(ordering: .relaxed) }

    /// So many more lines are lost.
    func dropLines(_ count: Int) { dropped.add(count, ordering: .relaxed) }

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
