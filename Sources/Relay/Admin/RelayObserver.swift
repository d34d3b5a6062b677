// Looks at the whole relay from the admin listener's loop, and remembers what it saw last.
//
// The loops answer a survey between two of their turns. A loop that is too busy to answer counts as
// silent and is shown as it was before; a loop that has been silent for long is stuck.

import Reactor

/// Asks the loops and puts their answers together. Belongs to the admin listener's loop.
final class RelayObserver {
    /// How long a loop may take to answer.
    private static let surveyMilliseconds = 1_000
    /// A loop that has not answered for so long is not alive.
    static let silenceMillisecondsMax = 10_000

    private let loop: Loop
    private let context: AdminContext
    /// What each loop said last.
    private var latest: [Int: WorkerSnapshot] = [:]
    private var silence: LoopSilence
    private var calls = AdminCallCounts()

    init(loop: Loop, context: AdminContext) {
        self.loop = loop
        self.context = context
        silence = LoopSilence(
            loopCount: context.shared.configuration.loops,
            millisecondsMax: Self.silenceMillisecondsMax)
    }

    /// Loops that have been silent for too long, as of the latest survey.
    var stuckLoops: [Int] { silence.stuck(at: loop.now) }

    /// Calls `then` once, with the relay as it is now, within `surveyMilliseconds`.
    /// - Parameter probing: every loop also tries the API's addresses; a later look shows the
    ///   result.
    func look(probing: Bool = false, _ then: @escaping (RelaySnapshot) -> Void) {
        survey(
            { worker in
                if probing { worker.pool.probe() }
                return worker.snapshot()
            }, whenDone: { [self] in then(noted($0)) })
    }

    /// Calls `then` once, with the sessions of the loops that answered.
    /// - Parameter limit: sessions of each loop, at most.
    func listSessions(_ limit: Int, _ then: @escaping (SessionsReport) -> Void) {
        survey(
            { worker in worker.sessionReports(limit) },
            whenDone: { answers in
                then(SessionsReport(answers.sorted { $0.key < $1.key }.map(\.value)))
            })
    }

    /// Calls `then` once, with the keys that hold most. A loop that does not answer in time tells
    /// nothing of its calls to the API.
    /// - Parameter limit: keys at most.
    func listAccounts(_ limit: Int, _ then: @escaping (AccountsReport) -> Void) {
        let accounts = context.shared.accounts
        survey(
            { worker in worker.accounts.holdings },
            whenDone: { answers in
                then(AccountsReport(accounts.all, calls: Array(answers.values), limit: limit))
            })
    }

    /// Has transcripts written of the sessions of `subject`: of those that are open, and of those
    /// that begin before it ends.
    /// - Parameter then: called once, with how many open sessions are its.
    /// - Returns: false when too many are followed; `then` is not called.
    func follow(
        _ subject: TraceRules.Subject, minutes: Int, _ then: @escaping (Int) -> Void
    ) -> Bool {
        let traces = context.shared.traces
        guard let end = traces.follow(subject, minutes: minutes, at: loop.now) else {
            return false
        }
        survey(
            { worker in worker.follow(subject, until: end) },
            whenDone: { answers in then(answers.values.reduce(0, +)) })
        return true
    }

    /// A call was carried out.
    func note(_ call: AdminCall) { calls.count(call) }

    private func survey<Answer: Sendable>(
        _ question: @escaping @Sendable (Worker) -> Answer,
        whenDone: @escaping ([Int: Answer]) -> Void
    ) {
        LoopSurvey(
            on: loop, of: context.roster, loopCount: context.shared.configuration.loops,
            timeoutMilliseconds: Self.surveyMilliseconds, question, whenDone: whenDone)
    }

    private func noted(_ answers: [Int: WorkerSnapshot]) -> RelaySnapshot {
        latest.merge(answers) { $1 }
        silence.note(Set(answers.keys), at: loop.now)
        var facts = context.facts(now: loop.readWallClock())
        facts.adminCalls = calls
        facts.followed = context.shared.traces.followedCount(at: loop.now)
        return RelaySnapshot(
            workers: latest.values.sorted { $0.index < $1.index },
            silentLoops: latest.keys.filter { answers[$0] == nil }.sorted(), facts: facts)
    }
}

/// Since when loops have not answered.
struct LoopSilence {
    private var since: [MonotonicTime?]
    private let millisecondsMax: Int

    init(loopCount: Int, millisecondsMax: Int) {
        since = Array(repeating: nil, count: loopCount)
        self.millisecondsMax = millisecondsMax
    }

    /// A survey has ended; these loops have answered it.
    mutating func note(_ answered: Set<Int>, at now: MonotonicTime) {
        for index in since.indices {
            if answered.contains(index) {
                since[index] = nil
            } else {
                since[index] = since[index] ?? now
            }
        }
    }

    /// Loops that have been silent for too long.
    func stuck(at now: MonotonicTime) -> [Int] {
        since.indices.filter { index in
            guard let start = since[index] else { return false }
            return now.milliseconds(since: start) >= millisecondsMax
        }
    }
}
