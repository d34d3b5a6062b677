// Completions over epoll: every descriptor is watched once, edge-triggered, and each operation is
// tried before it is waited for (epoll(7)).
//
// An edge only sets a mark on the socket. Sockets that are ready for an operation wait in one
// queue; pulling a completion takes the first socket and makes one system call for it, so a busy
// peer waits in line with all others. One buffer receives for all sockets of the loop.

import CEpoll.System
import Glibc

/// The backend that every Linux has.
///
/// The calls that a small message makes often are inlined into the protocol's witness, so that a
/// call through `any Backend` is one indirect call, not two.
package final class EpollBackend: Backend {
    /// Edges taken from the kernel by one wait.
    private static let eventsMax = 512
    /// Slabs handed to one `sendmsg`.
    private static let gatherMax = 16
    /// Connections accepted between two waits, so that a flood of them leaves room for the others.
    private static let acceptsMax = 64
    private static let wakeUpBits = UInt64.max

    private let epoll: Int32
    private let receiveBuffer: UnsafeMutableRawPointer
    private let events: UnsafeMutablePointer<epoll_event>
    private let parts: UnsafeMutablePointer<iovec>
    private var sockets = SocketTable<EpollSocket>()
    private var ready = TokenQueue()
    /// Tokens in `ready` that belong to this batch; tokens queued after them wait for the next.
    private var batchCount = 0
    private var acceptsLeft = 0
    /// Descriptors of listening sockets that others have too.
    private var shared: Set<Int32> = []
    package private(set) var trouble = BackendTrouble(operation: "epoll_wait")

    /// - Throws: `SystemError` when the kernel refuses an epoll descriptor.
    package init() throws(SystemError) {
        epoll = cs_epoll_create()
        guard epoll >= 0 else { throw SystemError(operation: "epoll_create1", errno: -epoll) }
        receiveBuffer = .allocate(byteCount: Stream.receiveBytesMax, alignment: 64)
        events = .allocate(capacity: EpollBackend.eventsMax)
        parts = .allocate(capacity: EpollBackend.gatherMax)
    }

    deinit {
        Glibc.close(epoll)
        receiveBuffer.deallocate()
        events.deallocate()
        parts.deallocate()
    }

    @inline(__always)
    package func readClock() -> MonotonicTime { .readClock() }

    package func watch(wakeUp descriptor: Int32) throws(SystemError) {
        let status = cs_epoll_add_readable(epoll, descriptor, EpollBackend.wakeUpBits)
        guard status == 0 else { throw SystemError(operation: "epoll_ctl eventfd", errno: -status) }
    }

    package func localAddress(of descriptor: Int32) -> SocketAddress? {
        SocketCalls.localAddress(of: descriptor)
    }

    // MARK: Waiting

    @inline(__always)
    package func wait(milliseconds: Int32) {
        let count = cs_epoll_wait(
            epoll, events, Int32(EpollBackend.eventsMax), ready.isEmpty ? milliseconds : 0)
        if count < 0, count != -EINTR {
            trouble.errorCount += 1
            trouble.failureErrno = -count
        }
        var index = 0
        while index < count {
            note(events[index])
            index += 1
        }
        batchCount = ready.count
        acceptsLeft = EpollBackend.acceptsMax
    }

    /// Marks the socket of one edge, and queues it when that lets an operation go on.
    private func note(_ event: epoll_event) {
        guard event.data.u64 != EpollBackend.wakeUpBits else { return }
        let token = Token(bits: event.data.u64)
        guard let socket = sockets.find(token) else { return }
        let flags = event.events
        if flags & UInt32(CS_EPOLL_IN) != 0 { socket.pointee.marks.insert(.readable) }
        if flags & UInt32(CS_EPOLL_OUT) != 0 { socket.pointee.marks.insert(.writable) }
        if flags & UInt32(CS_EPOLL_ENDED) != 0 {
            socket.pointee.marks.formUnion([.readable, .ended])
            // A failed connection is also reported here; a send that waits learns its error.
            if flags & UInt32(CS_EPOLL_FAILED) != 0 {
                socket.pointee.marks.insert(.writable)
            }
        }
        queueIfDue(socket, token)
    }

    private func queueIfDue(_ socket: UnsafeMutablePointer<EpollSocket>, _ token: Token) {
        guard socket.pointee.isDue, !socket.pointee.marks.contains(.queued) else { return }
        socket.pointee.marks.insert(.queued)
        ready.append(token)
    }

    @inline(__always)
    package func next() -> Event? {
        while batchCount > 0 {
            batchCount -= 1
            let token = ready.popFirst()
            guard let socket = sockets.find(token) else { continue }
            socket.pointee.marks.remove(.queued)
            let completion = perform(socket)
            let isAccept = socket.pointee.marks.contains(.accepting)
            queueIfDue(socket, token)
            if isAccept, socket.pointee.marks.contains(.queued), acceptsLeft > 0 {
                acceptsLeft -= 1
                batchCount += 1
            }
            if let completion { return Event(token: token, completion: completion) }
        }
        return nil
    }

    /// The first operation that is due; nil when the kernel has changed its mind.
    private func perform(_ socket: UnsafeMutablePointer<EpollSocket>) -> Completion? {
        let marks = socket.pointee.marks
        if marks.isSuperset(of: [.connecting, .writable]) {
            socket.pointee.marks.remove(.connecting)
            return .connected(errno: cs_socket_error(socket.pointee.descriptor))
        }
        if marks.isSuperset(of: [.sending, .writable]) { return resumeSend(socket) }
        if marks.isSuperset(of: [.receiving, .readable]) { return receive(socket) }
        if marks.isSuperset(of: [.accepting, .readable]) { return accept(socket) }
        return nil
    }

    // MARK: Listening and connecting

    package func listen(
        on address: SocketAddress, backlog: Int, isShared: Bool, sendBufferBytes: Int?
    ) throws(SystemError) -> Int32 {
        try SocketCalls.listen(
            on: address, backlog: backlog, isShared: isShared, isBlocking: false,
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
        if let socket = sockets.find(token) {
            socket.pointee.marks.insert(.accepting)
            queueIfDue(socket, token)
        } else {
            let marks: EpollSocket.Marks =
                shared.contains(descriptor) ? [.accepting, .shared] : [.accepting]
            sockets.insert(EpollSocket(token: token, descriptor: descriptor, marks: marks))
            _ = cs_epoll_add_readable(epoll, descriptor, token.bits)
        }
    }

    package func stopAccepting(_ token: Token) {
        sockets.find(token)?.pointee.marks.remove(.accepting)
    }

    /// Every epoll that watches a socket is told of each connection.
    package var tellsOnlyOne: Bool { false }
    package func acceptOverlooked(_ token: Token) {}

    private func accept(_ socket: UnsafeMutablePointer<EpollSocket>) -> Completion? {
        var storage = sockaddr_storage()
        while true {
            let descriptor =
                socket.pointee.marks.contains(.shared)
                ? cs_accept_shared(socket.pointee.descriptor, &storage)
                : cs_accept(socket.pointee.descriptor, &storage)
            if descriptor >= 0 {
                return .accepted(
                    descriptor: descriptor, peer: SocketAddress(storage) ?? SocketAddress.none)
            }
            switch -descriptor {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EAGAIN:
                socket.pointee.marks.remove(.readable)
                return nil
            default:
                socket.pointee.marks.remove(.accepting)
                return .acceptFailed(errno: -descriptor)
            }
        }
    }

    package func adopt(_ descriptor: Int32, _ token: Token) -> Int32 {
        sockets.insert(EpollSocket(token: token, descriptor: descriptor, marks: []))
        return -cs_epoll_add(epoll, descriptor, token.bits)
    }

    package func connect(to address: SocketAddress, _ token: Token) -> Int32 {
        let descriptor = SocketCalls.makeStreamSocket(address.family, isBlocking: false)
        guard descriptor >= 0 else { return descriptor }
        var status = address.withSockaddr { cs_connect(descriptor, $0, $1) }
        if status == 0 || status == -EINPROGRESS {
            // A connection that is up at once is reported like any other, by its first edge.
            sockets.insert(EpollSocket(token: token, descriptor: descriptor, marks: [.connecting]))
            status = cs_epoll_add(epoll, descriptor, token.bits)
        }
        guard status == 0 else {
            sockets.remove(token)
            Glibc.close(descriptor)
            return status
        }
        return descriptor
    }

    // MARK: Moving bytes

    package func receive(_ token: Token) {
        guard let socket = sockets.find(token) else { return }
        socket.pointee.marks.insert(.receiving)
        queueIfDue(socket, token)
    }

    package func stopReceiving(_ token: Token) {
        sockets.find(token)?.pointee.marks.remove(.receiving)
    }

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

    package func limitReceives(_ token: Token, to byteCount: Int) {
        precondition(byteCount > 0 && byteCount <= Stream.receiveBytesMax)
        sockets.find(token)?.pointee.receiveBytesMax = Int32(byteCount)
    }

    private func receive(_ socket: UnsafeMutablePointer<EpollSocket>) -> Completion? {
        let most = Int(socket.pointee.receiveBytesMax)
        let count = cs_receive(socket.pointee.descriptor, receiveBuffer, most)
        if count > 0 {
            // A short read has emptied the socket: the next byte, or the end, is a new edge. When
            // the end has been announced already, there is none, and reading goes on to it.
            if count < most, !socket.pointee.marks.contains(.ended) {
                socket.pointee.marks.remove(.readable)
            }
            return .received(UnsafeRawBufferPointer(start: receiveBuffer, count: count))
        }
        switch -count {
        case Int(EINTR): return nil
        case Int(EAGAIN):
            socket.pointee.marks.remove(.readable)
            return nil
        case 0:
            socket.pointee.marks.remove(.receiving)
            return .received(UnsafeRawBufferPointer(start: receiveBuffer, count: 0))
        default:
            socket.pointee.marks.remove(.receiving)
            return .receiveFailed(errno: Int32(-count))
        }
    }

    @inline(__always)
    package func send(_ token: Token, first: Slab) -> SendOutcome {
        guard let socket = sockets.find(token) else { return .failed(errno: EBADF) }
        assert(!socket.pointee.marks.contains(.sending))
        let count = transmit(socket.pointee.descriptor, first)
        if count >= 0 { return .sent(byteCount: count) }
        guard -count == Int(EAGAIN) else { return .failed(errno: Int32(-count)) }
        socket.pointee.marks.remove(.writable)
        socket.pointee.marks.insert(.sending)
        socket.pointee.sending = first
        return .pending
    }

    private func resumeSend(_ socket: UnsafeMutablePointer<EpollSocket>) -> Completion? {
        guard let first = socket.pointee.sending else { return nil }
        let count = transmit(socket.pointee.descriptor, first)
        if -count == Int(EAGAIN) {
            socket.pointee.marks.remove(.writable)
            return nil
        }
        socket.pointee.marks.remove(.sending)
        socket.pointee.sending = nil
        return count >= 0 ? .sent(byteCount: count) : .sendFailed(errno: Int32(-count))
    }

    /// One system call for up to 16 slabs; bytes sent or a negative error number.
    private func transmit(_ descriptor: Int32, _ first: Slab) -> Int {
        var count = 0
        var cursor: Slab? = first
        while let slab = cursor, count < EpollBackend.gatherMax {
            parts[count] = iovec(iov_base: slab.payload + slab.start, iov_len: slab.count)
            count += 1
            cursor = slab.next
        }
        while true {
            let sent =
                count == 1
                ? cs_send(descriptor, parts[0].iov_base, parts[0].iov_len)
                : cs_send_gathered(descriptor, parts, Int32(count))
            if -sent != Int(EINTR) { return sent }
        }
    }

    // MARK: Ending

    package func shutDown(_ token: Token) {
        guard let socket = sockets.find(token) else { return }
        shutdown(socket.pointee.descriptor, Int32(SHUT_WR))
    }

    package func close(_ token: Token, withReset: Bool) -> Bool {
        guard let socket = sockets.find(token) else { return false }
        let descriptor = socket.pointee.descriptor
        if socket.pointee.marks.contains(.shared) { shared.remove(descriptor) }
        sockets.remove(token)
        if withReset { cs_set_reset_on_close(descriptor) }
        Glibc.close(descriptor)
        return false
    }

    package func discard(_ descriptor: Int32) { Glibc.close(descriptor) }
}

/// What the backend remembers of one socket.
private struct EpollSocket: SlotSocket {
    /// What is known and what is wanted, a bit each.
    struct Marks: OptionSet {
        let rawValue: UInt16
        /// The kernel has said that reading would not block, and nothing has shown otherwise.
        static let readable = Marks(rawValue: 1)
        /// The same for writing.
        static let writable = Marks(rawValue: 2)
        /// The end of the peer's bytes, or an error, has been announced.
        static let ended = Marks(rawValue: 4)
        /// `accept` is wanted.
        static let accepting = Marks(rawValue: 8)
        /// A connection is being made.
        static let connecting = Marks(rawValue: 16)
        /// `receive` is wanted.
        static let receiving = Marks(rawValue: 32)
        /// A send waits for room in the socket.
        static let sending = Marks(rawValue: 64)
        /// Stands in the queue of ready sockets.
        static let queued = Marks(rawValue: 128)
        /// A listening socket that others have too.
        static let shared = Marks(rawValue: 256)
    }

    static var nobody: EpollSocket {
        EpollSocket(token: Token(bits: .max), descriptor: -1, marks: [])
    }

    var token: Token
    var descriptor: Int32
    var marks: Marks
    /// Bytes received by one system call at most.
    var receiveBytesMax = Int32(Stream.receiveBytesMax)
    /// First slab of the send that waits.
    var sending: Slab?

    /// Whether something wanted can be done.
    var isDue: Bool {
        if marks.contains(.readable), !marks.isDisjoint(with: [.receiving, .accepting]) {
            return true
        }
        return marks.contains(.writable) && !marks.isDisjoint(with: [.sending, .connecting])
    }
}
