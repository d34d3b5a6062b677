// Completions over io_uring (io_uring(7)): the submissions of one tick go to the kernel in the same
// call that waits for their completions, so a busy loop makes one system call for them per tick.
//
// There is one way of receiving, as over epoll: a multishot poll says when a socket has bytes, and
// recv(2) reads them, up to 128 KiB at a time, into one buffer that all sockets of the loop share.
// So a paused socket keeps nothing here, and a flood waits in line with everyone else. Sockets are
// blocking ones, because io_uring answers EAGAIN for others instead of waiting. A listening socket that
// others have too stays as it is: a poll says when to accept from it. Memory given to `send` and a
// closed socket's slot are the kernel's until every request on them has completed: that is what
// `released` says.

import CEpoll.System
import CEpoll.Uring
import Glibc

/// The backend for kernels that allow io_uring (6.1 and newer).
package final class UringBackend: Backend {
    private static let entries: UInt32 = 1_024
    /// Sends that wait for the end of a batch at most; then they leave in its middle, so that in a
    /// long batch the first are not answered last.
    private static let sendsMax = 64
    private static let wakeUpData = UInt64.max

    private let ring: OpaquePointer
    private let receiveBuffer: UnsafeMutableRawPointer
    private let parts: UnsafeMutablePointer<iovec>
    private var sockets = SocketTable<UringSocket>()
    /// Tokens of sockets that have something to do without a completion, mostly to receive.
    private var ready = TokenQueue()
    /// Tokens in `ready` that belong to this batch; what is queued after them waits for the next.
    private var batchCount = 0
    /// Sends that the kernel has not been told of.
    private var unsubmittedSends = 0
    private var wakeUpDescriptor: Int32 = -1
    /// Descriptors of listening sockets that others have too.
    private var shared: Set<Int32> = []

    /// - Throws: `SystemError` when the kernel refuses io_uring, or is too old for what is used here.
    package init() throws(SystemError) {
        var ring: OpaquePointer?
        var operation: UnsafePointer<CChar>?
        let status = cu_open(&ring, UringBackend.entries, &operation)
        guard status == 0, let ring else { throw UringBackend.error(operation, status) }
        self.ring = ring
        receiveBuffer = .allocate(byteCount: Stream.receiveBytesMax, alignment: 64)
        parts = .allocate(capacity: Int(CU_GATHER_MAX))
    }

    private static func error(
        _ operation: UnsafePointer<CChar>?, _ status: Int32
    ) -> SystemError {
        SystemError(
            operation: operation.map { String(cString: $0) } ?? "io_uring", errno: -status)
    }

    /// Tries every operation that is used here, once.
    /// - Throws: `SystemError` with the first that the kernel refuses. Not to be used afterwards.
    func tryOperations() throws(SystemError) {
        var operation: UnsafePointer<CChar>?
        let status = cu_try(ring, &operation)
        guard status == 0 else { throw UringBackend.error(operation, status) }
    }

    deinit {
        cu_close(ring)
        receiveBuffer.deallocate()
        parts.deallocate()
    }

    package func readClock() -> MonotonicTime { .readClock() }

    package func watch(wakeUp descriptor: Int32) throws(SystemError) {
        cu_poll_readable(ring, descriptor, UringBackend.wakeUpData)
        wakeUpDescriptor = descriptor
    }

    package func localAddress(of descriptor: Int32) -> SocketAddress? {
        SocketCalls.localAddress(of: descriptor)
    }

    // MARK: Waiting

    package func wait(milliseconds: Int32) {
        cu_wait(ring, ready.isEmpty ? milliseconds : 0)
        unsubmittedSends = 0
        batchCount = ready.count
    }

    package func next() -> Event? {
        if unsubmittedSends >= UringBackend.sendsMax {
            cu_submit(ring)
            unsubmittedSends = 0
        }
        while batchCount > 0 {
            batchCount -= 1
            if let event = perform(ready.popFirst()) { return event }
        }
        var completion = cu_completion()
        while cu_next(ring, &completion) != 0 {
            if let event = handle(completion) { return event }
        }
        return nil
    }

    package var trouble: BackendTrouble {
        BackendTrouble(
            operation: "io_uring_enter", errorCount: Int(cu_error_count(ring)),
            failureErrno: -cu_failure(ring))
    }

    /// Does what a socket stood in the queue for.
    private func perform(_ token: Token) -> Event? {
        guard let socket = sockets.find(token) else { return nil }
        socket.pointee.isQueued = false
        if socket.pointee.isClosing {
            // A listener, after the last connection that it let in.
            return socket.pointee.inFlight.isEmpty ? release(socket, token) : nil
        }
        guard socket.pointee.isDue else { return nil }
        return receive(socket).map { Event(token: token, completion: $0) }
    }

    private func enqueue(_ socket: UnsafeMutablePointer<UringSocket>) {
        guard !socket.pointee.isQueued else { return }
        socket.pointee.isQueued = true
        ready.append(socket.pointee.token)
    }

    private func handle(_ completion: cu_completion) -> Event? {
        let data = completion.user_data
        if data == UringBackend.wakeUpData {
            if completion.has_more == 0 {
                cu_poll_readable(ring, wakeUpDescriptor, UringBackend.wakeUpData)
            }
            return nil
        }
        guard data != 0 else { return nil }
        let token = Token(bits: data & 0x00FF_FFFF_FFFF_FFFF)
        guard let socket = sockets.find(token) else {
            if case .accept? = Operation(data: data), completion.result >= 0 {
                Glibc.close(completion.result)
            }
            return nil
        }
        let result: Completion?
        switch Operation(data: data) {
        case .accept: result = accepted(socket, completion)
        case .incoming: result = incoming(socket, completion)
        case .connect: result = connected(socket, completion)
        case .poll: result = becameReadable(socket, completion)
        case .send: result = sent(socket, completion)
        case nil: result = nil
        }
        if socket.pointee.isClosing {
            let isLast = socket.pointee.inFlight.isEmpty
            guard case .accepted? = result else { return isLast ? release(socket, token) : nil }
            if isLast { enqueue(socket) }
        }
        return result.map { Event(token: token, completion: $0) }
    }

    // MARK: Accepting: multishot, and one connection at a time once there was no room

    package func listen(
        on address: SocketAddress, backlog: Int, isShared: Bool, sendBufferBytes: Int?
    ) throws(SystemError) -> Int32 {
        try SocketCalls.listen(
            on: address, backlog: backlog, isShared: isShared, isBlocking: true,
            sendBufferBytes: sendBufferBytes)
    }

    package func share(_ inherited: Int32) throws(SystemError) -> Int32 {
        let descriptor = try SocketCalls.duplicate(inherited)
        shared.insert(descriptor)
        return descriptor
    }

    package func setOptions(ofAccepted descriptor: Int32, sendBufferBytes: Int?) {
        SocketCalls.setOptions(ofAccepted: descriptor, sendBufferBytes: sendBufferBytes)
    }

    package func accept(on descriptor: Int32, _ token: Token) {
        if sockets.find(token) == nil {
            sockets.insert(UringSocket(token: token, descriptor: descriptor))
        }
        guard let socket = sockets.find(token) else { return }
        socket.pointee.isShared = shared.contains(descriptor)
        socket.pointee.isWanted = true
        startAccepting(socket)
    }

    private func startAccepting(_ socket: UnsafeMutablePointer<UringSocket>) {
        let inFlight = socket.pointee.inFlight
        guard !inFlight.contains(.accept), !inFlight.contains(.incoming) else { return }
        guard !socket.pointee.isShared else { return awaitIncoming(socket) }
        socket.pointee.inFlight.insert(.accept)
        cu_accept(
            ring, socket.pointee.descriptor, socket.pointee.acceptsOneByOne ? 0 : 1,
            Operation.accept.data(socket.pointee.token))
    }

    /// A shared socket may have O_NONBLOCK, and that is not ours to change. io_uring does not wait
    /// on it then, so a poll waits, and an accept follows. If another process was faster, the accept
    /// completes with EAGAIN, or waits for the next connection.
    private func awaitIncoming(_ socket: UnsafeMutablePointer<UringSocket>) {
        socket.pointee.inFlight.insert(.incoming)
        cu_poll_incoming(
            ring, socket.pointee.descriptor, Operation.incoming.data(socket.pointee.token))
    }

    private func incoming(
        _ socket: UnsafeMutablePointer<UringSocket>, _ completion: cu_completion
    ) -> Completion? {
        socket.pointee.inFlight.remove(.incoming)
        guard socket.pointee.isWanted, !socket.pointee.isClosing else { return nil }
        guard completion.result >= 0 else {
            if completion.result != -ECANCELED {
                socket.pointee.isWanted = false
                return .acceptFailed(errno: -completion.result)
            }
            startAccepting(socket)
            return nil
        }
        socket.pointee.inFlight.insert(.accept)
        cu_accept(
            ring, socket.pointee.descriptor, 0, Operation.accept.data(socket.pointee.token))
        return nil
    }

    package func stopAccepting(_ token: Token) {
        guard let socket = sockets.find(token) else { return }
        socket.pointee.isWanted = false
        socket.pointee.acceptsOneByOne = true
        for operation in [Operation.accept, .incoming]
        where socket.pointee.inFlight.contains(operation) {
            cu_cancel(ring, operation.data(token))
        }
    }

    /// io_uring's accepts wait exclusively: the kernel tells one of all processes and loops that
    /// share the socket. If that one cancels its accept at this moment, or dies, nobody is told, and
    /// the client waits for its greeting until another client comes.
    package var tellsOnlyOne: Bool { true }

    /// A cancelled accept begins again by looking.
    package func acceptOverlooked(_ token: Token) {
        guard let socket = sockets.find(token), socket.pointee.isWanted,
            socket.pointee.inFlight.contains(.accept),
            cs_is_readable(socket.pointee.descriptor) != 0
        else { return }
        cu_cancel(ring, Operation.accept.data(token))
    }

    private func accepted(
        _ socket: UnsafeMutablePointer<UringSocket>, _ completion: cu_completion
    ) -> Completion? {
        if completion.has_more == 0 { socket.pointee.inFlight.remove(.accept) }
        let wantsMore = socket.pointee.isWanted && !socket.pointee.isClosing
        guard completion.result >= 0 else {
            switch -completion.result {
            case ECANCELED, EINTR, ECONNABORTED, EPROTO, EAGAIN:
                if wantsMore { startAccepting(socket) }
                return nil
            default:
                socket.pointee.isWanted = false
                return .acceptFailed(errno: -completion.result)
            }
        }
        // One that was accepted before `stopAccepting` or `close` came through is somebody's client.
        if completion.has_more == 0, wantsMore { startAccepting(socket) }
        var storage = sockaddr_storage()
        _ = cu_peer_address(completion.result, &storage)
        return .accepted(
            descriptor: completion.result, peer: SocketAddress(storage) ?? SocketAddress.none)
    }

    // MARK: Connecting

    package func adopt(_ descriptor: Int32, _ token: Token) -> Int32 {
        sockets.insert(UringSocket(token: token, descriptor: descriptor))
        return 0
    }

    package func connect(to address: SocketAddress, _ token: Token) -> Int32 {
        let descriptor = SocketCalls.makeStreamSocket(address.family, isBlocking: false)
        guard descriptor >= 0 else { return descriptor }
        let status = address.withSockaddr { cs_connect(descriptor, $0, $1) }
        guard status == 0 || status == -EINPROGRESS else {
            Glibc.close(descriptor)
            return status
        }
        sockets.insert(UringSocket(token: token, descriptor: descriptor))
        sockets.find(token)?.pointee.inFlight.insert(.connect)
        cu_poll_writable(ring, descriptor, Operation.connect.data(token))
        return descriptor
    }

    private func connected(
        _ socket: UnsafeMutablePointer<UringSocket>, _ completion: cu_completion
    ) -> Completion {
        socket.pointee.inFlight.remove(.connect)
        guard completion.result >= 0 else { return .connected(errno: -completion.result) }
        let errno = cs_socket_error(socket.pointee.descriptor)
        if errno == 0 {
            cs_set_blocking(socket.pointee.descriptor)
            if socket.pointee.isWanted { awaitBytes(socket) }
        }
        return .connected(errno: errno)
    }

    // MARK: Receiving

    package func receive(_ token: Token) {
        guard let socket = sockets.find(token) else { return }
        socket.pointee.isWanted = true
        if socket.pointee.isReadable { enqueue(socket) } else { awaitBytes(socket) }
    }

    package func limitReceives(_ token: Token, to byteCount: Int) {
        precondition(byteCount > 0 && byteCount <= Stream.receiveBytesMax)
        sockets.find(token)?.pointee.receiveBytesMax = Int32(byteCount)
    }

    package func stopReceiving(_ token: Token) { sockets.find(token)?.pointee.isWanted = false }

    package func unreadByteCount(_ token: Token) -> Int {
        guard let socket = sockets.find(token) else { return 0 }
        return SocketCalls.unreadBytes(of: socket.pointee.descriptor)
    }

    package func unacknowledgedByteCount(_ token: Token) -> Int {
        guard let socket = sockets.find(token) else { return .max }
        return SocketCalls.unacknowledgedBytes(of: socket.pointee.descriptor)
    }

    package func acknowledge(_ token: Token) {
        guard let socket = sockets.find(token) else { return }
        cs_acknowledge_now(socket.pointee.descriptor)
    }

    /// Has the kernel say when there is something to read, once for all: the poll stays until the
    /// socket is closed, and completes for each piece that arrives.
    private func awaitBytes(_ socket: UnsafeMutablePointer<UringSocket>) {
        // A poll before the connection is up would complete at once, with a hang-up.
        let mustWait =
            socket.pointee.isClosing || socket.pointee.inFlight.contains(.connect)
            || socket.pointee.inFlight.contains(.poll)
        guard !mustWait else { return }
        socket.pointee.inFlight.insert(.poll)
        cu_poll_readable(
            ring, socket.pointee.descriptor, Operation.poll.data(socket.pointee.token))
    }

    /// Something has arrived, or has ended.
    private func becameReadable(
        _ socket: UnsafeMutablePointer<UringSocket>, _ completion: cu_completion
    ) -> Completion? {
        if completion.has_more == 0 { socket.pointee.inFlight.remove(.poll) }
        guard !socket.pointee.isClosing else { return nil }
        socket.pointee.isReadable = true
        if completion.result < 0 || completion.result & Int32(CU_POLL_ENDED) != 0 {
            socket.pointee.hasEnded = true
        }
        return socket.pointee.isWanted && !socket.pointee.isQueued ? receive(socket) : nil
    }

    /// One piece; nil when there is none yet.
    private func receive(_ socket: UnsafeMutablePointer<UringSocket>) -> Completion? {
        let most = Int(socket.pointee.receiveBytesMax)
        let count = cu_receive_now(socket.pointee.descriptor, receiveBuffer, most)
        switch count {
        case 1...:
            // A short read has emptied the socket: the next byte, or the end, completes the poll
            // again. When the end has been announced already, reading goes on to it.
            if count == most || socket.pointee.hasEnded {
                enqueue(socket)
            } else {
                socket.pointee.isReadable = false
                awaitBytes(socket)
            }
        case -Int(EAGAIN):
            socket.pointee.isReadable = false
            awaitBytes(socket)
            return nil
        case -Int(EINTR):
            enqueue(socket)
            return nil
        case 0: socket.pointee.isWanted = false
        default:
            socket.pointee.isWanted = false
            return .receiveFailed(errno: Int32(-count))
        }
        return .received(UnsafeRawBufferPointer(start: receiveBuffer, count: count))
    }

    // MARK: Sending

    /// One slab leaves with the other sends of the tick. More is bulk, and tried at once, so that
    /// what the kernel takes is free again while the cache still holds it.
    package func send(_ token: Token, first: Slab) -> SendOutcome {
        guard let socket = sockets.find(token) else { return .failed(errno: EBADF) }
        let data = Operation.send.data(token)
        if first.next == nil {
            cu_send(
                ring, socket.pointee.descriptor, first.payload + first.start,
                UInt32(first.count), data)
        } else {
            let count = gather(first)
            let sent = cu_send_now(socket.pointee.descriptor, parts, count)
            if sent >= 0 { return .sent(byteCount: sent) }
            guard -sent == Int(EAGAIN) else { return .failed(errno: Int32(-sent)) }
            cu_send_gathered(ring, socket.pointee.descriptor, parts, count, data)
        }
        socket.pointee.inFlight.insert(.send)
        unsubmittedSends += 1
        return .pending
    }

    /// Lists slabs in `parts`; returns how many.
    private func gather(_ first: Slab) -> UInt32 {
        var count = 0
        var cursor: Slab? = first
        while let slab = cursor, count < Int(CU_GATHER_MAX) {
            parts[count] = iovec(iov_base: slab.payload + slab.start, iov_len: slab.count)
            count += 1
            cursor = slab.next
        }
        return UInt32(count)
    }

    private func sent(
        _ socket: UnsafeMutablePointer<UringSocket>, _ completion: cu_completion
    ) -> Completion {
        socket.pointee.inFlight.remove(.send)
        return completion.result >= 0
            ? .sent(byteCount: Int(completion.result)) : .sendFailed(errno: -completion.result)
    }

    // MARK: Ending

    package func shutDown(_ token: Token) {
        guard let socket = sockets.find(token) else { return }
        shutdown(socket.pointee.descriptor, Int32(SHUT_WR))
    }

    package func close(_ token: Token, withReset: Bool) -> Bool {
        guard let socket = sockets.find(token) else { return false }
        if withReset { cs_set_reset_on_close(socket.pointee.descriptor) }
        if socket.pointee.isShared { shared.remove(socket.pointee.descriptor) }
        guard !socket.pointee.inFlight.isEmpty else {
            Glibc.close(socket.pointee.descriptor)
            sockets.remove(token)
            return false
        }
        if socket.pointee.inFlight.contains(.accept), !socket.pointee.isShared {
            // Its descriptor closes a little later; from now on nobody is let in. A shared socket
            // goes on elsewhere.
            shutdown(socket.pointee.descriptor, Int32(SHUT_RDWR))
        }
        socket.pointee.isClosing = true
        cu_cancel_all(ring, socket.pointee.descriptor)
        return true
    }

    /// The last request of a closing socket has completed.
    private func release(_ socket: UnsafeMutablePointer<UringSocket>, _ token: Token) -> Event {
        Glibc.close(socket.pointee.descriptor)
        sockets.remove(token)
        return Event(token: token, completion: .released)
    }

    package func discard(_ descriptor: Int32) { Glibc.close(descriptor) }
}

