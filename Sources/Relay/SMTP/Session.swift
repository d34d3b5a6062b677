// One SMTP session: the driver between a stream, the session's machine, and a submission.
//
// It decides nothing. It frames what arrives (`+Input`), hands it to the machine, and carries the
// verdict out (`+Verdicts`, `+Login`, `+Message`). While something is waited for, nothing more is
// read, and what is in hand is kept; so input in memory is bounded by one read of the stream.

import APIClient
import Log
import Reactor
import Wire

/// A client's connection, from accept to close. Lives on its worker's loop.
package final class Session: SubmissionOwner {
    let worker: Worker
    let peer: SocketAddress
    /// Index of the listener that it came through.
    let listener: Int
    /// For the log and the API's; 0 until the stream is there.
    private(set) var id: UInt64 = 0
    var machine: SessionMachine
    var input = SessionInput()
    /// When the input in hand, or the one that is being taken, was read from the kernel.
    var inputArrivedAt = MonotonicTime(nanoseconds: 0)
    private(set) var stream: Stream?

    /// The key of the login, and the one that is being asked about. Wiped with their last owner.
    var key: APIKey?
    var candidateKey: APIKey?

    var envelope = Envelope()
    var submission: Submission?
    /// Accepted, and the client has not shown yet that it saw the 250.
    var unseenSubmission: Submission?
    /// Ended, with memory for the next message.
    var restingSubmission: Submission?
    /// Messages begun.
    var messageNumber = 0
    /// An operator wants to see what is said.
    var isTraced = false

    /// Bytes of the memory budget that are ours.
    var reservedBytes = 0
    /// Our place in the line for more; 0 when we don't stand there.
    var budgetTicket: UInt64 = 0

    /// The client does not read our replies: nothing more is taken from it.
    var isOutputFull = false
    var hasQuit = false
    /// The client has ended its side while it waits for the API's answer: it is gone, or it will
    /// read the reply and say no more.
    private var hasPeerEnded = false

    /// Bytes in hand beyond which a client that waits for its reply is not read.
    private static let keptBytesMax = 4_096

    /// Links of `SessionList`.
    var nextSession: Session?
    var previousSession: Session?

    var now: MonotonicTime { worker.loop.now }
    var log: EventLog { worker.shared.log }

    package init(worker: Worker, peer: SocketAddress, isImplicitTLS: Bool, listener: Int = 0) {
        self.worker = worker
        self.peer = peer
        self.listener = listener
        machine = SessionMachine(
            options: SessionMachine.Options(worker.configuration),
            isImplicitTLS: isImplicitTLS, at: worker.loop.now)
        super.init()
    }

    // MARK: The stream's events

    package override func streamAccepted(_ stream: Stream) {
        self.stream = stream
        id = worker.enter(self)
        isTraced = worker.shared.configuration.trace?.matches(peer) ?? false
        worker.counters.sessionsAccepted += 1
        worker.listenerCounters[listener].accepted += 1
        log.event(
            .debug, "session-opened", session: id,
            ["peer": "\(peer)", "tls": machine.isTLS ? "implicit" : "starttls"])
        settle()
    }

    package override func streamOpened(_ stream: Stream) {
        if let tls = stream.tls { countHandshake(tls) }
        perform(machine.opened(at: now))
        finishEvent()
    }

    package override func streamReceived(_ stream: Stream, _ bytes: Bytes) {
        guard machine.phase != .closed else { return }
        if unseenSubmission != nil { noteSeen() }
        take(bytes)
        finishEvent()
    }

    package override func streamDrained(_ stream: Stream) {
        isOutputFull = false
        finishEvent()
    }

    package override func streamTimedOut(_ stream: Stream) {
        perform(machine.timedOut(at: now))
        finishEvent()
    }

    package override func streamPeerEnded(_ stream: Stream) -> Bool {
        guard machine.phase == .outcome else { return false }
        hasPeerEnded = true
        submission?.clientMayBeGone()
        return true
    }

    package override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        if hasQuit && reason == .local {
            unseenSubmission?.acceptedAndSeen()
        } else {
            unseenSubmission?.acceptedButUnseen()
        }
        unseenSubmission = nil
        if machine.phase == .handshake {
            worker.listenerCounters[listener].handshakesFailed += 1
        }
        machine.gone()
        giveUp()
        key = nil
        restingSubmission = nil
        input.wipe()
        self.stream = nil
        worker.leave(self)
        worker.counters.sessionsClosed += 1
        worker.counters.bareLineFeeds += input.bareLineFeeds
        worker.shared.abuse.disconnected(peer, at: now)
        traceNote("closed")
        logClosed(reason)
    }

    // MARK: Other events

    override func keyChecked(_ verdict: KeyVerdict) {
        settleKey(verdict)
        finishEvent()
    }

    override func submissionCanContinue(_ submission: Submission) {
        guard submission === self.submission else { return }
        machine.submissionContinues(at: now)
        finishEvent()
    }

    override func submissionFinished(_ submission: Submission, _ outcome: Outcome) {
        guard submission === self.submission else { return }
        conclude(outcome)
        finishEvent()
    }

    private func countHandshake(_ tls: TLSInfo) {
        worker.counters.handshakeTimes.record(
            nanoseconds: now.nanoseconds(since: machine.waitingSince))
        worker.listenerCounters[listener].count(tls)
    }

    /// The process is to end.
    /// - Parameter isGraceful: who has sent no message yet may still send one.
    func drain(isGraceful: Bool) {
        if isGraceful, messageNumber == 0 { return }
        perform(machine.drain(at: now))
        settle()
    }

    /// What comes behind every event: the drain that waited for it, the input that waited for it.
    func finishEvent() {
        if machine.isDraining { perform(machine.drain(at: now)) }
        takeKept()
        // All that it sent is used, and no more will come.
        if hasPeerEnded, machine.acceptsInput, !isOutputFull { stream?.finish() }
        settle()
    }

    /// Reads or does not read, and wakes up in time, as the machine now needs it.
    private func settle() {
        guard let stream, machine.phase != .closed else { return }
        // While the API is asked the client is listened to, so that its end is noticed; what it says
        // meanwhile is kept, within a bound.
        let listens = machine.phase == .outcome && input.keptByteCount < Self.keptBytesMax
        let reads =
            machine.phase == .handshake || listens || machine.acceptsInput && !isOutputFull
        if reads == stream.isReceivingPaused {
            if reads { stream.resumeReceiving() } else { stream.pauseReceiving() }
        }
        let deadline = machine.deadline
        if deadline < stream.deadline { stream.deadline = deadline }
    }
}

extension SessionMachine.Options {
    /// Waits for an answer end this much after the answer's own deadline, should that be missed.
    private static let answerGraceMilliseconds = 5_000

    init(_ configuration: Configuration) {
        self.init(
            limits: configuration.reloadable.limits,
            bufferThresholdBytes: configuration.messages.bufferThresholdBytes,
            answerTimeoutMilliseconds: configuration.api.timeoutMilliseconds
                + Self.answerGraceMilliseconds)
    }
}
