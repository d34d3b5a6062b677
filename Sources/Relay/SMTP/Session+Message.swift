// DATA: memory, content, outcome. The submission does the work; this is what it is fed with.

import APIClient
import Reactor
import Wire

extension Session {
    // MARK: Memory

    func reserve(_ bytes: Int) {
        let budget = worker.shared.budget
        let share = budget.share(of: bytes)
        if budget.reserve(share) {
            reservedBytes += share
            return perform(machine.budgetGranted(at: now))
        }
        let mailbox = worker.loop.mailbox
        nonisolated(unsafe) let session = self  // Touched on its own loop only.
        budgetTicket = budget.wait(for: share, holding: reservedBytes) { ticket, isGranted in
            mailbox.post { session.budgetAnswered(ticket, isGranted ? share : nil) }
        }
    }

    /// - Parameter bytes: what was granted; nil when it never will be.
    private func budgetAnswered(_ ticket: UInt64, _ bytes: Int?) {
        guard ticket == budgetTicket else {
            if let bytes { worker.shared.budget.release(bytes) }
            return
        }
        budgetTicket = 0
        if let bytes {
            reservedBytes += bytes
            perform(machine.budgetGranted(at: now))
        } else {
            perform(machine.budgetRefused(at: now))
        }
        finishEvent()
    }

    func leaveBudgetLine() {
        guard budgetTicket != 0 else { return }
        // When the grant is on its way, it finds another ticket here and gives the bytes back.
        _ = worker.shared.budget.cancel(budgetTicket)
        budgetTicket = 0
    }

    private func releaseMemory() {
        guard reservedBytes > 0 else { return }
        worker.shared.budget.release(reservedBytes)
        reservedBytes = 0
    }

    // MARK: Content

    func beginData() {
        guard let key else { return perform(.close(.badSequence)) }
        messageNumber += 1
        if let resting = restingSubmission {
            resting.begin(
                envelope: envelope, key: key, owner: self, sessionID: id,
                messageNumber: messageNumber)
            submission = resting
            restingSubmission = nil
        } else {
            submission = Submission(
                worker: worker, envelope: envelope, key: key, owner: self, sessionID: id,
                messageNumber: messageNumber)
        }
        write(.startData)
        // While the process drains, the first message of a session is its last.
        if worker.isDraining { perform(machine.drain(at: now)) }
    }

    func feed(_ content: Bytes) {
        worker.counters.contentBytes += content.count
        switch machine.contentArrived(content.count, at: now) {
        case .discard: return
        case .abandon: return dropSubmission(as: .tooLarge)
        case .feed: break
        }
        switch submission?.feed(content) {
        case .goOn: break
        case .pause: machine.submissionPaused(at: now)
        case .decided, nil: machine.submissionDecided()
        }
        perform(machine.checkMemory(at: now))
    }

    /// Nothing of this message reaches the API as complete, unless it is there already; its memory
    /// is free again as soon as it is used no more.
    /// - Parameter kind: what the message counts as.
    func dropSubmission(as kind: OutcomeKind = .abandoned) {
        if let submission, submission.abandon(as: kind) == .isAwaited {
            submission.reservedBytes = reservedBytes
            reservedBytes = 0
        }
        submission = nil
        releaseMemory()
    }

    // MARK: Outcome

    /// The client has seen the 250. What nobody else holds has ended for good, and serves the next
    /// message.
    func noteSeen() {
        if isKnownUniquelyReferenced(&unseenSubmission), unseenSubmission?.group == nil {
            restingSubmission = unseenSubmission
        }
        unseenSubmission = nil
    }

    func finishMessage() {
        guard let submission else { return conclude(.unavailable(isUncertain: false)) }
        if let outcome = submission.finish(since: machine.waitingSince) { conclude(outcome) }
    }

    /// The message has its outcome, and the client its reply.
    func conclude(_ outcome: Outcome) {
        let done = submission
        submission = nil
        releaseMemory()
        let reply = outcome.reply(isVerbose: worker.configuration.reloadable.hasVerboseReplies)
        if log.control.allows(.info) {
            logMessage(outcome, reply, requestID: done?.requestIDBytes ?? [])
        }
        worker.counters.answerTimes.record(
            nanoseconds: now.nanoseconds(since: machine.waitingSince))
        let isKeyRefused = outcome == .keyRefused
        if isKeyRefused {
            key = nil
            restingSubmission = nil
        }
        if case .accepted = outcome { unseenSubmission = done }
        perform(machine.outcome(reply, isKeyRefused: isKeyRefused, at: now))
    }
}
