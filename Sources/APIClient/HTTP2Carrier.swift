// One HTTP/2 connection to the API: carries many calls at once (RFC 9113). The driver of `HTTP2Session`;
// each call is an `HTTP2Lane`.
//
// It promises that nothing of an unfinished upload can look finished to the API, and that a connection
// that is dead is found within five seconds when something waits for it. It never decides which call
// comes next (`PoolMachine` does) or whether one is sent again (`RetryRule` does).
//
// What leaves: frames as soon as there is something to send, in records that the stream gathers until the
// event is over; above the stream's high mark nothing, so bodies wait in their slabs and clients are
// paused.

import HTTP2
import Reactor
import Wire

/// A connection of a `ConnectionPool` that carries a call on each of its streams.
final class HTTP2Carrier: StreamHandler, APITransport {
    /// Silence after which the API is asked for a sign of life, when something waits for it.
    private static let quietMilliseconds = 2_500
    /// Silence after which it is given up.
    private static let deadMilliseconds = 5_000
    /// After so long with a shut window the connection is given no more calls.
    private static let shutMilliseconds = 5_000

    let address: SocketAddress
    private let number: ConnectionNumber
    private let pool: ConnectionPool
    private let session: HTTP2Session
    /// nil when it has ended.
    private var stream: Stream?

    /// By the slots of their streams; from the opening of a stream until it is closed.
    private var lanes: [HTTP2Lane?] = []
    /// Those that carry a call, in no order.
    private var active: [HTTP2Lane] = []
    private var spare: [HTTP2Lane] = []
    /// Their streams are open, and their HEADERS are not written.
    private var headless: [HTTP2Lane] = []
    /// They have something to send, and the session takes no stream, or not yet.
    private var streamless: [HTTP2Lane] = []
    /// The HEADERS frame that was copied into the gap before a slab, and is not written yet.
    private var held: (lane: HTTP2Lane, byteCount: Int)?
    private var isWriting = false
    /// Nothing is written any more; `streamClosed` follows.
    private var isGivenUp = false

    /// When the API was last heard, or had nothing to say.
    private var heardAt: MonotonicTime
    /// What was known when a sign of life was asked for: where the question ends in the bytes of the
    /// connection, and what was acknowledged.
    private var question: (end: UInt64, acknowledged: Int?)?
    private var pingNumber: UInt64 = 0
    /// Since when the window of all streams together is shut, and how often it was opened before.
    private var shut: (since: MonotonicTime, openings: Int)?
    /// New calls go elsewhere, because it was shut for long.
    private var isShunned = false

    init(
        number: ConnectionNumber, address: SocketAddress, pool: ConnectionPool, stream: Stream
    ) {
        self.number = number
        self.address = address
        self.pool = pool
        self.stream = stream
        session = HTTP2Session(.client)
        heardAt = pool.loop.now
        super.init()
    }

    private var now: MonotonicTime { pool.loop.now }

    /// The stream is open.
    func start() {
        write()
        stream?.deadline = pool.opened(
            number, as: self, .http2, at: address, streamsMax: session.peerStreamsMax)
    }

    func begin(_ call: APICall, as number: LaneNumber) {
        guard let stream else { preconditionFailure("the machine knows which ones are closed") }
        let lane =
            spare.popLast()
            ?? HTTP2Lane(carrier: self, pool: pool, session: session, stream: stream)
        lane.stand(at: active.count)
        active.append(lane)
        if active.count == 1 { wait() }
        lane.begin(call, as: number)
        if session.isClosedToStreams {
            pool.retiring(self.number, isByPeer: false)
            giveBackStreamless()
        }
        write()
    }

    func lane(_ number: LaneNumber) -> (any APILane)? { active.first { $0.number == number } }

    /// Something is awaited from now on.
    private func wait() {
        heardAt = now
        question = nil
        stream?.deadline = now.advanced(byMilliseconds: Self.quietMilliseconds)
    }

    func close() {
        session.drain()
        write()
        stream?.deadline = .never
        stream?.finish()
    }

    // MARK: - For lanes

    /// The lane has opened a stream.
    func opened(_ requestStream: HTTP2Stream, by lane: HTTP2Lane) {
        while lanes.count <= requestStream.slot { lanes.append(nil) }
        lanes[requestStream.slot] = lane
        headless.append(lane)
        if !streamless.isEmpty { streamless.removeAll { $0 === lane } }
    }

    /// The lane opens its stream as soon as the session takes one.
    func waitForStream(_ lane: HTTP2Lane) {
        if !streamless.contains(where: { $0 === lane }) { streamless.append(lane) }
    }

    /// The lane carries no call any more.
    func left(_ lane: HTTP2Lane) {
        let last = active.removeLast()
        if last !== lane {
            active[lane.place] = last
            last.stand(at: lane.place)
        }
        if !streamless.isEmpty { streamless.removeAll { $0 === lane } }
        recycle(lane)
    }

    private func recycle(_ lane: HTTP2Lane) {
        guard lane.isFree, lane.place >= 0 else { return }
        lane.stand(at: -1)
        spare.append(lane)
    }

