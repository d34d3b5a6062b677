// A loop with a pool and scripted servers, all in the thread of the test.

import APIClient
import Glibc
import Reactor
import Testing
import Wire

/// One connection as the scripted server sees it.
package final class ScriptedPeer: StreamHandler {
    package typealias Script = (ScriptedPeer) -> Void

    /// Which connection of the server it is, from 0.
    package let number: Int
    private let script: Script
    package private(set) var stream: Reactor.Stream?
    package private(set) var received: [UInt8] = []
    package private(set) var closeReason: CloseReason?
    /// For the script alone.
    package var step = 0

    package init(number: Int, script: @escaping Script) {
        self.number = number
        self.script = script
        super.init()
    }

    package override func streamOpened(_ stream: Reactor.Stream) {
        self.stream = stream
        script(self)
    }

    package override func streamReceived(_ stream: Reactor.Stream, _ bytes: Span<UInt8>) {
        received += bytes.copied()
        readRequests()
        script(self)
    }

    package override func streamClosed(_ stream: Reactor.Stream, _ reason: CloseReason) {
        closeReason = reason
        self.stream = nil
    }

    package func send(_ text: String) {
        let bytes = Array(text.utf8)
        stream?.write(bytes.span)
    }

    /// The requests that have come whole.
    package private(set) var requests: [(head: String, body: [UInt8])] = []
    private var head: HTTPRequestHead?
    private var headText = ""
    private var decoder = ChunkedDecoder()
    private var body: [UInt8] = []
    /// How much of `received` is read.
    private var offset = 0

    /// Reads whatever is complete; linear in what was received.
    private func readRequests() {
        while head != nil || readHead() {
            guard let head, readBody(head) else { return }
            requests.append((headText, body))
            self.head = nil
        }
    }

    private func readHead() -> Bool {
        let rest = Array(received[offset...])
        guard case .head(let next) = HTTPRequestHead.parse(rest.span) else { return false }
        headText = String(
            decoding: received[offset..<offset + next.headBytes], as: UTF8.self)
        offset += next.headBytes
        (head, decoder, body) = (next, ChunkedDecoder(), [])
        return true
    }

    private func readBody(_ head: HTTPRequestHead) -> Bool {
        switch head.framing {
        case .none: return true
        case .length(let count):
            guard received.count - offset >= count else { return false }
            body = Array(received[offset..<offset + count])
            offset += count
            return true
        case .chunked:
            while true {
                switch decoder.next(received.span, &offset) {
                case .content(let range): body += received[range]
                case .end: return true
                case .needInput, .invalid: return false
                }
            }
        case .untilClose: return false
        }
    }
}

