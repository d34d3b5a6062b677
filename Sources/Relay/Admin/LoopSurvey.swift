// One question to all loops, and their answers together.
//
// Each loop answers between two of its turns, so nobody reads what another thread writes. A loop that
// is busy for longer than the survey lasts is left out and delays nobody.

import Reactor

/// A question under way. It holds itself until it has called `whenDone`, once.
final class LoopSurvey<Answer: Sendable>: TimerHandler {
    private let loopCount: Int
    private let whenDone: ([Int: Answer]) -> Void
    private var answers: [Int: Answer] = [:]
    private var timer: LoopTimer?
    private var isDone = false

    /// - Parameters:
    ///   - loop: the loop that asks; `whenDone` is called on it.
    ///   - loopCount: how many answers to wait for.
    ///   - question: run on each worker's own thread.
    ///   - whenDone: the answers by the index of the loop.
    @discardableResult
    init(
        on loop: Loop, of roster: WorkerRoster, loopCount: Int, timeoutMilliseconds: Int,
        _ question: @escaping @Sendable (Worker) -> Answer,
        whenDone: @escaping ([Int: Answer]) -> Void
    ) {
        self.loopCount = loopCount
        self.whenDone = whenDone
        super.init()
        let timer = LoopTimer(loop: loop, handler: self)
        timer.arm(at: loop.now.advanced(byMilliseconds: timeoutMilliseconds))
        self.timer = timer
        let mailbox = loop.mailbox
        nonisolated(unsafe) let survey = self  // Touched on its own loop only.
        roster.tellAll { worker in
            let answer = question(worker)
            let index = worker.loop.index
            mailbox.post { survey.answered(index, answer) }
        }
    }

    private func answered(_ index: Int, _ answer: Answer) {
        guard !isDone else { return }
        answers[index] = answer
        if answers.count == loopCount { finish() }
    }

    override func timerFired(_ timer: LoopTimer) { finish() }

    private func finish() {
        guard !isDone else { return }
        isDone = true
        timer?.cancel()
        timer = nil
        whenDone(answers)
    }
}
