// A worker on a loop of the test's own thread, and an API on the same loop that follows the test.
// Everything goes over 127.0.0.1.

import Foundation
import Reactor
import TestSupport
import Wire

@testable import APIClient
@testable import Relay

/// What the scripted API does with a request.
enum ScriptedAnswer {
    case status(Int, String)
    /// Never answers by itself; `ScriptedAPI.release` does.
    case hold
    static func accepted(_ id: String) -> ScriptedAnswer {
        .status(202, "{\"message_id\":\"\(id)\",\"status\":\"queued\"}")
    }
}

/// An HTTP server for one test: keeps complete requests, counts incomplete ones.
final class ScriptedAPI: ListenerHandler {
    /// Complete bodies in order.
    var bodies: [[UInt8]] = []
    var chunkedCount = 0
    var incompleteCount = 0
    /// Decides on a complete body.
    var answer: ([UInt8]) -> ScriptedAnswer = { _ in .accepted("id") }
    /// Answers as soon as the head is there, when set.
    var earlyStatus: Int?
    /// Reads nothing after the head.
    var isDeaf = false
    /// Sometimes stops reading, when set.
    var naps: SeededGenerator?
    var held: [ScriptedConnection] = []
    /// Where it runs.
    weak var loop: Loop?

    override func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? {
        ScriptedConnection(api: self)
    }

    /// The parsed request number `index`.
    func object(_ index: Int) -> NSDictionary? {
        guard bodies.indices.contains(index) else { return nil }
        return try? JSONSerialization.jsonObject(with: Data(bodies[index])) as? NSDictionary
    }

    func release(_ answer: ScriptedAnswer) {
        let waiting = held
        held = []
        for connection in waiting { connection.send(answer) }
    }
}

/// One connection to the scripted API.
final class ScriptedConnection: StreamHandler {
    private let api: ScriptedAPI
    private var stream: Reactor.Stream?
    private var input: [UInt8] = []
    private var body: [UInt8] = []
    private var head: HTTPRequestHead?
    private var decoder = ChunkedDecoder()

    init(api: ScriptedAPI) { self.api = api }

    override func streamOpened(_ stream: Reactor.Stream) { self.stream = stream }

    override func streamReceived(_ stream: Reactor.Stream, _ bytes: Span<UInt8>) {
        input += bytes.copied()
        while step() {}
        napNowAndThen()
    }

    private func napNowAndThen() {
        guard !api.isDeaf, var random = api.naps else { return }
        defer { api.naps = random }
        guard Int.random(in: 0..<4, using: &random) == 0, let stream else { return }
        stream.pauseReceiving()
        wakeUp(after: Int.random(in: 1...30, using: &random))
    }

    /// Continues to read after some turns of the loop.
    private func wakeUp(after turns: Int) {
        guard turns > 0 else {
            stream?.resumeReceiving()
            return
        }
        api.loop?.later { [self] in wakeUp(after: turns - 1) }
    }

    override func streamClosed(_ stream: Reactor.Stream, _ reason: CloseReason) {
        if head != nil { api.incompleteCount += 1 }
        self.stream = nil
    }

    private func step() -> Bool {
        guard let head else { return readHead() }
        switch head.framing {
        case .length(let length):
            body += input
            input = []
            guard body.count >= length else { return false }
            finish()
        case .chunked:
            return readChunk()
        default:
            finish()
        }
        return true
    }

    private func readHead() -> Bool {
        guard case .head(let head) = HTTPRequestHead.parse(input.span) else { return false }
        self.head = head
        input.removeFirst(head.headBytes)
        body = []
        decoder = ChunkedDecoder()
        if let status = api.earlyStatus { send(.status(status, "{\"error\":\"early\"}")) }
        if api.isDeaf { stream?.pauseReceiving() }
        return !api.isDeaf
    }

    private func readChunk() -> Bool {
        var offset = 0
        defer { input.removeFirst(min(offset, input.count)) }
        while true {
            switch decoder.next(input.span, &offset) {
            case .content(let range): body += input[range]
            case .needInput: return false
            case .end(let next):
                offset = next
                api.chunkedCount += 1
                finish()
                return true
            case .invalid: return false
            }
        }
    }

    private func finish() {
        head = nil
        guard api.earlyStatus == nil else { return }
        api.bodies.append(body)
        switch api.answer(body) {
        case .hold: api.held.append(self)
        case let answer: send(answer)
        }
    }

    func send(_ answer: ScriptedAnswer) {
        guard case .status(let status, let body) = answer else { return }
        let text =
            "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        let bytes = Array(text.utf8)
        stream?.write(bytes.span)
    }
}

/// Hands messages in, as a session does.
final class ScriptedSession: SubmissionOwner {
    var outcome: Outcome?
    var canContinue = false
    var pauses = 0

    func submissionCanContinue(_ submission: Submission) { canContinue = true }
    func submissionFinished(_ submission: Submission, _ outcome: Outcome) {
        self.outcome = outcome
    }
}

