// A network in memory for one loop: clients whose bytes a fuzzer chooses, and an API whose answer
// depends on the name of the key. Time stands still until the fuzzer moves it. Nothing here is
// random.

import APIClient
import Reactor
import Wire

/// Moves bytes between the relay's streams and their simulated peers.
final class MemoryBackend: Backend {
    /// One connection, as its peer sees it.
    final class Peer {
        let descriptor: Int32
        fileprivate var token: Token?
        /// Bytes that the relay has to read; nil stands for our end.
        fileprivate var inbox: [[UInt8]?] = []
        fileprivate var isReceiving = false
        fileprivate var isAdopted = false
        fileprivate var wasReset = false
        /// What the relay has sent.
        fileprivate(set) var received: [UInt8] = []
        /// The relay has closed, or ended its side.
        fileprivate(set) var isEnded = false
        fileprivate let api: MemoryAPIConnection?

        fileprivate init(descriptor: Int32, api: MemoryAPIConnection?) {
            self.descriptor = descriptor
            self.api = api
        }
    }

    let api = MemoryAPI()
    private var time = MonotonicTime(nanoseconds: 1_000_000_000)
    private var peers: [Int32: Peer] = [:]
    private var byToken: [Token: Peer] = [:]
    private var listener: Token?
    private var events: [Event] = []
    private var nextDescriptor: Int32 = 100
    /// Holds the bytes of the last event.
    private let delivered = UnsafeMutableRawBufferPointer.allocate(
        byteCount: MemoryBackend.pieceBytesMax, alignment: 16)
    private static let pieceBytesMax = 65_536
    private static let address = SocketAddress("127.0.0.1:2525") ?? .none

    /// Whether the last batch had any event.
    private(set) var wasBusy = false

    deinit { delivered.deallocate() }

    // MARK: For the fuzzer

    func move(milliseconds: Int) { time = time.advanced(byMilliseconds: milliseconds) }

    /// A client connects, from the address with this last number.
    func connect(from host: Int) -> Peer {
        let peer = makePeer(api: nil)
        if let listener {
            let from = SocketAddress("192.0.2.\(host):4711") ?? .none
            events.append(
                Event(
                    token: listener,
                    completion: .accepted(descriptor: peer.descriptor, peer: from)))
        }
        return peer
    }

    func send(_ bytes: [UInt8], from peer: Peer) {
        var start = 0
        while start < bytes.count {
            let end = min(start + Self.pieceBytesMax, bytes.count)
            peer.inbox.append(Array(bytes[start..<end]))
            start = end
        }
    }

    /// The client ends its side, or resets.
    func end(_ peer: Peer, withReset: Bool) {
        peer.wasReset = peer.wasReset || withReset
        if !withReset { peer.inbox.append(nil) }
    }

    private func makePeer(api: MemoryAPIConnection?) -> Peer {
        nextDescriptor += 1
        let peer = Peer(descriptor: nextDescriptor, api: api)
        peers[nextDescriptor] = peer
        return peer
    }

    // MARK: Backend

    func readClock() -> MonotonicTime { time }
    func watch(wakeUp descriptor: Int32) throws(SystemError) {}
    func listen(
        on address: SocketAddress, backlog: Int, isShared: Bool, sendBufferBytes: Int?
    ) throws(SystemError) -> Int32 { 1 }
    func localAddress(of descriptor: Int32) -> SocketAddress? { Self.address }
    func accept(on descriptor: Int32, _ token: Token) { listener = token }
    func stopAccepting(_ token: Token) { listener = nil }
    var tellsOnlyOne: Bool { false }
    func acceptOverlooked(_ token: Token) {}
    func discard(_ descriptor: Int32) { peers.removeValue(forKey: descriptor)?.isEnded = true }

    func adopt(_ descriptor: Int32, _ token: Token) -> Int32 {
        guard let peer = peers[descriptor] else { return 9 }
        peer.token = token
        byToken[token] = peer
        return 0
    }

    func connect(to address: SocketAddress, _ token: Token) -> Int32 {
        let peer = makePeer(api: MemoryAPIConnection(api))
        peer.token = token
        byToken[token] = peer
        events.append(Event(token: token, completion: .connected(errno: 0)))
        return peer.descriptor
    }

    func receive(_ token: Token) { byToken[token]?.isReceiving = true }
    func unreadByteCount(_ token: Token) -> Int {
        byToken[token]?.inbox.reduce(0) { $0 + ($1?.count ?? 0) } ?? 0
    }

    func unacknowledgedByteCount(_ token: Token) -> Int {
        byToken[token].map { $0.wasReset ? .max : 0 } ?? .max
    }

    func stopReceiving(_ token: Token) { byToken[token]?.isReceiving = false }