    /// A call has ended.
    /// - Parameter deadline: until when the connection may be idle, if that was its last call.
    func rested(until deadline: MonotonicTime) {
        if active.isEmpty { stream?.deadline = deadline }
    }

    /// Time is looked at, at `deadline` at the latest.
    func wakeUp(at deadline: MonotonicTime) {
        if let stream, deadline < stream.deadline { stream.deadline = deadline }
    }

    /// The API wants HTTP/1.1 for what was asked over this connection.
    func demandedHTTP1() { pool.demandedHTTP1(number) }

    // MARK: - Writing

    /// Writes what the session has to say, as far as the stream queues it, and does what follows.
    func write() {
        guard !isWriting, !isGivenUp else { return }
        isWriting = true
        defer { isWriting = false }
        let nothing: [UInt8] = []
        repeat {
            writeOutput()
            takeEvents(nothing.span)
        } while openStreams()
    }

    private func writeOutput() {
        guard let stream else { return }
        let session = session
        while !stream.isAboveHighWater, !isGivenUp {
            switch session.next() {
            case .nothing: return writeHeld()
            case .bytes(let isSecret):
                writeHeld()
                if isSecret {
                    writeHead(session.output, to: stream)
                } else {
                    stream.write(session.output)
                }
            case .data(let frame): writeData(frame)
            }
        }
        writeHeld()
    }

    private func writeData(_ frame: HTTP2DataFrame) {
        guard let lane = lane(frame.stream) else {
            preconditionFailure("a body belongs to a lane")
        }
        if held?.lane !== lane { writeHeld() }
        let heldCount = held?.byteCount ?? 0
        held = nil
        lane.write(frame, heldCount: heldCount)
    }

    /// Writes a HEADERS frame, or keeps it in front of the first slab of the body.
    private func writeHead(_ output: Bytes, to stream: Stream) {
        // A head of ours is one frame.
        let id = (5..<9).reduce(Int32(0)) { $0 << 8 | Int32(output[$1]) }
        guard let index = headless.firstIndex(where: { $0.requestStream?.id == id }) else {
            return stream.write(output, isSecret: true)
        }
        let lane = headless.remove(at: index)
        if lane.hold(output) {
            held = (lane, output.count)
        } else {
            lane.noteHead()
            stream.write(output, isSecret: true)
            lane.headWritten()
        }
    }

    private func writeHeld() {
        guard let held else { return }
        self.held = nil
        held.lane.writeHeld(held.byteCount)
    }

    /// Lets lanes that wait for a stream open theirs.
    /// - Returns: whether there is something to write.
    private func openStreams() -> Bool {
        var hasOpened = false
        while session.canOpen, session.hasPeerSettings, !streamless.isEmpty {
            streamless.removeFirst().advance()
            hasOpened = true
        }
        return hasOpened
    }

    override func streamDrained(_ stream: Stream) { write() }

    // MARK: - What comes

    override func streamReceived(_ stream: Stream, _ bytes: Bytes) {
        heardAt = now
        question = nil
        session.receive(bytes, now: now.nanoseconds)
        takeEvents(bytes)
        write()
    }

    private func takeEvents(_ input: Bytes) {
        let session = session
        while let event = session.nextEvent() {
            switch event {
            case .head(let stream, let head): lane(stream)?.take(head)
            case .data(let stream, let range): lane(stream)?.take(input.extracting(range))
            case .end(let stream): lane(stream)?.answerEnded()
            case .window: break
            case .closed(let stream, let ending): closed(stream, ending)
            case .settings(let streamsMax): settingsCame(streamsMax)
            case .goaway(_, let code): goawayCame(code)
            case .pong: break
            case .failed: failed()
            }
        }
    }

    private func lane(_ stream: HTTP2Stream) -> HTTP2Lane? {
        guard stream.slot < lanes.count, let lane = lanes[stream.slot],
            lane.requestStream == stream
        else { return nil }
        return lane
    }

    private func closed(_ stream: HTTP2Stream, _ ending: HTTP2Ending) {
        guard let lane = lane(stream) else { return }
        lanes[stream.slot] = nil
        if !headless.isEmpty { headless.removeAll { $0 === lane } }
        lane.closed(ending)
        recycle(lane)
    }

    private func settingsCame(_ streamsMax: Int) {
        pool.streamsChanged(number, to: streamsMax)
        giveBackStreamless(active.count - streamsMax)
    }

    private func goawayCame(_ code: HTTP2ErrorCode) {
        if code != .noError { pool.connectionFailed(address, reason: "GOAWAY: \(code)") }
        if code == .http11Required { demandedHTTP1() }
        pool.retiring(number, isByPeer: true)
        giveBackStreamless()
    }

    /// Other connections take calls that have no stream yet: so many at most, the latest ones.
    private func giveBackStreamless(_ count: Int = .max) {
        let excess = streamless.suffix(max(0, count))
        streamless.removeLast(excess.count)
        for lane in excess { lane.giveBack() }
    }

