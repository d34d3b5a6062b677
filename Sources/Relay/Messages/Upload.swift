// One request body and the call that carries it, from the first byte that is written to the answer.
//
// A message has one; a group of hidden recipients has one for each. It keeps what the API has not
// taken between two marks: above the high one nothing is written, below the low one writing goes on.
// It has one deadline, and it is the only place that completes a body. While its client pauses within
// the content, it lets the body trickle (`TrickleClock`).
//
// Before a call is made it looks whether a limit of the API runs. A body that is complete and held
// waits for the end of a limit that fits into the deadline (`LimitLines`), also after a 429; then the
// call is made again. Any other one is told of the limit.

import APIClient
import Mapping
import Reactor
import Wire

/// What an upload tells its owner. Called on the loop, never during a call that the owner makes.
protocol UploadOwner: AnyObject {
    /// The API has read, and less than the low mark is pending: the owner may write more, or `pump`.
    func uploadWantsBody(_ upload: Upload)
    /// The call has ended; exactly once, unless `end` came first.
    func uploadFinished(_ upload: Upload, _ result: APIResult)
    /// The API has read nothing until the time given to `watch`, or until the deadline.
    func uploadStalled(_ upload: Upload)
}

/// A body, its call, one deadline, a stall timer and a trickle timer. Used again for the next message of a
/// session: `begin`, then `start` and `grow` while it is written, `finish`, `pump`…, `end`.
final class Upload: TimerHandler, APICallOwner, LimitWaiter {
    /// How far a body has come after its last byte was known.
    enum Progress {
        /// All is written, and the call has its deadline.
        case complete
        /// The API has to read first.
        case waiting
        /// Its source failed; nothing more is written.
        case failed
    }

    /// Bytes that the API has not taken: above the first nothing more is written, below the second
    /// writing goes on.
    private static let pendingHighWater = 131_072
    private static let pendingLowWater = 65_536
    /// A client that is not slower is fast: its upload waits for a connection like a message that is
    /// complete.
    private static let fastBytesPerSecond = 1_048_576

    private let worker: Worker
    private var key: APIKey
    private var account: LoopAccount
    /// nil while the upload rests, so that neither keeps the other alive.
    private var owner: (any UploadOwner)?
    /// What has been written so far; until `finish` the owner writes it.
    private(set) var body: RequestBody
    /// Carries the body while `isCalling`; else one that has ended, for the next message.
    private var call: APICall?
    private var isCalling = false
    /// What is still to be written while the API has to read first.
    private var source: UploadSource?
    /// Bytes of a held source that are written.
    private var sourceOffset = 0
    /// When the message began, to tell how fast its client is.
    private var beganAt = MonotonicTime.never
    /// When the answer is due; set by `finish`.
    private var deadline = MonotonicTime.never
    /// When `finish` was called.
    private var finishedAt = MonotonicTime(nanoseconds: 0)
    private var timer: LoopTimer?
    /// Runs while the call carries what a client still brings.
    private var trickleTimer: LoopTimer?
    private var trickle = TrickleClock(at: .never)
    /// The address in `from` of the request; memory that is used again. Of no meaning unless
    /// `hasFrom`.
    private var from: [UInt8] = []
    private var hasFrom = false
    /// Whose limit's end it waits for.
    private var waitsFor: LimitName?
    /// Whose limits it asks about, for those that wait.
    private var leads: [LimitName] = []
    /// The owner is about to hear of a limit.
    private var isRefused = false
    /// Counts messages, so that what was to be said to one is never said to the next.
    private var generation = 0

    /// An upload at rest.
    init(worker: Worker, key: APIKey, account: LoopAccount) {
        self.worker = worker
        self.key = key
        self.account = account
        body = RequestBody(pool: worker.loop.slabs)
        body.discard()
    }

