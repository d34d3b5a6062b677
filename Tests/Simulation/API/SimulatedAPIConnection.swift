// One connection to the simulated API.

import Reactor
import Wire

/// Reads one request after the other; the dice decide its fate after its head.
final class SimulatedAPIConnection: StreamHandler {
    private let api: SimulatedAPI
    private let number: Int
    private var stream: Stream?
    private var reader = HTTPRequestReader()
    private var request: HTTPRequest?
    private var body: [UInt8] = []
    private var conduct = Conduct.accept
    private var isSend = false
    private var isDeaf = false
    /// The index of the request in the ledger.
    private var entry: Int?
    /// The rest of an answer that leaves in pieces.
    private var rest: [UInt8] = []
    private var onSent: (() -> Void)?
    private var closesBehind = false
    private var waiting: (() -> Void)?

    init(api: SimulatedAPI, number: Int) {
        self.api = api
        self.number = number
        super.init()
    }

    private var simulation: Simulation { api.simulation }

    override func streamOpened(_ stream: Stream) {
        if stream.tls?.applicationProtocol == .http2 {
            let connection = SimulatedHTTP2Connection(api: api, number: number, stream: stream)
            stream.handOver(to: connection)
            return connection.begin()
        }
        self.stream = stream
        armIdle()
    }

    private func armIdle() {
        guard let stream else { return }
        stream.deadline = stream.loop.now.advanced(
            byMilliseconds: api.idleMilliseconds())
    }