    // MARK: - Time

    override func streamTimedOut(_ stream: Stream) {
        guard !active.isEmpty else { return idleTimedOut(stream) }
        for lane in active where lane.deadline <= now { lane.timedOut() }
        // The last call may have ended, and with it the wait.
        guard !active.isEmpty else { return write() }
        let again = watchWindow()
        if let next = listen(to: stream) {
            stream.deadline = active.reduce(min(again, next)) { min($0, $1.deadline) }
        }
        write()
    }

    /// Sends new calls elsewhere when the API has not opened the window of the connection for some
    /// time. It may read slowly, or may have forgotten bytes of streams that were reset: then it never
    /// opens it again, while it answers each PING.
    /// - Returns: when to look again, if that is to be at a certain time.
    private func watchWindow() -> MonotonicTime {
        guard !isShunned else { return .never }
        guard session.isShut else {
            shut = nil
            return .never
        }
        let openings = session.connectionOpenings
        let since = if let shut, shut.openings == openings { shut.since } else { now }
        shut = (since, openings)
        let end = since.advanced(byMilliseconds: Self.shutMilliseconds)
        guard end <= now else { return end }
        isShunned = true
        pool.retiring(number, isByPeer: false)
        giveBackStreamless()
        return .never
    }

    private func idleTimedOut(_ stream: Stream) {
        if let end = pool.idleTimedOut(number) {
            stream.deadline = end
        } else {
            close()
        }
    }

    /// Asks for a sign of life after some silence, and gives the connection up after more.
    /// - Returns: when to listen again; nil: it was given up.
    private func listen(to stream: Stream) -> MonotonicTime? {
        let silence = now.milliseconds(since: heardAt)
        guard silence >= Self.quietMilliseconds else {
            return heardAt.advanced(byMilliseconds: Self.quietMilliseconds)
        }
        guard let question else {
            ask(stream)
            return heardAt.advanced(byMilliseconds: Self.deadMilliseconds)
        }
        guard silence >= Self.deadMilliseconds else {
            return heardAt.advanced(byMilliseconds: Self.deadMilliseconds)
        }
        if isOnItsWay(question, stream) {
            heardAt = now
            self.question = (question.end, stream.acknowledgedByteCount)
            return now.advanced(byMilliseconds: Self.deadMilliseconds)
        }
        breakAll("no answer to a PING", stream, isSilent: true)
        return nil
    }

    private func ask(_ stream: Stream) {
        pingNumber += 1
        session.ping(pingNumber)
        let isFull = stream.isAboveHighWater
        write()
        question = (isFull ? .max : stream.sealedEnd(), stream.acknowledgedByteCount)
    }

    /// The question has not arrived, and what was written before it has got further: the line is slow,
    /// and not dead.
    private func isOnItsWay(_ question: (end: UInt64, acknowledged: Int?), _ stream: Stream) -> Bool
    {
        guard let before = question.acknowledged, let count = stream.acknowledgedByteCount else {
            return false
        }
        return count > before && UInt64(clamping: count) < question.end
    }

    // MARK: - Ends

    /// The session ends. Its GOAWAY is written, if the stream takes it (RFC 9113 section 5.4.1).
    private func failed() {
        guard let stream else { return }
        writeOutput()
        breakAll(session.failure?.reason ?? "a fault of HTTP/2", stream, isSilent: false)
    }

    /// The connection is of no more use, whatever its calls are waiting for. What is queued is thrown
    /// away when some of it is of a call: then it is certain that the API never had that.
    /// - Parameter isSilent: the API takes nothing any more, so nothing that is queued would leave.
    private func breakAll(_ reason: String, _ stream: Stream, isSilent: Bool) {
        isGivenUp = true
        let isAborted =
            isSilent || stream.isAboveHighWater || active.contains { $0.hasQueuedBytes }
        pool.gaveUp(address, reason: reason, isSilent: isSilent)
        pool.retiring(number, isByPeer: false)
        endCalls(reason, isEnded: false)
        stream.deadline = .never
        if isAborted { stream.abort() } else { stream.finish() }
    }

    private func endCalls(_ reason: String, isEnded: Bool) {
        for lane in active {
            lane.connectionBroke(reason, progress: lane.progress, isEnded: isEnded)
        }
    }

    override func streamPeerEnded(_ stream: Stream) -> Bool {
        for lane in active { lane.noteEnd() }
        isGivenUp = true
        guard !active.isEmpty else {
            pool.retired(number)
            return false
        }
        // It answers no more, and nothing that is queued may leave: how far each call has come is
        // certain now.
        pool.retiring(number, isByPeer: false)
        endCalls(CloseReason.peer.words, isEnded: true)
        stream.abort()
        return false
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        endCalls(reason.words, isEnded: true)
        pool.retired(number)
        pool.closed(number)
        // The stream and its handler hold each other; this is the last call.
        self.stream = nil
        lanes = []
        spare = []
        headless = []
        streamless = []
    }
}
