// One held message to several hidden recipients: one call each, so that none learns of another.
//
// The message lies in a buffer without its `to`; each call's body is that field and a copy of the
// buffer. Some calls are made at a time, as many as the threshold and the key's share of the memory
// budget pay for. When a recipient is refused for the moment, the ledger is told of each that has the
// message, so that the client's next try sends only to the others.

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

    /// Calls at a time, at most.
    private static let inFlightMax = 8
    /// What one call holds of a long message: it is read from where it is held as fast as the API
    /// reads it.
    private static let flightBytesMax = 196_608

    /// nil when the group has ended, so that neither keeps the other alive.
    private var submission: Submission?
    private let worker: Worker
    private let key: APIKey
    private let account: LoopAccount
    private let held: SpillBuffer
    private let recipients: [[UInt8]]
    /// One a recipient: of key, sender, content and that address.
    private let digests: [ContentDigest]
    private let scope: LedgerScope
    /// The message has a Message-ID or a Date.
    private let isDated: Bool
    /// When the client must have its reply, and all calls must have ended.
    let deadline: MonotonicTime
    private var machine: GroupMachine
    private var flights: [Flight] = []
    /// What calls hold in addition to the message's own share of the memory budget.
    private var memory: MemoryShare?
    private let sink = JSONSink()

    /// - Parameters:
    ///   - held: the request without its opening brace and its `to`; owned from here on.
    ///   - fingerprint: of the whole submission.
    ///   - records: what the ledger knows of recipients, by digest.
    init(
        submission: Submission, held: SpillBuffer, recipients: [[UInt8]],
        fingerprint: borrowing Fingerprint, scope: LedgerScope, isDated: Bool,
        records: [ContentDigest: LedgerRecord], deadline: MonotonicTime
    ) {
        self.submission = submission
        worker = submission.worker
        key = submission.key
        account = submission.account
        self.held = held
        self.recipients = recipients
        self.scope = scope
        self.isDated = isDated
        self.deadline = deadline
        var digests: [ContentDigest] = []
        for recipient in recipients { digests.append(fingerprint.recipient(recipient.span)) }
        self.digests = digests
        let bytes = min(max(1, held.byteCount), Self.flightBytesMax)
        var flights = worker.configuration.messages.bufferThresholdBytes / bytes
        flights = max(1, min(Self.inFlightMax, flights))
        var share: MemoryShare?
        // Those that the message's own share does not pay for, as far as the key's share allows.
        while flights < min(Self.inFlightMax, recipients.count),
            let more = worker.shared.budget.reserve(bytes, for: account.shared)
        {
            if var held = share.take() {
                held.add(more)
                share = consume held
            } else {
                share = consume more
            }
            flights += 1
        }
        memory = consume share
        machine = GroupMachine(count: recipients.count, inFlightMax: flights)
        if !records.isEmpty { machine.found(digests.map { records[$0] }, isRenewed: !isDated) }
    }

    /// Makes the first calls.
    /// - Returns: the outcome when there is nothing to wait for.
    func start() -> Outcome? {
        worker.counters.duplicateRecipients += machine.knownCount
        return proceed()
    }

    /// What the calls came to, so far.
    var facts: MessageFacts.Group {
        MessageFacts.Group(
            recipientCount: recipients.count, messageIDs: machine.messageIDs,
            knownCount: machine.knownCount)
    }

    // MARK: - The ledger

    /// Whether any recipient has the message.
    var hasAccepted: Bool { machine.hasAccepted }

    /// Digests of recipients of whom something is recorded, to be forgotten when the group has its
    /// end.
    var recorded: [ContentDigest] { machine.recorded.map { digests[$0] } }

    /// Some recipients were refused for the moment: the ledger knows of the others, and the reply has
    /// to wait until that is written.
    var owesRecords: Bool { machine.outcome.isForTheMoment && !machine.recorded.isEmpty }

    private func recordNotes() { record(machine.takeNotes()) }

    /// The group ended in a permanent reply that its client may not have seen.
    func recordAll() { record(machine.allNotes) }

    private func record(_ notes: [GroupMachine.Note]) {
        guard !notes.isEmpty else { return }
        worker.ledger.apply(
            notes.compactMap { note in
                worker.ledger.recipient(note.fact, isDated: isDated).map {
                    LedgerChange($0, scope: scope, digest: digests[note.index])
                }
            })
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
        while let recipient = machine.nextCall() { startUpload(for: recipient) }
        recordNotes()
        guard machine.isDone else { return nil }
        held.discard()
        memory = nil
        submission = nil
        return machine.outcome
    }

    private func proceedAndTell() {
        guard let submission, let outcome = proceed() else { return }
        submission.groupFinished(outcome)
    }
}