/// A loop with a worker and a scripted API.
final class SubmissionBench {
    let loop: Loop
    let api = ScriptedAPI()
    let worker: Worker
    private let listener: Listener
    private let key: APIKey
    private let watch = Watch()

    private final class Watch: TimerHandler {
        var hasFired = false
        override func timerFired(_ timer: LoopTimer) { hasFired = true }
    }

    init(
        temporaryBytesMax: Int = 1 << 30, home: any LedgerHome = MemoryLedger(),
        adjust: (inout Configuration) -> Void = { _ in }
    ) throws {
        loop = try Loop(index: 0, backend: testBackend)
        api.loop = loop
        listener = try Listener(
            loop: loop, address: SocketAddress("127.0.0.1:0")!, tls: nil, handler: api)
        let port = listener.address.port
        let endpoint = APIEndpoint(
            isTLS: false, host: "127.0.0.1", port: port, basePath: "",
            authority: "127.0.0.1:\(port)")
        var configuration = Configuration(
            hostname: "relay.test", listeners: [], loops: 1, api: APIOptions(endpoint: endpoint),
            memoryBudgetBytes: 1 << 28)
        configuration.api.timeoutMilliseconds = 20_000
        adjust(&configuration)
        let shared = Shared(
            configuration: configuration,
            serverTLS: try TLSContext.selfSignedServer(names: ["relay.test"]), clientTLS: nil,
            log: .silent(), ledgerHome: home)
        shared.temporary.open(folder: NSTemporaryDirectory(), bytesMax: temporaryBytesMax)
        worker = Worker(loop: loop, shared: shared)
        let bytes = Array("ps_live_test".utf8)
        key = APIKey(bytes.span)
    }

    /// Ends the loop with everything on it, and so frees it.
    deinit {
        loop.stop()
        loop.run()
    }

    /// When a message must have its outcome if its dot comes now.
    var deadline: MonotonicTime {
        loop.now.advanced(byMilliseconds: worker.configuration.api.timeoutMilliseconds)
    }

    /// Turns the loop until `condition` holds; false after some seconds.
    func wait(_ condition: () -> Bool) -> Bool {
        let timer = LoopTimer(loop: loop, handler: watch)
        watch.hasFired = false
        timer.arm(at: loop.now.advanced(byMilliseconds: 30_000))
        defer { timer.cancel() }
        while !condition() && !watch.hasFired { loop.tick() }
        return condition()
    }

    /// Lets time pass.
    func pause(milliseconds: Int) {
        let timer = LoopTimer(loop: loop, handler: watch)
        watch.hasFired = false
        timer.arm(at: loop.now.advanced(byMilliseconds: milliseconds))
        defer { timer.cancel() }
        while !watch.hasFired { loop.tick() }
    }

    /// A submission with its envelope.
    func submission(_ message: MappedMessage, _ session: ScriptedSession) -> Submission {
        // Making the message took time, and a loop knows the time of its last tick only.
        loop.later {}
        loop.tick()
        var envelope = Envelope()
        let sender = Array(message.sender.utf8)
        envelope.setSender(sender.span, isSMTPUTF8: false)
        for recipient in message.recipients {
            let address = Array(recipient.utf8)
            _ = envelope.addRecipient(address.span)
        }
        let account = worker.accounts.account(for: key)
        let inquiry = worker.ledger.inquire(account: account.shared.name, sender: sender.span)
        return Submission(
            worker: worker, envelope: envelope, inquiry: inquiry, key: key, account: account,
            owner: session, sessionID: 1)
    }

    /// Feeds all content and waits when told to; false when the outcome came first.
    /// - Parameter piece: the length of the next piece.
    func feed(
        _ content: [UInt8], to submission: Submission, _ session: ScriptedSession,
        piece: () -> Int = { 50_000 }
    ) -> Bool {
        var at = 0
        while at < content.count {
            let end = min(content.count, at + piece())
            switch submission.feed(content.span.extracting(at..<end)) {
            case .goOn: break
            case .decided: return false
            case .pause:
                session.pauses += 1
                session.canContinue = false
                guard wait({ session.canContinue }) else { return false }
            }
            at = end
        }
        return true
    }

    /// A whole message from MAIL to its outcome.
    func send(
        _ message: MappedMessage, unseen: Bool = false, session: ScriptedSession = ScriptedSession()
    ) -> Outcome? {
        let submission = submission(message, session)
        _ = feed(message.content, to: submission, session)
        var outcome = submission.finish(by: deadline)
        if outcome == nil {
            _ = wait { session.outcome != nil }
            outcome = session.outcome
        }
        if unseen { submission.replyUnseen() } else { submission.replySeen() }
        return outcome
    }

    /// Makes the API answer everything that it held back.
    func release(_ answer: ScriptedAnswer) {
        loop.later { [api] in api.release(answer) }
    }

    /// Whether nothing is left of any message.
    var isEmpty: Bool { worker.mappers.outstanding == 0 }
}
