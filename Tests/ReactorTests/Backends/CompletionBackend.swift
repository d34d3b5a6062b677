// A backend over epoll that behaves like a completion queue: no send completes at once, the memory
// of a send is read only when it completes, a closed stream is released a batch later, and bytes
// that come after a pause are kept until receiving continues.

@testable import Reactor

final class CompletionBackend: Backend {
    private struct PendingSend {
        var token: Token
        var first: Slab
        var isClosed = false
        /// The content of the slab when the send was asked for.
        var bytes: [UInt8]
    }

    private let inner: EpollBackend
    private var sends: [PendingSend] = []
    private var events: [Event] = []
    private var lateEvents: [(Token, [UInt8])] = []
    private var paused: Set<Token> = []
    private var late: [Token: [UInt8]] = [:]
    /// Holds the bytes of the last event made here.
    private var delivered: UnsafeMutableRawBufferPointer?
    /// Sends whose memory was changed before they completed.
    private(set) var spoiledCount = 0
    private(set) var releasedCount = 0
    private(set) var lateCount = 0

    /// Each wait for the kernel takes this long on this backend's clock, whatever the machine does; nil for the
    /// kernel's clock.
    private let waitMilliseconds: Int?
    private var waits = 0
    private let beganAt: MonotonicTime

    init(waitMilliseconds: Int? = nil) throws {
        inner = try EpollBackend()
        beganAt = inner.readClock()
        self.waitMilliseconds = waitMilliseconds
    }

    deinit { delivered?.deallocate() }

    func readClock() -> MonotonicTime {
        guard let waitMilliseconds else { return inner.readClock() }
        return beganAt.advanced(byMilliseconds: waits * waitMilliseconds)
    }
    func watch(wakeUp descriptor: Int32) throws(SystemError) {
        try inner.watch(wakeUp: descriptor)
    }
    func listen(
        on address: SocketAddress, backlog: Int, isShared: Bool, sendBufferBytes: Int?
    ) throws(SystemError) -> Int32 {
        try inner.listen(
            on: address, backlog: backlog, isShared: isShared, sendBufferBytes: sendBufferBytes)
    }
    func localAddress(of descriptor: Int32) -> SocketAddress? {
        inner.localAddress(of: descriptor)
    }
    func unacknowledgedByteCount(_ token: Token) -> Int {
        inner.unacknowledgedByteCount(token)
    }
    func unreadByteCount(_ token: Token) -> Int {
        inner.unreadByteCount(token) + (late[token]?.count ?? 0)
    }
    func accept(on descriptor: Int32, _ token: Token) { inner.accept(on: descriptor, token) }
    func stopAccepting(_ token: Token) { inner.stopAccepting(token) }
    var tellsOnlyOne: Bool { inner.tellsOnlyOne }
    func acceptOverlooked(_ token: Token) { inner.acceptOverlooked(token) }
    func adopt(_ descriptor: Int32, _ token: Token) -> Int32 { inner.adopt(descriptor, token) }
    func connect(to address: SocketAddress, _ token: Token) -> Int32 {
        inner.connect(to: address, token)
    }
    func shutDown(_ token: Token) { inner.shutDown(token) }
    func discard(_ descriptor: Int32) { inner.discard(descriptor) }

    func receive(_ token: Token) {
        paused.remove(token)
        if let bytes = late.removeValue(forKey: token) {
            lateCount += 1
            lateEvents.append((token, bytes))
        }
        inner.receive(token)
    }

    func stopReceiving(_ token: Token) { paused.insert(token) }

    func send(_ token: Token, first: Slab) -> SendOutcome {
        let bytes = Array(
            UnsafeBufferPointer(start: first.payload + first.start, count: first.count))
        sends.append(PendingSend(token: token, first: first, bytes: bytes))
        return .pending
    }

    func close(_ token: Token, withReset: Bool) -> Bool {
        _ = inner.close(token, withReset: withReset)
        paused.remove(token)
        late[token] = nil
        guard let index = sends.firstIndex(where: { $0.token == token }) else { return false }
        sends[index].isClosed = true
        return true
    }

    func wait(milliseconds: Int32) {
        let mayWait = sends.isEmpty && events.isEmpty && lateEvents.isEmpty
        if waitMilliseconds == nil {
            inner.wait(milliseconds: mayWait ? milliseconds : 0)
        } else {
            inner.wait(milliseconds: mayWait ? min(milliseconds, 1) : 0)
            if mayWait, milliseconds != 0 { waits += 1 }
        }
        let batch = sends
        sends = []
        for send in batch {
            let now = UnsafeBufferPointer(
                start: send.first.payload + send.first.start, count: send.bytes.count)
            if !now.elementsEqual(send.bytes) { spoiledCount += 1 }
            if send.isClosed {
                releasedCount += 1
                events.append(Event(token: send.token, completion: .released))
                continue
            }
            switch inner.send(send.token, first: send.first) {
            case .sent(let byteCount):
                events.append(Event(token: send.token, completion: .sent(byteCount: byteCount)))
            case .failed(let errno):
                events.append(Event(token: send.token, completion: .sendFailed(errno: errno)))
            case .pending: break  // Epoll itself completes it.
            }
        }
    }

    func next() -> Event? {
        if !events.isEmpty { return events.removeFirst() }
        if !lateEvents.isEmpty {
            let (token, bytes) = lateEvents.removeFirst()
            return received(bytes, token)
        }
        while let event = inner.next() {
            if case .received(let bytes) = event.completion, paused.contains(event.token) {
                late[event.token, default: []] += bytes
                if !bytes.isEmpty { inner.stopReceiving(event.token) }
                continue
            }
            return event
        }
        return nil
    }

    private func received(_ bytes: [UInt8], _ token: Token) -> Event {
        delivered?.deallocate()
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        memory.copyBytes(from: bytes)
        delivered = memory
        return Event(token: token, completion: .received(UnsafeRawBufferPointer(memory)))
    }
}