/// The kinds of requests, as the upper byte of their user data; never 0.
private enum Operation: UInt8 {
    case accept = 1
    case connect = 2
    case poll = 3
    case send = 4
    /// A listening socket has a connection.
    case incoming = 5

    init?(data: UInt64) { self.init(rawValue: UInt8(truncatingIfNeeded: data >> 56)) }

    /// User data of such a request on the socket of `token`.
    func data(_ token: Token) -> UInt64 { token.bits | UInt64(rawValue) << 56 }
}

/// Requests in flight on one socket, a bit each.
private struct RequestSet {
    private var bits: UInt8 = 0

    var isEmpty: Bool { bits == 0 }
    func contains(_ operation: Operation) -> Bool { bits & 1 << operation.rawValue != 0 }
    mutating func insert(_ operation: Operation) { bits |= 1 << operation.rawValue }
    mutating func remove(_ operation: Operation) { bits &= ~(1 << operation.rawValue) }
}

/// What the backend remembers of one socket.
private struct UringSocket: SlotSocket {
    static var nobody: UringSocket { UringSocket(token: Token(bits: .max), descriptor: -1) }

    var token: Token
    var descriptor: Int32
    var inFlight = RequestSet()
    /// `receive` (or `accept`) is wanted.
    var isWanted = false
    /// A system call may find bytes, or the end, without waiting.
    var isReadable = false
    /// The end of the peer's bytes, or an error, has been announced.
    var hasEnded = false
    /// Accepting was stopped once, for lack of room: from then on one connection is accepted at a
    /// time, because a multishot accept takes all that wait before anybody can stop it.
    var acceptsOneByOne = false
    /// A listening socket that others have too.
    var isShared = false
    /// Bytes received by one system call at most.
    var receiveBytesMax = Int32(Stream.receiveBytesMax)
    /// `close` was called; requests are still in flight.
    var isClosing = false
    /// Stands in the queue of those with something to do.
    var isQueued = false

    /// A read may bring something that is wanted.
    var isDue: Bool { isWanted && isReadable }
}