/// A server that runs a script when a connection opens and when bytes come.
package final class ScriptedServer: ListenerHandler {
    package private(set) var peers: [ScriptedPeer] = []
    private var listener: Listener?
    private let script: ScriptedPeer.Script

    package var address: SocketAddress { listener!.address }
    package var requestCount: Int { peers.reduce(0) { $0 + $1.requests.count } }

    package init(_ loop: Loop, tls: TLSContext? = nil, script: @escaping ScriptedPeer.Script) throws
    {
        self.script = script
        super.init()
        listener = try Listener(
            loop: loop, address: SocketAddress("127.0.0.1:0")!, tls: tls, handler: self)
    }

    package override func accepted(
        _ address: SocketAddress, on listener: Listener
    ) -> StreamHandler? {
        let peer = ScriptedPeer(number: peers.count, script: script)
        peers.append(peer)
        return peer
    }

    package func close() { listener?.close() }

    /// Answers each whole request with 202 and its number.
    package static func accepting(_ peer: ScriptedPeer) {
        while peer.step < peer.requests.count {
            peer.step += 1
            let body = #"{"message_id":"m\#(peer.number)-\#(peer.step)"}"#
            peer.send(
                "HTTP/1.1 202 Accepted\r\nX-Request-ID: r\(peer.step)\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
    }
}

/// An owner that remembers.
package final class TestOwner: APICallOwner {
    package init() {}

    package private(set) var results: [APIResult] = []
    package private(set) var wants = 0
    package var onFinished: (APIResult) -> Void = { _ in }
    package var onWanted: (APICall) -> Void = { _ in }

    package func callWantsBody(_ call: APICall) {
        wants += 1
        onWanted(call)
    }

    package func callFinished(_ call: APICall, _ result: APIResult) {
        results.append(result)
        onFinished(result)
    }

    /// The result in a few words: "202 m0-1", "not sent", "uncertain".
    package var summary: [String] {
        results.map { result in
            switch result {
            case .response(let response):
                if case .accepted(let id) = response.outcome() {
                    "\(response.status) \(String(decoding: id, as: UTF8.self))"
                } else {
                    "\(response.status)"
                }
            case .notSent: "not sent"
            case .uncertain: "uncertain"
            }
        }
    }
}

/// A loop that the test turns by hand, and that does not let it wait for ever.
package final class Bench {
    package let loop: Loop
    private let patience = Patience()

    private final class Patience: TimerHandler {
        var isOver = false
        override func timerFired(_ timer: LoopTimer) { isOver = true }
    }

    package init() {
        loop = try! Loop(index: 0, backend: testBackend)
        LoopTimer(loop: loop, handler: patience)
            .arm(at: loop.now.advanced(byMilliseconds: 20_000))
    }

    /// Ends the loop with whatever is on it, and so frees it.
    deinit {
        loop.stop()
        loop.run()
    }

    /// Does `work` inside a tick, where calls to streams and to the pool belong.
    package func act(_ work: @escaping () -> Void) {
        loop.later(work)
        loop.tick()
    }

    /// Turns the loop until `condition` holds; false after 20 s of the test.
    @discardableResult
    package func turn(until condition: () -> Bool) -> Bool {
        while !condition() {
            if patience.isOver {
                Issue.record("waited for too long")
                return false
            }
            loop.tick()
        }
        return true
    }

    /// Turns the loop for a while, to see that something does not happen.
    package func turn(milliseconds: Int) {
        let end = MonotonicTime.readClock().advanced(byMilliseconds: milliseconds)
        let timer = LoopTimer(loop: loop, handler: TimerHandler())
        timer.arm(at: end)
        while MonotonicTime.readClock() < end { loop.tick() }
        timer.cancel()
    }

    package func pool(
        _ servers: [SocketAddress], tls: TLSContext? = nil,
        adjust: (inout APIOptions) -> Void = { _ in }
    ) -> ConnectionPool {
        var options = APIOptions.plain(port: servers.first?.port ?? 1)
        options.endpoint.isTLS = tls != nil
        adjust(&options)
        return ConnectionPool(
            loop: loop, options: options, tls: tls, log: .silent(), addresses: servers)
    }

    /// A send whose body is complete.
    package func send(
        _ content: [UInt8], to pool: ConnectionPool, owner: TestOwner, milliseconds: Int = 15_000
    ) -> APICall {
        let body = RequestBody(pool: loop.slabs)
        body.append(content.span)
        body.complete()
        let call = APICall(
            kind: .send, key: APIKey(text: "ps_test_k"), body: body, owner: owner,
            deadline: loop.now.advanced(byMilliseconds: milliseconds))
        pool.start(call)
        return call
    }

    /// A send whose body is still arriving.
    package func upload(to pool: ConnectionPool, owner: TestOwner) -> APICall {
        let call = APICall(
            kind: .send, key: APIKey(text: "ps_test_k"), body: RequestBody(pool: loop.slabs),
            owner: owner, deadline: .never)
        pool.start(call)
        return call
    }
}

/// A file for the length of a test.
package enum TemporaryFile {
    package static func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "w") else { throw Failure() }
        defer { fclose(file) }
        guard fputs(text, file) >= 0 else { throw Failure() }
    }

    package static func remove(_ path: String) { unlink(path) }

    package struct Failure: Error {}
}
