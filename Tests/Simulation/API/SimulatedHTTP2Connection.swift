// One HTTP/2 connection to the simulated API (RFC 9113): many requests side by side, each with a fate
// of its own, and what can happen to the connection under them.
//
// The session is the relay's own, in its other role; it refuses what breaks the protocol, and then the
// relay is at fault. What no good server does leaves as bare frames: a GOAWAY that takes requests back,
// another number of streams, floods.

import HTTP2
import Reactor
import Wire

/// A connection whose requests are `SimulatedExchange`s.
final class SimulatedHTTP2Connection: StreamHandler {
    let api: SimulatedAPI
    let number: Int
    let session: HTTP2Session
    private var stream: Stream?
    private var door = SimulatedDoor()
    /// By the slots of their streams.
    private var exchanges: [SimulatedExchange?] = []
    /// What happens later, in the order in which it was decided.
    private var waits: [(at: MonotonicTime, work: () -> Void)] = []
    private var idleEnd = MonotonicTime.never
    /// It hears nothing any more.
    private var isDeaf = false
    /// It takes no further requests, and ends after those that it has.
    private var isLeaving = false
    /// Requests above this stream are as if they had never come.
    private var lastID = Int32.max
    /// The last stream that was read completely, or answered.
    private var highestEngaged: Int32 = 0
    /// Streams that may be open, as said last, and as the relay has acknowledged.
    private var streamsMax: Int
    private var acknowledgedMax = Int.max
    /// The events of the session are being taken: `pump` follows.
    private var isTaking = false
    private var owedSettings: [Int] = []

    init(api: SimulatedAPI, number: Int, stream: Stream) {
        self.api = api
        self.number = number
        self.stream = stream
        var options = HTTP2Options.server
        options.streamsMax = api.world.weather.apiStreamsMax ?? api.dice.pick([1, 2, 5, 100, 256])
        // Over a long line a small window makes an upload slower than the relay's patience: that is no pause.
        let isAboutPauses = api.world.weather.apiSilenceMilliseconds != nil
        options.streamWindowBytes = api.dice.pick(
            isAboutPauses ? [65_535, 8 * 1_048_576] : [1_000, 20_000, 65_535, 8 * 1_048_576])
        options.connectionWindowBytes = api.dice.pick([65_535, 200_000, 16 * 1_048_576])
        options.opensWindows = false
        streamsMax = options.streamsMax
        session = HTTP2Session(options)
        super.init()
    }

    var world: World { api.world }
    private var loop: Loop? { api.host.loop }
    private var open: [SimulatedExchange] { exchanges.compactMap { $0 } }

    /// The handshake is done.
    func begin() {
        pump()
        idle()
    }

    // MARK: Time

    /// Does something after so many milliseconds, if the connection still hears.
    func after(milliseconds: Int, _ work: @escaping () -> Void) {
        guard let loop else { return }
        waits.append((loop.now.advanced(byMilliseconds: milliseconds), work))
        setDeadline()
    }

    private func idle() {
        guard let loop else { return }
        idleEnd = loop.now.advanced(byMilliseconds: api.idleMilliseconds())
        setDeadline()
    }

    private func setDeadline() {
        var deadline = open.isEmpty ? idleEnd : .never
        for wait in waits { deadline = min(deadline, wait.at) }
        stream?.deadline = isDeaf ? .never : deadline
    }

    override func streamTimedOut(_ stream: Stream) {
        let now = stream.loop.now
        let due = waits.filter { $0.at <= now }
        waits.removeAll { $0.at <= now }
        for wait in due where !isDeaf { wait.work() }
        if due.isEmpty, open.isEmpty {
            if api.dice.happens(0.8) { session.drain() }
            isLeaving = true
        }
        pump()
        setDeadline()
    }

    // MARK: What comes

    override func streamReceived(_ stream: Stream, _ bytes: Bytes) {
        guard !isDeaf else { return }
        let input = door.take(bytes, owesSettings: !owedSettings.isEmpty)
        for _ in 0..<door.takeAcknowledgements() { acknowledgedMax = owedSettings.removeFirst() }
        for id in door.takeResets() { api.wasReset(id, on: number) }
        session.receive(input.span, now: world.now.nanoseconds)
        takeEvents(input.span)
        pump()
        setDeadline()
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        self.stream = nil
        isDeaf = true
        waits = []
        exchanges = []
        api.ended()
    }

