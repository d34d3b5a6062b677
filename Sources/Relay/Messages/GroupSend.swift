// One held message to several hidden recipients: one call each, so that none learns of another.
//
// The message lies in a buffer without its `to`; each call's body is that field and a copy of the
// buffer. Some calls are made at a time, as many as the threshold pays for in memory. The ledger is
// told of each recipient that has the message, so that a second try sends only to the others.

import APIClient
import Mapping
import Reactor
import Wire

/// The uploads of one group. Owned by its submission, and by its calls while they run.
final class GroupSend: UploadOwner {
    private struct Flight {
        let upload: Upload
        let recipient: Int
    }

    /// Calls at a time, when the message is small.
    private static let inFlightMax = 8

    /// nil when the group has ended, so that neither keeps the other alive.
    private var submission: Submission?
    private let worker: Worker
    private let key: APIKey
    private let account: LoopAccount
    private let held: SpillBuffer
    private let recipients: [[UInt8]]
    /// One a recipient: of the whole submission and that address.
    private let digests: [ContentDigest]
    /// When the client must have its reply, and all calls must have ended.
    private let deadline: MonotonicTime
    private var machine: GroupMachine
    private var flights: [Flight] = []
    private let sink = JSONSink()

    /// - Parameters:
    ///   - held: the request without its opening brace and its `to`; owned from here on.
    ///   - fingerprint: of the whole submission.
    init(
        submission: Submission, held: SpillBuffer, recipients: [[UInt8]],
        fingerprint: ContentHash, deadline: MonotonicTime
    ) {
        self.submission = submission
        worker = submission.worker
        key = submission.key
        account = submission.account
        self.held = held
        self.recipients = recipients
        self.deadline = deadline
        digests = recipients.map { recipient in
            var hash = fingerprint
            hash.feed(UInt64(recipient.count))
            hash.feed(recipient.span)
            return hash.digest()
        }
        let affordable = worker.configuration.messages.bufferThresholdBytes / max(1, held.byteCount)
        machine = GroupMachine(
            count: recipients.count, inFlightMax: max(1, min(Self.inFlightMax, affordable)))
    }

    /// Makes the first calls.
    /// - Returns: the outcome when there is nothing to wait for.
    func start() -> Outcome? {
        let findings = worker.shared.ledger.claim(all: digests, at: worker.loop.now)
        for (index, finding) in findings.enumerated() {
            guard case .accepted(let messageID) = finding else { continue }
            worker.counters.duplicateRecipients += 1
            machine.skip(index, messageID: messageID)
        }
        return proceed()
    }

    // MARK: - The ledger

    /// The client is gone or may be: its next try must not send again to recipients that have the
    /// message, even while this one is under way.
    func recordFromNowOn() {
        machine.recordsFromNowOn()
        recordAccepted()
    }

    /// The client has seen the 250: the next message is for everybody again.
    func forgetRecorded() {
        worker.shared.ledger.forget(
            all: machine.recorded.map { digests[$0] }, at: worker.loop.now)
    }

    private func recordAccepted() {
        let accepted = machine.takeToRecord()
        guard !accepted.isEmpty else { return }
        worker.shared.ledger.record(
            all: accepted.map { (digests[$0.index], $0.messageID) }, at: worker.loop.now)
    }

    // MARK: - Uploads

    func uploadWantsBody(_ upload: Upload) {
        guard case .failed = upload.pump() else { return }
        end(upload, .unavailable(isUncertain: false))
        proceedAndTell()
    }

    func uploadFinished(_ upload: Upload, _ result: APIResult) {
        guard let submission else { return }
        end(upload, submission.interpret(result))
        proceedAndTell()
    }

    /// The time is up, for all alike: nothing that is incomplete may be completed. Calls that are
    /// complete end by their own deadline.
    func uploadStalled(_ upload: Upload) {
        submission?.logStalled()
        for flight in flights where !flight.upload.body.isComplete {
            end(flight.upload, .unavailable(isUncertain: false))
        }
        proceedAndTell()
    }

    private func startUpload(for recipient: Int) {
        let upload = Upload(worker: worker, key: key, account: account)
        upload.begin(key: key, account: account, owner: self)
        submission?.lendFrom(to: upload)
        let address = recipients[recipient]
        sink.aim(at: upload.body)
        sink.literal("{\"to\":[")
        sink.string(address.span)
        sink.literal("],")
        sink.aim(at: nil)
        flights.append(Flight(upload: upload, recipient: recipient))
        if case .failed = upload.finish(by: deadline, from: .held(held)) {
            end(upload, .unavailable(isUncertain: false))
        }
    }

    private func end(_ upload: Upload, _ outcome: Outcome) {
        guard let index = flights.firstIndex(where: { $0.upload === upload }) else { return }
        let flight = flights.remove(at: index)
        machine.ended(flight.recipient, outcome, isComplete: upload.body.isComplete)
        upload.end()
    }

    /// Makes the calls that may be made now.
    /// - Returns: the outcome when none is left to wait for.
    private func proceed() -> Outcome? {
        while let recipient = machine.next() { startUpload(for: recipient) }
        recordAccepted()
        guard machine.isDone else { return nil }
        held.discard()
        submission = nil
        return machine.outcome
    }

    private func proceedAndTell() {
        guard let submission, let outcome = proceed() else { return }
        submission.groupFinished(outcome)
    }
}
