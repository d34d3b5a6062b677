// An HTTP server that runs a script for each connection, on the loop and in the thread of the test.

import Reactor
import Wire

/// One connection as the scripted server sees it.
package final class ScriptedPeer: StreamHandler {
    package typealias Script = (ScriptedPeer) -> Void

    /// The number of this connection at the server, from 0.
    package let number: Int
    private let script: Script
    package private(set) var stream: Reactor.Stream?
    package private(set) var received: [UInt8] = []
    package private(set) var closeReason: CloseReason?
    /// For the script only.
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

    /// The complete requests so far.
    package private(set) var requests: [(head: String, body: [UInt8])] = []
    private var head: HTTPRequestHead?
    private var headText = ""
    private var decoder = ChunkedDecoder()
    private var body: [UInt8] = []
    /// How many bytes of `received` are read.
    private var offset = 0

    /// Reads every complete request; linear in the received bytes.
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
    /// More connections at a time are closed before their first byte.
    package var connectionsMax = Int.max

    package var address: SocketAddress { listener!.address }
    package var requestCount: Int { peers.reduce(0) { $0 + $1.requests.count } }

    package init(
        _ loop: Loop, at address: SocketAddress = SocketAddress("127.0.0.1:0")!,
        tls: TLSContext? = nil, script: @escaping ScriptedPeer.Script
    ) throws {
        self.script = script
        super.init()
        listener = try Listener(loop: loop, address: address, tls: tls, handler: self)
    }

    package override func accepted(
        _ address: SocketAddress, on listener: Listener
    ) -> StreamHandler? {
        guard peers.count(where: { $0.closeReason == nil }) < connectionsMax else { return nil }
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