    /// Begins with an empty body. Body and call of the message before are used again, unless
    /// somebody still holds them: a connection or a queue may look at them, and keeps them.
    func begin(key: APIKey, account: LoopAccount, owner: any UploadOwner) {
        precondition(self.owner == nil, "the upload before has not ended")
        if self.key !== key { self.key = key }
        if self.account !== account { self.account = account }
        self.owner = owner
        beganAt = worker.loop.now
        deadline = .never
        sourceOffset = 0
        hasFrom = false
        if isKnownUniquelyReferenced(&body) {
            body.begin()
        } else {
            body = RequestBody(pool: worker.loop.slabs)
        }
    }

    /// Whether the owner must write no more before `uploadWantsBody`.
    var isFull: Bool { body.pendingBytes > Self.pendingHighWater }

    // MARK: - Writing

    /// Starts the call on what there is of the body; more is written while it runs.
    func start() { start(pace) }

    private func start(_ pace: APICall.Pace) {
        if isRefused { return }
        if mayMeetLimit || !worker.limitLines.isEmpty {
            guard isAdmitted() else { return }
        }
        call(pace)
    }

    private func call(_ pace: APICall.Pace) {
        let deadline = body.isComplete ? deadline : .never
        if isKnownUniquelyReferenced(&call), let call {
            call.begin(
                key: key, flow: account.flow, body: body, owner: self, deadline: deadline,
                pace: pace)
        } else {
            call = APICall(
                kind: .send, key: key, flow: account.flow, body: body, owner: self,
                deadline: deadline, pace: pace)
        }
        isCalling = true
        if let call { worker.pool.start(call) }
        if pace != .here, !body.isComplete { beginTrickling() }
    }

    /// What the client has shown so far. It has been read all the time: it is paused only when the
    /// call has begun.
    private var pace: APICall.Pace {
        let nanoseconds = worker.loop.now.nanoseconds(since: beganAt)
        let bytes = Double(body.byteCount) * 1_000_000_000
        return bytes >= Double(nanoseconds) * Double(Self.fastBytesPerSecond) ? .fast : .slow
    }

    /// The owner has written more.
    func grow() {
        if isCalling { call?.bodyGrew() }
    }

    /// Nothing but `source` is to be written any more. A body that fits into the threshold with it is
    /// completed before the call is made.
    /// - Parameter deadline: when the answer is due.
    func finish(by deadline: MonotonicTime, from source: UploadSource) -> Progress {
        self.deadline = deadline
        finishedAt = worker.loop.now
        let bytes = body.byteCount + source.waitingBytes
        endTrickling()
        if isCalling {
            call?.bodyIsHere()
        } else if bytes > worker.configuration.messages.bufferThresholdBytes {
            start(.here)
        }
        let progress = pump(source)
        if case .waiting = progress { self.source = source }
        return progress
    }

    /// After `uploadWantsBody`: writes more of what `finish` could not write.
    func pump() -> Progress {
        guard let source else { preconditionFailure("everything is written already") }
        let progress = pump(source)
        if case .waiting = progress { return .waiting }
        self.source = nil
        return progress
    }

    /// Writes as fast as the API reads, and completes the body after the last byte. A call that
    /// takes bytes at once does not ask for more: it is given more until it has enough.
    private func pump(_ source: UploadSource) -> Progress {
        let threshold = worker.configuration.messages.bufferThresholdBytes
        repeat {
            // Without a call all of it should fit into the threshold; escapes may make more of it.
            let room =
                isCalling
                ? Self.pendingHighWater - body.pendingBytes : max(1, threshold - body.byteCount)
            switch write(source, upTo: room) {
            case .complete:
                complete()
                return .complete
            case .waiting:
                if isCalling { grow() } else { start(.here) }
            case .failed: return .failed
            }
        } while body.pendingBytes < Self.pendingLowWater
        watch(until: deadline)
        return .waiting
    }

    /// Writes about `bytes` of what is left, at most.
    private func write(_ source: UploadSource, upTo bytes: Int) -> Progress {
        switch source {
        case .mapper(let mapper):
            let isEnd = mapper.drain(upTo: bytes)
            if mapper.failure != nil { return .failed }
            return isEnd ? .complete : .waiting
        case .held(let buffer):
            let end = sourceOffset + min(bytes, buffer.byteCount - sourceOffset)
            while sourceOffset < end && !buffer.hasFailed {
                sourceOffset += body.write { buffer.read(at: sourceOffset, into: &$0) }
            }
            if buffer.hasFailed { return .failed }
            return sourceOffset == buffer.byteCount ? .complete : .waiting
        }
    }

