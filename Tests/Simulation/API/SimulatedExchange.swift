// One request to the simulated API over HTTP/2, and its answer: the same fates as over HTTP/1.1, on a
// stream of its own.

import HTTP2
import Reactor
import Wire

/// A request whose fate the dice decide after its head.
final class SimulatedExchange {
    let stream: HTTP2Stream
    private unowned let connection: SimulatedHTTP2Connection
    private let isSend: Bool
    private let token: String
    private var conduct = Conduct.accept
    private var body: [UInt8] = []
    private var isComplete = false
    /// Nothing more is done about it.
    private(set) var isDropped = false
    /// It reads nothing, and gives the relay no more window.
    private var isDeaf = false
    /// What is left of the answer's body, and how the stream ends after it.
    private var rest: [UInt8] = []
    private var isCutShort = false
    /// When the last of the request came.
    private var heardAt: MonotonicTime
    /// The index of the request in the ledger.
    private var entry: Int?
    /// The same when the answer is one that the relay must believe.
    private(set) var toldEntry: Int?

    init(
        _ stream: HTTP2Stream, of connection: SimulatedHTTP2Connection, isSend: Bool, token: String
    ) {
        self.stream = stream
        self.connection = connection
        self.isSend = isSend
        self.token = token
        heardAt = connection.world.now
    }

    private var api: SimulatedAPI { connection.api }

    func drop() { isDropped = true }

    // MARK: The request

    func begin(_ conduct: Conduct) {
        self.conduct = conduct
        guard isSend else { return }
        if let silence = api.world.weather.apiSilenceMilliseconds { listen(silence) }
        switch conduct {
        case .early(let status):
            drop()
            connection.engage(stream)
            api.noteEarly(status)
            answer(status, messageID: api.newMessageID())
        case .stall:
            drop()
            isDeaf = true
        default: break
        }
    }

    /// Ends the stream when nothing comes of the request for so long.
    private func listen(_ milliseconds: Int) {
        let end = heardAt.advanced(byMilliseconds: milliseconds)
        connection.after(milliseconds: end.milliseconds(since: api.world.now)) { [weak self] in
            guard let self, !isComplete, !isDropped else { return }
            guard api.world.now.milliseconds(since: heardAt) >= milliseconds else {
                return listen(milliseconds)
            }
            drop()
            connection.session.reset(stream, .cancel)
        }
    }

    func take(_ content: Bytes) {
        heardAt = api.world.now
        guard !isDeaf else { return }
        connection.session.consumed(content.count, of: stream)
        guard !isDropped else { return }
        content.withUnsafeBufferPointer { body.append(contentsOf: $0) }
        if case .cutOff(let count) = conduct, body.count >= count {
            drop()
            connection.session.reset(stream, api.dice.pick([.internalError, .cancel]))
        }
    }

    func complete() {
        isComplete = true
        guard !isDropped else { return }
        connection.engage(stream)
        guard isSend else { return answerKeyCheck() }
        let entry = api.note(body, connection: connection.number, conduct)
        self.entry = entry
        switch conduct {
        case .accept, .early, .cutOff, .stall:
            api.act(entry)
            later { $0.succeed(entry) }
        case .refuse(let status):
            api.simulation.ledger.requests[entry].status = status
            toldEntry = entry
            later { $0.answer(status, messageID: "") }
        case .mumble(let mumble):
            api.act(entry)
            later { $0.mumble(mumble) }
        case .fail(let mumble): later { $0.mumble(mumble) }
        }
    }

    private func later(_ work: @escaping (SimulatedExchange) -> Void) {
        let delay = api.answerDelay()
        if delay == 0 { return work(self) }
        connection.after(milliseconds: delay) { [weak self] in
            if let self { work(self) }
        }
    }

    // MARK: The answer

    private func answerKeyCheck() {
        var status = 200
        switch conduct {
        case .accept, .cutOff, .stall, .early: break
        case .refuse(let other): status = [401, 403, 429, 503].contains(other) ? other : 200
        case .mumble(let mumble), .fail(let mumble): return later { $0.mumble(mumble) }
        }
        if token.hasPrefix("Bearer ps_live_wrong") { status = 401 }
        let told = status
        later { $0.answer(told, messageID: "") }
    }

    private func succeed(_ entry: Int) {
        toldEntry = entry
        let status = api.dice.pick([202, 202, 200, 201])
        api.simulation.ledger.requests[entry].isValidSuccess = true
        api.simulation.ledger.requests[entry].status = status
        answer(status, messageID: api.simulation.ledger.requests[entry].messageID)
    }

    private func mumble(_ mumble: Conduct.Mumble) {
        drop()
        switch mumble {
        case .reset:
            connection.session.reset(stream, api.dice.pick([.internalError, .cancel, .noError]))
        case .close, .silence: connection.end(mumble)
        case .hang: break
        case .garbage: send(202, Array("{\"message".utf8))
        case .truncated:
            isCutShort = true
            send(202, Array("{\"message_id\":\"truncated@simulation.example\"".utf8))
        case .serverError:
            if let entry { api.simulation.ledger.requests[entry].status = 502 }
            send(502, Array("{}".utf8))
        }
    }

    private func answer(_ status: Int, messageID: String) {
        send(status, Array(SimulatedAPI.json(status, messageID: messageID).utf8))
    }

    private func send(_ status: Int, _ content: [UInt8]) {
        if api.dice.happens(0.1) {
            var hints = HTTP2Fields()
            hints.add(":status", "103")
            connection.session.inform(stream, hints)
        }
        var fields = HTTP2Fields()
        fields.add(":status", text: String(status))
        fields.add("x-request-id", text: "req_\(connection.number)_\(stream.id)")
        if status == 429, api.dice.happens(0.7) {
            fields.add("retry-after", text: String(api.dice.skewed(1...120)))
        }
        if !isCutShort, api.dice.happens(0.5) {
            fields.add("content-length", text: String(content.count))
        }
        rest = content
        connection.session.respond(to: stream, fields, hasBody: true)
        offer()
        connection.pump()
    }

    /// Offers all that is left, or a piece of it.
    private func offer() {
        let isWhole = api.isOrderly || api.dice.happens(0.8)
        let count = isWhole ? rest.count : api.dice.number(1...rest.count)
        connection.session.offer(
            count, isLast: !isCutShort && count == rest.count, to: stream)
    }

    func nextContent(_ count: Int) -> [UInt8] {
        defer { rest.removeFirst(count) }
        return Array(rest.prefix(count))
    }

    /// All that was offered has left.
    func pieceLeft() {
        if !rest.isEmpty {
            connection.after(milliseconds: api.dice.skewed(1...3_000)) { [weak self] in
                self?.offer()
            }
        } else if isCutShort {
            connection.session.reset(stream, .internalError)
        }
    }

    /// The last byte of the answer has left.
    func answered() {
        guard !isComplete, api.dice.happens(0.7) else { return }
        // What the relay still sends is of no interest (RFC 9113 section 8.1).
        connection.session.reset(stream, .noError)
    }
}