    func send(_ token: Token, first: Slab) -> SendOutcome {
        guard let peer = byToken[token] else { return .failed(errno: 9) }
        if peer.wasReset { return .failed(errno: 104) }
        require(!peer.isEnded, "bytes after the end")
        let bytes = first.bytes.copied()
        guard let api = peer.api else {
            peer.received += bytes
            return .sent(byteCount: bytes.count)
        }
        switch api.take(bytes) {
        case .nothing: break
        case .answer(let answer): peer.inbox.append(answer)
        case .reset: peer.wasReset = true
        }
        return .sent(byteCount: bytes.count)
    }

    func shutDown(_ token: Token) { byToken[token]?.isEnded = true }

    func close(_ token: Token, withReset: Bool) -> Bool {
        if token == listener {
            listener = nil
            return false
        }
        guard let peer = byToken.removeValue(forKey: token) else { return false }
        peer.isEnded = true
        peers[peer.descriptor] = nil
        return false
    }

    /// This backend never waits: bytes are there at once, and the fuzzer moves the time.
    func wait(milliseconds: Int32) { wasBusy = false }

    func next() -> Event? {
        if !events.isEmpty {
            wasBusy = true
            return events.removeFirst()
        }
        // In the order of descriptors, so that a run can be repeated.
        let ready = byToken.values
            .filter { $0.isReceiving && (!$0.inbox.isEmpty || $0.wasReset) }
            .min { $0.descriptor < $1.descriptor }
        guard let ready, let token = ready.token else { return nil }
        wasBusy = true
        if ready.inbox.isEmpty {
            ready.isReceiving = false
            return Event(token: token, completion: .receiveFailed(errno: 104))
        }
        let bytes = ready.inbox.removeFirst() ?? []
        if bytes.isEmpty { ready.isReceiving = false }
        delivered.copyBytes(from: bytes)
        return Event(
            token: token,
            completion: .received(
                UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(delivered)[..<bytes.count]))
        )
    }
}

/// What the API received, and its answers for keys.
final class MemoryAPI {
    fileprivate(set) var acceptedCount = 0
    fileprivate(set) var checkedKeys: Set<[UInt8]> = []

    /// Prepares for the next input: what the relay knew about keys has expired.
    func forget() {
        acceptedCount = 0
        checkedKeys = []
    }
}

/// One connection to it.
final class MemoryAPIConnection {
    enum Outcome {
        case nothing, reset
        case answer([UInt8])
    }

    private let api: MemoryAPI
    private var reader = HTTPRequestReader()
    private var request: HTTPRequest?
    private var body: [UInt8] = []

    init(_ api: MemoryAPI) { self.api = api }

    func take(_ bytes: [UInt8]) -> Outcome {
        var offset = 0
        var answer: [UInt8] = []
        while true {
            switch reader.next(bytes.span, &offset) {
            case .needInput: return answer.isEmpty ? .nothing : .answer(answer)
            case .head(let head): request = head
            case .content(let range): body += bytes[range]
            case .invalid(_, let reason): fatalError("not HTTP: \(reason)")
            case .end:
                guard let text = finish() else { return .reset }
                answer += text
            }
        }
    }

    /// The answer to a whole request; nil for a reset.
    private func finish() -> [UInt8]? {
        guard let request, let key = request.bearerToken else {
            fatalError("a request without a key")
        }
        defer {
            self.request = nil
            body = []
        }
        let name = key.first ?? 0
        if request.method == "GET" {
            require(body.isEmpty && request.path == "/v1/emails", "not a key check")
            api.checkedKeys.insert(key)
            let status =
                switch name {
                case UInt8(ascii: "r"): 401
                case UInt8(ascii: "d"): 503
                default: 200
                }
            return response(status, #"{"emails":[],"total":0}"#)
        }
        require(request.method == "POST" && request.path == "/v1/send", "not a send")
        require(api.checkedKeys.contains(key), "a key that nobody has confirmed")
        require(!body.contains { $0 < 0x20 }, "a control in the JSON")
        requireJSON()
        switch name {
        case UInt8(ascii: "x"): return nil
        case UInt8(ascii: "l"): return response(401, #"{"error":"unauthorized"}"#)
        case UInt8(ascii: "t"):
            return response(429, #"{"error":"rate_limit_exceeded","retry_after_seconds":30}"#)
        case UInt8(ascii: "b"): return response(500, #"{"error":"internal"}"#)
        default:
            api.acceptedCount += 1
            return response(202, #"{"message_id":"id","status":"queued"}"#)
        }
    }

    private func requireJSON() {
        let body = body
        var reader = JSONReader()
        while true {
            switch reader.next(body.span) {
            case .end: return
            case .invalid(let at): fatalError("invalid JSON at byte \(at)")
            default: continue
            }
        }
    }

    private func response(_ status: Int, _ text: String) -> [UInt8] {
        Array(
            ("HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nContent-Length: "
                + "\(text.utf8.count)\r\n\r\n\(text)").utf8)
    }
}
