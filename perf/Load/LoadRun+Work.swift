// Decides which client sends which message, and when: as soon as it can (closed loop), or when the
// next message is due (open loop).

import Reactor

extension LoadRun {
    /// Whether some messages have no client yet.
    var hasMessagesLeft: Bool {
        guard phase < .leaving else { return false }
        guard let all = plan.messagesInAll else { return true }
        return startedMessages < all
    }

    /// Closed loops only: all messages of the warm-up are handed out, or promised to as many
    /// connections, and not all are accepted. A message that started now would be half done when
    /// measuring begins, and would cost less than it does.
    func needsNoMoreForWarmUp(_ promised: Int) -> Bool {
        phase == .warming && schedule == nil && plan.warmUpMessages > 0
            && startedMessages + promised >= plan.warmUpMessages
    }

    /// Closed loops only: every message is handed out, or promised to as many connections. Another
    /// connection would cost a handshake for nothing.
    func areAllPromised(_ promised: Int) -> Bool {
        guard schedule == nil, let all = plan.messagesInAll else { return false }
        return startedMessages + promised >= all
    }

    /// Starts the clock of an open loop.
    func beginWork() {
        guard let rate = plan.ratePerSecond, let count = plan.messagesInAll else { return }
        let schedule = Schedule(start: loop.now.advanced(byMilliseconds: 500), ratePerSecond: rate)
        self.schedule = schedule
        // Only work that runs on this run's own loop uses it.
        nonisolated(unsafe) let run = self
        pacer = Pacer(schedule, count: count, mailbox: loop.mailbox) { run.sendDueMessages() }
    }

    /// `client` can send a message.
    func ready(_ client: SendingClient) {
        guard hasMessagesLeft else { return client.leave() }
        if needsNoMoreForWarmUp(0) {
            client.rest()
            return waiting.append(client)
        }
        guard let schedule else { return give(client, due: .readClock()) }
        if startedMessages < dueMessages {
            give(client, due: schedule.due(startedMessages))
        } else {
            client.rest()
            waiting.append(client)
        }
    }

    /// Lets the clients continue that waited for the end of the warm-up.
    func giveToWaiting() {
        guard schedule == nil else { return }
        while hasMessagesLeft, let client = waiting.popFirst() { give(client, due: .readClock()) }
    }

    /// Hands out the messages that are due.
    func sendDueMessages() {
        guard let schedule, phase < .leaving else { return }
        let due = schedule.dueCount(by: .readClock())
        dueMessages = min(plan.messagesInAll ?? due, due)
        while startedMessages < dueMessages, let client = waiting.popFirst() {
            give(client, due: schedule.due(startedMessages))
        }
    }

    private func give(_ client: SendingClient, due: MonotonicTime) {
        let number = startedMessages
        startedMessages += 1
        if !client.hasBegun { joiningSenders -= 1 }
        client.send(Assignment(number: number, due: due))
    }

    func messageAccepted(_ assignment: Assignment, bytes: Int) {
        if phase == .measuring {
            let now = MonotonicTime.readClock()
            acceptedMessages += 1
            acceptedBytes += bytes
            messageLatencies.record(now, since: assignment.due)
            recentLatencies.record(now, since: assignment.due)
        } else if phase == .warming {
            acceptedInWarmUp += 1
        }
        advance()
    }

    /// A message was begun and will get no good reply.
    func messageFailed() {
        failedMessages += 1
        advance()
    }

    /// Ends the warm-up, or the run, after the end of its last message.
    private func advance() {
        if phase == .warming && acceptedInWarmUp + failedMessages >= plan.warmUpMessages { warm() }
        guard plan.durationMilliseconds == nil, let all = plan.messagesInAll else { return }
        if acceptedInWarmUp + acceptedMessages + failedMessages >= all { endMeasuring() }
    }
}