    private func complete() {
        unwatch()
        body.complete()
        if isCalling {
            call?.bodyCompleted(deadline: deadline)
        } else {
            start(.here)
        }
    }

    // MARK: - Time and the end

    /// `uploadStalled` follows at `time`, unless `unwatch`, the last byte or the end comes first.
    func watch(until time: MonotonicTime) {
        let timer = timer ?? LoopTimer(loop: worker.loop, handler: self)
        self.timer = timer
        timer.arm(at: time)
    }

    /// The API has read.
    func unwatch() { timer?.cancel() }

    /// Lets go of the line that it waits in, and of those that wait for it.
    private func leaveLines(isAnswered: Bool) {
        if let name = waitsFor {
            waitsFor = nil
            worker.limitLines.leave(self, name)
        }
        guard !leads.isEmpty else { return }
        let names = leads
        leads = []
        for name in names { worker.limitLines.ended(name, isAnswered: isAnswered) }
    }

    /// Lets go of everything. A body that is incomplete never reaches the API as complete; one that
    /// is complete may still be acted on.
    func end() {
        endTrickling()
        if let timer {
            timer.cancel()
            self.timer = nil
        }
        source = nil
        generation += 1
        isRefused = false
        if isInLines { leaveLines(isAnswered: false) }
        if isCalling {
            isCalling = false
            call?.abandon()
            call = nil
        }
        body.discard()
        owner = nil
    }

    override func timerFired(_ timer: LoopTimer) {
        if timer === trickleTimer { lookAtTrickle(timer) } else { owner?.uploadStalled(self) }
    }

    // MARK: - Pauses of the client

    private func beginTrickling() {
        let timer = LoopTimer(loop: worker.loop, handler: self)
        trickleTimer = timer
        trickle = TrickleClock(at: worker.loop.now)
        timer.arm(at: worker.loop.now.advanced(byMilliseconds: TrickleClock.lookMilliseconds))
    }

    private func lookAtTrickle(_ timer: LoopTimer) {
        let now = worker.loop.now
        let sentBytes = body.byteCount - body.pendingBytes
        if trickle.look(sentBytes: sentBytes, at: now), call?.trickle() == true {
            trickle.trickled(at: now)
        }
        timer.arm(at: now.advanced(byMilliseconds: TrickleClock.lookMilliseconds))
    }

    private func endTrickling() {
        guard let trickleTimer else { return }
        trickleTimer.cancel()
        self.trickleTimer = nil
    }

    // MARK: - The call's events

    func callWantsBody(_ call: APICall) {
        guard !body.isComplete, body.pendingBytes < Self.pendingLowWater else { return }
        owner?.uploadWantsBody(self)
    }

    func callFinished(_ call: APICall, _ result: APIResult) {
        isCalling = false
        endTrickling()
        call.rest()
        if call.status == 429, waits(after: result) { return }
        if (200...299).contains(call.status), mayMeetLimit || isInLines { noteSuccess() }
        if isInLines { leaveLines(isAnswered: false) }
        owner?.uploadFinished(self, result)
    }

    // MARK: - Limits

    /// Remembers the address in `from`, unless it is known already.
    func noteFrom(of mapper: MessageMapper) {
        guard !hasFrom else { return }
        hasFrom = true
        mapper.takeFrom(into: &from)
    }

    /// The same, of another call for the same message.
    func noteFrom(of other: Upload) {
        hasFrom = other.hasFrom
        from = other.from
    }

    /// The domain of the address in `from`; empty when there is none.
    var fromDomain: String {
        guard hasFrom else { return "" }
        let address = from
        return LimitName.domain(of: address.span)
    }

    private var limitNames: [LimitName] {
        let domain = fromDomain
        return domain.isEmpty
            ? [.key(key.hash)] : [.key(key.hash), .domain(domain, of: key.hash)]
    }

    var waitingKey: APIKey.Hash { key.hash }

