// One held message to several hidden recipients: one call each, so that none learns of another.
//
// The message lies in a buffer without its `to`; each call's body is that field and a copy of the
// buffer. Some calls are made at a time, as many as the threshold pays for in memory. Who has
// accepted is remembered, so that a second try by the client sends only to the others.

import APIClient
import Mapping
import Reactor
import Wire

/// The calls of one group. Owned by its submission, and by its calls while they run.
final class GroupSend: APICallOwner {
    private struct Flight {
        var call: APICall
        var body: RequestBody
        var recipient: Int
        /// Bytes of the buffer that are written to `body`.
        var offset = 0
    }

    /// Calls at a time, when the message is small.
    static let inFlightMax = 8

    /// nil when the group has ended, so that neither keeps the other alive.
    private var submission: Submission?
    private let worker: Worker
    private let key: APIKey
    /// Of the whole message; branches into one digest a recipient.
    private let hash: ContentHash
    private let held: SpillBuffer
    private let recipients: [[UInt8]]
    private let deadline: MonotonicTime
    private var machine: GroupMachine
    private var flights: [Flight] = []
    /// Recipients that the duplicate guard was told of. Each is told once: a later try may have
    /// claimed it meanwhile, and what it claimed must not come back.
    private var isRecorded: [Bool]
    private let sink = JSONSink()

    /// - Parameters:
    ///   - held: the request without its opening brace and its `to`; owned from here on.
    ///   - deadline: when all calls must have ended.
    init(
        submission: Submission, held: SpillBuffer, recipients: [[UInt8]], deadline: MonotonicTime
    ) {
        self.submission = submission
        worker = submission.worker
        key = submission.key
        hash = submission.hash
        self.held = held
        self.recipients = recipients
        isRecorded = Array(repeating: false, count: recipients.count)
        self.deadline = deadline
        let affordable =
            worker.configuration.messages.bufferThresholdBytes
            / max(1, held.byteCount)
        machine = GroupMachine(
            count: recipients.count, inFlightMax: max(1, min(Self.inFlightMax, affordable)))
    }

    /// Makes the first calls.
    /// - Returns: the outcome when nobody was left to send to.
    func start() -> Outcome? {
        for index in recipients.indices {
            let found = worker.shared.duplicates.claim(digest(index), at: worker.loop.now)
            guard case .accepted(let messageID) = found else { continue }
            worker.counters.duplicateRecipients += 1
            machine.skip(index, messageID: messageID)
        }
        startCalls()
        return machine.isDone ? end() : nil
    }

    /// The time is up: nothing that is incomplete may be completed, what is complete is uncertain.
    func abandon() -> Outcome {
        let flights = flights
        self.flights = []
        for flight in flights {
            flight.call.abandon()
            flight.body.discard()
            machine.ended(flight.recipient, .unavailable(isUncertain: flight.body.isComplete))
        }
        recordAccepted()
        return end()
    }

    /// Notes everybody who has the message, for the next try.
    func recordAccepted() {
        machine.forEachAccepted { index, messageID in
            guard !isRecorded[index] else { return }
            isRecorded[index] = true
            worker.shared.duplicates.record(
                digest(index), messageID: messageID, at: worker.loop.now)
        }
    }

    /// Forgets them again: the client has seen its 250.
    func forgetAccepted() {
        for index in isRecorded.indices where isRecorded[index] {
            _ = worker.shared.duplicates.claim(digest(index), at: worker.loop.now)
        }
    }

    func callWantsBody(_ call: APICall) {
        guard let index = flights.firstIndex(where: { $0.call === call }) else { return }
        if flights[index].body.pendingBytes < Submission.pendingLowWater { pump(index) }
        tellIfDone()
    }

    func callFinished(_ call: APICall, _ result: APIResult) {
        guard let index = flights.firstIndex(where: { $0.call === call }), let submission else {
            return
        }
        let flight = flights.remove(at: index)
        let outcome = submission.interpret(result, isComplete: flight.body.isComplete)
        flight.body.discard()
        machine.ended(flight.recipient, outcome)
        if submission.isClientInDoubt || submission.isAbandoned { recordAccepted() }
        startCalls()
        tellIfDone()
    }

    private func tellIfDone() {
        guard machine.isDone, let submission else { return }
        submission.groupFinished(self, end(), isDuringFinish: false)
    }

    private func end() -> Outcome {
        held.discard()
        submission = nil
        return machine.outcome
    }

    private func digest(_ index: Int) -> ContentDigest {
        var hash = hash
        let recipient = recipients[index]
        hash.feed(UInt64(recipient.count))
        hash.feed(recipient.span)
        return hash.digest()
    }

    private func startCalls() {
        while let recipient = machine.next() { startCall(for: recipient) }
    }

    private func startCall(for recipient: Int) {
        let body = RequestBody(pool: worker.loop.slabs)
        let address = recipients[recipient]
        sink.aim(at: body)
        sink.literal("{\"to\":[")
        sink.string(address.span)
        sink.literal("],")
        sink.aim(at: nil)
        let threshold = worker.configuration.messages.bufferThresholdBytes
        let isHeldWhole = held.byteCount <= threshold
        let call = APICall(
            kind: .send, key: key, body: body, owner: self,
            deadline: isHeldWhole ? deadline : .never)
        flights.append(Flight(call: call, body: body, recipient: recipient))
        if isHeldWhole {
            copy(flights.count - 1, upTo: .max)
            body.complete()
            worker.pool.start(call)
        } else {
            worker.pool.start(call)
            pump(flights.count - 1)
        }
    }

    /// Writes as much of the buffer as the call may have waiting, and completes it at the end. A
    /// call that takes bytes at once does not ask for more: it is given more until it has enough.
    private func pump(_ index: Int) {
        let (call, body) = (flights[index].call, flights[index].body)
        guard !body.isComplete else { return }
        repeat {
            copy(index, upTo: Submission.pendingHighWater - body.pendingBytes)
            if held.hasFailed {
                let flight = flights.remove(at: index)
                call.abandon()
                body.discard()
                return machine.ended(flight.recipient, .unavailable(isUncertain: false))
            }
            if flights[index].offset == held.byteCount {
                body.complete()
                return call.bodyCompleted(deadline: deadline)
            }
            call.bodyGrew()
        } while body.pendingBytes < Submission.pendingLowWater
    }

    private func copy(_ index: Int, upTo bytes: Int) {
        var offset = flights[index].offset
        let end = offset + min(bytes, held.byteCount - offset)
        while offset < end && !held.hasFailed {
            offset += flights[index].body.write { held.read(at: offset, into: &$0) }
        }
        flights[index].offset = offset
    }
}