    private func takeEvents(_ input: Bytes) {
        isTaking = true
        defer { isTaking = false }
        while let event = session.nextEvent() {
            switch event {
            case .head(let stream, let head) where head.kind == .request: begin(stream, head)
            case .data(let stream, let range):
                exchange(stream)?.take(input.extracting(range))
            case .end(let stream): exchange(stream)?.complete()
            case .closed(let stream, _):
                if exchange(stream) != nil { exchanges[stream.slot] = nil }
                if open.isEmpty { idle() }
            case .failed:
                api.complain("the relay broke HTTP/2: \(session.failure?.reason ?? "")")
            case .head, .window, .settings, .goaway, .pong: break
            }
        }
    }

    private func exchange(_ stream: HTTP2Stream) -> SimulatedExchange? {
        guard stream.slot < exchanges.count, exchanges[stream.slot]?.stream == stream else {
            return nil
        }
        return exchanges[stream.slot]
    }

    private func begin(_ stream: HTTP2Stream, _ head: HTTP2Head) {
        let exchange = SimulatedExchange(
            stream, of: self, isSend: value(":method", head) == "POST",
            token: value("authorization", head) ?? "")
        while exchanges.count <= stream.slot { exchanges.append(nil) }
        exchanges[stream.slot] = exchange
        if open.count > acknowledgedMax {
            api.complain("\(open.count) streams, and \(acknowledgedMax) are allowed")
        }
        guard stream.id <= lastID, !isShutDown else { return exchange.drop() }
        if open.count > streamsMax { return refuse(exchange) }
        if api.dice.happens(api.disturbances) { disturb(exchange) }
        if !isDeaf && !exchange.isDropped { exchange.begin(api.conduct()) }
    }

    private func value(_ name: StaticString, _ head: HTTP2Head) -> String? {
        let session = session
        guard let range = session.find(name, in: head) else { return nil }
        let bytes = session.headBytes.extracting(range).copied()
        return String(decoding: bytes, as: UTF8.self)
    }

    /// An API that has ended its side reads on and acts on nothing: it could not answer any more.
    private var isShutDown: Bool {
        stream.flatMap { api.host.end(of: $0)?.isShutDown } ?? true
    }

    /// The request is not acted on, and the relay is told so (RFC 9113 section 8.7).
    func refuse(_ exchange: SimulatedExchange, _ code: HTTP2ErrorCode = .refusedStream) {
        exchange.drop()
        session.reset(exchange.stream, code)
    }

    /// The API has begun to do something about the request: it can't be taken back.
    func engage(_ stream: HTTP2Stream) { highestEngaged = max(highestEngaged, stream.id) }

    // MARK: What goes wrong

    /// Something happens to the connection as `exchange` begins.
    private func disturb(_ exchange: SimulatedExchange) {
        let kind = api.dice.number(0...6)
        world.trace.say(world, "api: disturbance \(kind) on connection \(number)")
        switch kind {
        case 0:
            session.drain()
            isLeaving = true
        case 1: takeBack()
        case 2: allow(api.dice.pick([0, 1, 3, 50]))
        case 3: refuse(exchange, api.dice.happens(0.2) ? .http11Required : .refusedStream)
        case 4:
            isDeaf = true
            stream?.pauseReceiving()
        case 5: flood(Self.frame(type: 6, stream: 0, [0, 1, 2, 3, 4, 5, 6, 7]))
        default: flood(Self.frame(type: 4, stream: 0, []))
        }
    }

    /// A GOAWAY whose last stream is below some that are open (RFC 9113 section 6.8).
    private func takeBack() {
        lastID = highestEngaged
        isLeaving = true
        for exchange in open where exchange.stream.id > lastID { exchange.drop() }
        write(Self.frame(type: 7, stream: 0, Self.number(lastID) + Self.number(0)))
    }