    /// Until then the call must be made, so that the API has some time to answer. After `finish`.
    var latestStart: MonotonicTime {
        let left = deadline.milliseconds(since: finishedAt)
        return finishedAt.advanced(byMilliseconds: left - min(1_000, left / 8))
    }

    /// Whether any limit is known, of whomever.
    private var mayMeetLimit: Bool {
        worker.shared.rateLimits.mayHaveAny(at: worker.loop.now)
    }

    /// It waits for others, or others wait for it.
    private var isInLines: Bool { waitsFor != nil || !leads.isEmpty }

    /// Whether the call may be made now. If not, it waits, or the owner hears of the limit.
    private func isAdmitted() -> Bool {
        adoptLimits()
        for name in limitNames {
            switch worker.limitLines.find(name) {
            case .free: continue
            case .probe: leads.append(name)
            case .limited(let limit, let until):
                leaveLines(isAnswered: false)
                if !waits(for: name, until: until) { limitLasts(limit) }
                return false
            case .probed(let limit, let until):
                // An upload can't wait, but whether the limit still holds is about to be known.
                if !body.isComplete, until <= worker.loop.now { continue }
                leaveLines(isAnswered: false)
                if !waits(for: name, until: until) { limitLasts(limit) }
                return false
            }
        }
        return true
    }

    /// What other relays have met counts here too.
    private func adoptLimits() {
        let (fleet, account) = (worker.shared.fleet, account.shared.name)
        for name in limitNames {
            fleet.adopt(name, account: account, domain: name.domain, at: worker.loop.now)
        }
    }

    /// Waits for the end of a limit, if that leaves enough time for the answer.
    private func waits(
        for name: LimitName, isFirst: Bool = false, until: MonotonicTime
    ) -> Bool {
        guard body.isComplete, body.isHeld, until <= latestStart,
            worker.limitLines.join(self, name, isFirst: isFirst, until: until)
        else { return false }
        waitsFor = name
        return true
    }

    /// Notes the limit that a 429 speaks of, and waits for its end if it can.
    private func waits(after result: APIResult) -> Bool {
        guard case .response(let response) = result,
            case .rateLimited(let limit) = response.outcome()
        else { return false }
        let domain = limit.isOfDomain ? fromDomain : ""
        let name =
            domain.isEmpty ? LimitName.key(key.hash) : .domain(domain, of: key.hash)
        let until = worker.shared.rateLimits.record(limit, on: name, at: worker.loop.now)
        worker.shared.fleet.met(
            limit, on: name, account: account.shared.name, domain: name.domain)
        let isFirst = leads.contains(name)
        let isWaiting = until.map { waits(for: name, isFirst: isFirst, until: $0) } ?? false
        let names = leads
        leads = []
        for other in names { worker.limitLines.ended(other, isAnswered: other == name) }
        return isWaiting
    }

    /// The API has accepted it, so no limit of its names holds any more.
    private func noteSuccess() {
        for name in limitNames where worker.shared.rateLimits.end(name) {
            worker.shared.fleet.ended(account: account.shared.name, domain: name.domain)
        }
        leaveLines(isAnswered: true)
    }

    func limitIsOver(_ name: LimitName) {
        waitsFor = nil
        leads.append(name)
        body.rewind()
        call(.here)
    }

    /// The owner hears of it in the same turn, and not while it calls us.
    func limitLasts(_ limit: RateLimit) {
        waitsFor = nil
        isRefused = true
        let asked = generation
        worker.loop.later { [self] in
            guard isRefused, asked == generation else { return }
            isRefused = false
            owner?.uploadFinished(self, .limited(limit))
        }
    }
}

/// What an upload writes after its owner has written everything else.
enum UploadSource {
    /// Text that waited for the end of the attachments, and the closing brace.
    case mapper(MessageMapper)
    /// A message that was held whole.
    case held(SpillBuffer)

    /// Bytes still to be written, about.
    fileprivate var waitingBytes: Int {
        switch self {
        case .mapper(let mapper): mapper.waitingBytes
        case .held(let buffer): buffer.byteCount
        }
    }
}