    override func streamTimedOut(_ stream: Stream) {
        if let waiting {
            self.waiting = nil
            return waiting()
        }
        if request == nil { stream.finish() } else { stream.abort() }
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        self.stream = nil
        waiting = nil
        onSent = nil
        api.ended()
    }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        guard !isDeaf else { return }
        var offset = 0
        while !isDeaf {
            switch reader.next(bytes, &offset) {
            case .needInput: return
            case .head(let request): begin(request)
            case .content(let range): take(bytes.extracting(range))
            case .end: complete()
            case .invalid(let status, let reason):
                simulation.ledger.complaints.append("the API got bad HTTP (\(status)): \(reason)")
                isDeaf = true
                stream.abort()
            }
        }
    }

    // MARK: The request

    private func begin(_ request: HTTPRequest) {
        if waiting != nil || !rest.isEmpty {
            simulation.ledger.complaints.append("a request before the last one was answered")
        }
        // An API that has ended its side reads on and acts on nothing: it could not answer any more.
        if let stream, api.host.end(of: stream)?.isShutDown ?? false { return isDeaf = true }
        self.request = request
        body = []
        entry = nil
        isSend = request.method == "POST"
        conduct = api.conduct()
        listen()
        if !isSend { return }
        switch conduct {
        case .early(let status):
            isDeaf = true
            closesBehind = true
            api.noteEarly(status)
            send(answer(status, messageID: api.newMessageID()))
        case .stall:
            isDeaf = true
            stream?.pauseReceiving()
        default: break
        }
    }

    /// More of the request has to come in time.
    private func listen() {
        guard let stream else { return }
        stream.deadline =
            api.world.weather.apiSilenceMilliseconds.map {
                stream.loop.now.advanced(byMilliseconds: $0)
            } ?? .never
    }

    private func take(_ content: Bytes) {
        listen()
        content.withUnsafeBufferPointer { body.append(contentsOf: $0) }
        if case .cutOff(let count) = conduct, body.count >= count {
            isDeaf = true
            stream?.abort()
        }
    }

    private func complete() {
        stream?.deadline = .never
        if !isSend { return answerKeyCheck() }
        let entry = api.note(body, connection: number, conduct)
        self.entry = entry
        switch conduct {
        case .accept, .early, .cutOff, .stall:
            api.act(entry)
            answerLater { $0.succeed(entry) }
        case .refuse(let status):
            simulation.ledger.requests[entry].status = status
            answerLater { $0.refuse(entry, status) }
        case .mumble(let mumble):
            api.act(entry)
            answerLater { $0.mumble(mumble, entry) }
        case .fail(let mumble): answerLater { $0.mumble(mumble, entry) }
        }
    }

    private func answerLater(_ answer: @escaping (SimulatedAPIConnection) -> Void) {
        guard let stream else { return }
        let delay = api.answerDelay()
        if delay == 0 { return answer(self) }
        waiting = { [unowned self] in answer(self) }
        stream.deadline = stream.loop.now.advanced(byMilliseconds: delay)
    }

    // MARK: The answer

    private func answerKeyCheck() {
        var status = 200
        switch conduct {
        case .accept, .cutOff, .stall, .early: break
        case .refuse(let other): status = [401, 403, 429, 503].contains(other) ? other : 200
        case .mumble(let mumble), .fail(let mumble):
            return answerLater { $0.mumble(mumble, nil) }
        }
        if request?.bearerToken.map({ String(decoding: $0, as: UTF8.self) })?.hasPrefix(
            "ps_live_wrong")
            ?? true
        {
            status = 401
        }
        let answered = status
        answerLater { $0.reply($0.answer(answered, messageID: "")) {} }
    }

    private func succeed(_ entry: Int) {
        let messageID = simulation.ledger.requests[entry].messageID
        simulation.ledger.requests[entry].isValidSuccess = true
        let status = api.dice.pick([202, 202, 200, 201])
        simulation.ledger.requests[entry].status = status
        reply(answer(status, messageID: messageID)) { [api] in
            api.simulation.answerHeard(entry)
        }
    }

    private func refuse(_ entry: Int, _ status: Int) {
        reply(answer(status, messageID: "")) { [api] in api.simulation.answerHeard(entry) }
    }

    private func mumble(_ mumble: Conduct.Mumble, _ entry: Int?) {
        isDeaf = true
        switch mumble {
        case .reset: stream?.abort()
        case .close: stream?.finish()
        case .hang: stream?.deadline = .never
        case .silence:
            if let stream { api.host.end(of: stream)?.link.fall() }
        case .garbage:
            closesBehind = true
            send(Array("HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\n{\"message".utf8))
        case .truncated:
            closesBehind = true
            send(Array(answer(202, messageID: "truncated@simulation.example").dropLast(3)))
        case .serverError:
            if let entry { simulation.ledger.requests[entry].status = 502 }
            closesBehind = true
            send(answer(502, messageID: ""))
        }
    }

    private func answer(_ status: Int, messageID: String) -> [UInt8] {
        let json = SimulatedAPI.json(status, messageID: messageID)
        var text = ""
        if api.dice.happens(0.1) { text += "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" }
        text += "HTTP/1.1 \(status) Whatever\r\nX-Request-ID: req_\(number)\r\n"
        if status == 429, api.dice.happens(0.7) {
            text += "Retry-After: \(api.dice.skewed(1...120))\r\n"
        }
        if closesBehind { text += "Connection: close\r\n" }
        if let seconds = api.world.weather.apiKeepAliveSeconds {
            text += "Keep-Alive: timeout=\(seconds)\r\n"
        }
        if api.dice.happens(0.2) {
            let cut = json.utf8.count / 2
            let (first, second) = (json.prefix(cut), json.dropFirst(cut))
            text += "Transfer-Encoding: chunked\r\n\r\n"
            text += "\(String(first.utf8.count, radix: 16))\r\n\(first)\r\n"
            text += "\(String(second.utf8.count, radix: 16))\r\n\(second)\r\n0\r\n\r\n"
        } else {
            text += "Content-Length: \(json.utf8.count)\r\n\r\n\(json)"
        }
        return Array(text.utf8)
    }

    /// Sends a correct answer; `heard` follows when the relay has read all of it.
    private func reply(_ bytes: [UInt8], heard: @escaping () -> Void) {
        closesBehind = closesBehind || !(request?.keepAlive ?? false)
        rest = bytes
        onSent = heard
        sendRest()
    }

    private func sendRest() {
        guard let stream else { return }
        let count =
            api.isOrderly || api.dice.happens(0.8) ? rest.count : api.dice.number(1...rest.count)
        send(Array(rest[..<count]))
        rest.removeFirst(count)
        if rest.isEmpty { return finishAnswer(stream) }
        waiting = { [unowned self] in sendRest() }
        stream.deadline = stream.loop.now.advanced(byMilliseconds: api.dice.skewed(1...3_000))
    }

    private func finishAnswer(_ stream: Stream) {
        request = nil
        let heard = onSent
        onSent = nil
        let sentEnd = Int(stream.sealedEnd())
        if let end = api.host.end(of: stream), let heard {
            end.peer.watch(sentEnd, heard)
        }
        if closesBehind || !api.isOrderly && api.dice.happens(0.03) {
            isDeaf = true
            stream.finish()
        } else {
            armIdle()
        }
    }

    private func send(_ bytes: [UInt8]) {
        guard let stream else { return }
        stream.write(bytes.span)
        if closesBehind, rest.isEmpty, onSent == nil { stream.finish() }
    }
}