    /// Another number of streams (RFC 9113 section 5.1.2).
    private func allow(_ wanted: Int) {
        let count = min(wanted, session.options.streamsMax)
        streamsMax = count
        owedSettings.append(count)
        write(Self.frame(type: 4, stream: 0, [0, 3] + Self.number(Int32(count))))
        // It does not stay closed for ever.
        guard count == 0 else { return }
        after(milliseconds: api.dice.skewed(1...20_000)) { [unowned self] in allow(5) }
    }

    private func flood(_ frame: [UInt8]) {
        isDeaf = true
        for _ in 0..<20_000 { write(frame) }
    }

    private func write(_ bytes: [UInt8]) { stream?.write(bytes.span) }

    private static func number(_ number: Int32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> Int32(24 - 8 * $0)) }
    }

    private static func frame(type: UInt8, stream: Int32, _ payload: [UInt8]) -> [UInt8] {
        [0, 0, UInt8(payload.count), type, 0] + number(stream) + payload
    }

    /// The connection ends without another word.
    func end(_ how: Conduct.Mumble) {
        isDeaf = true
        switch how {
        case .silence: if let stream { api.host.end(of: stream)?.link.fall() }
        default: stream?.finish()
        }
    }

    // MARK: Writing

    /// Writes what the session has to say.
    func pump() {
        guard let stream, !isDeaf, !isTaking else { return }
        let session = session
        writing: while !stream.isAboveHighWater {
            switch session.next() {
            case .nothing: break writing
            case .bytes: stream.write(session.output)
            case .data(let frame): write(frame, to: stream)
            }
        }
        let nothing: [UInt8] = []
        takeEvents(nothing.span)
        if session.isOver || isLeaving && open.allSatisfy(\.isDropped) { stream.finish() }
    }

    private func write(_ frame: HTTP2DataFrame, to stream: Stream) {
        guard let exchange = exchange(frame.stream) else {
            preconditionFailure("a body without its exchange")
        }
        let head = frame.head
        stream.write(head.span)
        stream.write(exchange.nextContent(frame.count).span)
        if frame.isPieceDone { exchange.pieceLeft() }
        guard frame.isEnd else { return }
        if let entry = exchange.toldEntry, let end = api.host.end(of: stream) {
            api.expectReset(of: entry, frame.stream.id, on: number)
            end.peer.watch(Int(stream.sealedEnd())) { [api] in api.simulation.answerHeard(entry) }
        }
        exchange.answered()
    }

    override func streamDrained(_ stream: Stream) { pump() }
}

/// Looks at the relay's frames before the session does: takes away the acknowledgements of settings
/// that the session does not know of, and notes which streams the relay resets.
private struct SimulatedDoor {
    /// Bytes of the preface or of a frame that are still to come.
    private var left = 24
    /// The head of a frame as far as it has come.
    private var head: [UInt8] = []
    private var isFirstAcknowledged = false
    private var acknowledgements = 0
    private var resets: [Int32] = []

    /// - Returns: what is left for the session.
    mutating func take(_ bytes: Bytes, owesSettings: Bool) -> [UInt8] {
        var output: [UInt8] = []
        for index in bytes.indices {
            if left > 0 {
                left -= 1
                output.append(bytes[index])
                continue
            }
            head.append(bytes[index])
            guard head.count == 9 else { continue }
            left = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            if isForOthers(owesSettings) {
                acknowledgements += 1
            } else {
                output += head
            }
            head = []
        }
        return output
    }

    /// An acknowledgement of settings that the session has not sent: its own come first.
    private mutating func isForOthers(_ owesSettings: Bool) -> Bool {
        if head[3] == 3 { resets.append(head[5...].reduce(0) { $0 << 8 | Int32($1) }) }
        guard head[3] == 4, head[4] & 1 != 0 else { return false }
        guard isFirstAcknowledged else {
            isFirstAcknowledged = true
            return false
        }
        return owesSettings
    }

    mutating func takeAcknowledgements() -> Int {
        defer { acknowledgements = 0 }
        return acknowledgements
    }

    mutating func takeResets() -> [Int32] {
        defer { resets = [] }
        return resets
    }
}
