// Completions over io_uring (io_uring(7)). The submissions of one tick go to the kernel in the same
// call that waits for their completions, so a busy loop makes one system call per tick.
//
// Accept and receive are multishot: one submission, and a completion for each connection or piece.
// Received bytes lie in buffers that the kernel picks from a ring; each buffer is given back when
// the next completion is asked for. System calls move large amounts, in both directions. Sockets
// are blocking, because io_uring answers EAGAIN on other sockets instead of waiting. Memory given
// to `send` and a closed socket's slot belong to the kernel until every request on them has
// completed; `released` reports that.

import CEpoll.System
import CEpoll.Uring
import Glibc

/// The backend for kernels that allow io_uring (6.1 and newer).
package final class UringBackend: Backend {
    /// Bytes of one receive buffer: a small message and its framing. One connection can receive as
    /// much as all buffers together (half a megabyte) after a pause, before its request is
    /// cancelled.
    private static let bufferBytes: UInt32 = 8_192
    /// Receive buffers of the loop; a power of two.
    private static let bufferCount: UInt32 = 64
    private static let entries: UInt32 = 1_024
    /// Bytes received by one system call at most.
    private static let bulkBytesMax = 65_536
    /// Small bursts in a row that lead out of bulk mode.
    private static let smallBurstsMax = 8
    /// Most sends that wait for the end of a batch. More leave in its middle, so that in a long
    /// batch the first are not answered last.
    private static let sendsMax = 64
    private static let wakeUpData = UInt64.max

    private let ring: OpaquePointer
    private(set) var sockets = SocketTable<UringSocket>()
    /// Tokens of sockets that have something to deliver without a completion: pieces received while
    /// they were paused, or bytes that a system call will find.
    private var ready = TokenQueue()
    /// The buffer whose bytes the last completion showed; -1 for none.
    private var shownBuffer: Int32 = -1
    /// The copy whose bytes the last completion showed.
    private var shownCopy: UnsafeMutableRawPointer?
    private let parts: UnsafeMutablePointer<iovec>
    /// The bytes that a system call received last; untouched, and so without memory, until a socket
    /// enters bulk mode.
    private let bulkBuffer: UnsafeMutableRawPointer
    /// Sends that are not submitted to the kernel yet.
    private var unsubmittedSends = 0

    /// - Throws: `SystemError` when the kernel refuses io_uring, or lacks an operation.
    package init() throws(SystemError) {
        var ring: OpaquePointer?
        var operation: UnsafePointer<CChar>?
        let status = cu_open(
            &ring, UringBackend.entries, UringBackend.bufferCount, UringBackend.bufferBytes,
            &operation)
        guard status == 0, let ring else {
            throw UringBackend.error(operation, status)
        }
        self.ring = ring
        parts = .allocate(capacity: Int(CU_GATHER_MAX))
        bulkBuffer = .allocate(byteCount: UringBackend.bulkBytesMax, alignment: 64)
    }

    private static func error(
        _ operation: UnsafePointer<CChar>?, _ status: Int32
    ) -> SystemError {
        SystemError(
            operation: operation.map { String(cString: $0) } ?? "io_uring", errno: -status)
    }

    /// Tries every operation that this backend uses, once.
    /// - Throws: `SystemError` with the first that the kernel refuses. Not to be used afterwards.
    func tryOperations() throws(SystemError) {
        var operation: UnsafePointer<CChar>?
        let status = cu_try(ring, &operation)
        guard status == 0 else {
            throw UringBackend.error(operation, status)
        }
    }

    deinit {
        recycleShown()
        cu_close(ring)
        parts.deallocate()
        bulkBuffer.deallocate()
    }

    package func readClock() -> MonotonicTime { .readClock() }

    package func watch(wakeUp descriptor: Int32) throws(SystemError) {
        cu_poll_readable(ring, descriptor, UringBackend.wakeUpData)
        wakeUpDescriptor = descriptor
    }

    private var wakeUpDescriptor: Int32 = -1
    /// Descriptors of listening sockets that other processes or loops share.
    private var shared: Set<Int32> = []

    package func localAddress(of descriptor: Int32) -> SocketAddress? {
        SocketCalls.localAddress(of: descriptor)
    }

    // MARK: Waiting

    package func wait(milliseconds: Int32) {
        recycleShown()
        cu_wait(ring, ready.isEmpty ? milliseconds : 0)
        unsubmittedSends = 0
        batchCount = ready.count
    }

    /// Tokens in `ready` that belong to this batch; tokens queued after them wait for the next.
    private var batchCount = 0

    package func next() -> Event? {
        recycleShown()
        if unsubmittedSends >= UringBackend.sendsMax {
            cu_submit(ring)
            unsubmittedSends = 0
        }
        while batchCount > 0 {
            batchCount -= 1
            if let event = deliverQueued(ready.popFirst()) { return event }
        }
        var completion = cu_completion()
        while cu_next(ring, &completion) != 0 {
            if let event = handle(completion) { return event }
        }
        return nil
    }

    private func recycleShown() {
        if shownBuffer >= 0 {
            cu_recycle(ring, shownBuffer)
            shownBuffer = -1
        } else if let copy = shownCopy {
            copy.deallocate()
            shownCopy = nil
        }
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
            recycle(completion)
            if case .accept? = Operation(data: data), completion.result >= 0 {
                Glibc.close(completion.result)
            }
            return nil
        }
        let result: Completion?
        switch Operation(data: data) {
        case .accept: result = accepted(socket, completion)
        case .connect: result = connected(socket, completion)
        case .receive: result = received(socket, completion)
        case .send: result = sent(socket, completion)
        case .readable: result = becameReadable(socket)
        case nil: result = nil
        }
        if socket.pointee.isClosing {
            let isLast = socket.pointee.inFlight.isEmpty
            guard case .accepted? = result else { return isLast ? release(socket, token) : nil }
            if isLast { ready.append(token) }
        }
        return result.map { Event(token: token, completion: $0) }
    }

    private func recycle(_ completion: cu_completion) {
        if completion.buffer >= 0 { cu_recycle(ring, completion.buffer) }
    }

    // MARK: Accepting: multishot, and one connection at a time once there was no room

    package func listen(
        on address: SocketAddress, backlog: Int, isShared: Bool
    ) throws(SystemError) -> Int32 {
        try SocketCalls.listen(
            on: address, backlog: backlog, isShared: isShared, isBlocking: true)
    }

    package func share(_ inherited: Int32) throws(SystemError) -> Int32 {
        let descriptor = try SocketCalls.duplicate(inherited, isBlocking: true)
        shared.insert(descriptor)
        return descriptor
    }

    package func accept(on descriptor: Int32, _ token: Token) {
        if sockets.find(token) == nil {
            sockets.insert(UringSocket(token: token, descriptor: descriptor))
        }
        guard let socket = sockets.find(token) else { return }
        socket.pointee.isReceiving = true
        startAccepting(socket)
    }

    private func startAccepting(_ socket: UnsafeMutablePointer<UringSocket>) {
        guard !socket.pointee.inFlight.contains(.accept) else { return }
        socket.pointee.inFlight.insert(.accept)
        cu_accept(
            ring, socket.pointee.descriptor, socket.pointee.acceptsOneByOne ? 0 : 1,
            Operation.accept.data(socket.pointee.token))
    }

    package func stopAccepting(_ token: Token) {
        guard let socket = sockets.find(token) else { return }
        socket.pointee.isReceiving = false
        socket.pointee.acceptsOneByOne = true
        if socket.pointee.inFlight.contains(.accept) {
            cu_cancel(ring, Operation.accept.data(token))
        }
    }

    /// io_uring's accepts wait exclusively: the kernel tells only one of the processes and loops
    /// that share the socket. If that one cancels its accept at this moment, or dies, no other is
    /// told, and the client waits for its greeting until another client comes.
    package var tellsOnlyOne: Bool { true }

    /// Cancels the accept; an accept that begins again looks at the queue first.
    package func acceptOverlooked(_ token: Token) {
        guard let socket = sockets.find(token), socket.pointee.isReceiving,
            socket.pointee.inFlight.contains(.accept),
            cs_is_readable(socket.pointee.descriptor) != 0
        else { return }
        cu_cancel(ring, Operation.accept.data(token))
    }

    private func accepted(
        _ socket: UnsafeMutablePointer<UringSocket>, _ completion: cu_completion
    ) -> Completion? {
        if completion.has_more == 0 { socket.pointee.inFlight.remove(.accept) }
        let wantsMore = socket.pointee.isReceiving && !socket.pointee.isClosing
        guard completion.result >= 0 else {
            switch -completion.result {
            case ECANCELED, EINTR, ECONNABORTED, EPROTO, EAGAIN:
                if wantsMore { startAccepting(socket) }
                return nil
            default:
                socket.pointee.isReceiving = false
                return .acceptFailed(errno: -completion.result)
            }
        }
        // A connection that was accepted before `stopAccepting` or `close` took effect has a client
        // that waits.
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
            if socket.pointee.isReceiving { startReceiving(socket) }
        }
        return .connected(errno: errno)
    }

    // MARK: Receiving
    //
    // One multishot request per socket. A pause cancels the request, but pieces may still complete
    // until the cancellation does. They are copied and kept with the socket, so that paused sockets
    // never use up the ring's buffers.

    package func receive(_ token: Token) {
        guard let socket = sockets.find(token) else { return }
        socket.pointee.isReceiving = true
        if !socket.pointee.held.isEmpty {
            enqueue(socket)
        } else {
            startReceiving(socket)
        }
    }

    package func stopReceiving(_ token: Token) {
        guard let socket = sockets.find(token), socket.pointee.isReceiving else { return }
        socket.pointee.isReceiving = false
        if socket.pointee.inFlight.contains(.receive) {
            cu_cancel(ring, Operation.receive.data(token))
        }
    }

    package func unreadByteCount(_ token: Token) -> Int {
        guard let socket = sockets.find(token) else { return 0 }
        return socket.pointee.held.reduce(SocketCalls.unreadBytes(of: socket.pointee.descriptor)) {
            $0 + Int(max($1.result, 0))
        }
    }

    /// Makes the kernel receive, if it does not already.
    private func startReceiving(_ socket: UnsafeMutablePointer<UringSocket>) {
        // A receive that waits for the connection would swallow its error.
        let mustWait =
            socket.pointee.isClosing || socket.pointee.inFlight.contains(.connect)
            || socket.pointee.inFlight.contains(.receive)
        guard !mustWait else { return }
        guard !socket.pointee.isBulk else { return goOnInBulk(socket) }
        socket.pointee.inFlight.insert(.receive)
        cu_receive(ring, socket.pointee.descriptor, Operation.receive.data(socket.pointee.token))
    }

    private func received(
        _ socket: UnsafeMutablePointer<UringSocket>, _ completion: cu_completion
    ) -> Completion? {
        if completion.has_more == 0 { socket.pointee.inFlight.remove(.receive) }
        if socket.pointee.isClosing {
            recycle(completion)
            return nil
        }
        switch completion.result {
        case -ENOBUFS, Int32(UringBackend.bufferBytes): enterBulk(socket)
        default: break
        }
        switch completion.result {
        case -ECANCELED, -ENOBUFS, -EINTR, -EAGAIN:
            // Cancelled by a pause that is over, or for bulk mode, or out of buffers: continue.
            // Held pieces come first, or the socket would never catch up.
            if socket.pointee.isReceiving, socket.pointee.held.isEmpty { startReceiving(socket) }
            return nil
        default: break
        }
        guard socket.pointee.isReceiving, socket.pointee.held.isEmpty else {
            hold(completion, socket)
            return nil
        }
        guard completion.result > 0, completion.buffer >= 0 else {
            recycle(completion)
            return ended(completion.result, socket)
        }
        startReceiving(socket)
        shownBuffer = completion.buffer
        return .received(
            UnsafeRawBufferPointer(
                start: cu_buffer(ring, completion.buffer), count: Int(completion.result)))
    }

    /// The end of the peer's bytes, or an error.
    private func ended(
        _ result: Int32, _ socket: UnsafeMutablePointer<UringSocket>
    ) -> Completion {
        socket.pointee.isReceiving = false
        return result < 0
            ? .receiveFailed(errno: -result)
            : .received(UnsafeRawBufferPointer(start: parts, count: 0))
    }

    private func hold(_ completion: cu_completion, _ socket: UnsafeMutablePointer<UringSocket>) {
        var memory: UnsafeMutableRawPointer?
        if completion.result <= 0 {
            recycle(completion)
        } else if completion.buffer >= 0 {
            let copy = UnsafeMutableRawPointer.allocate(
                byteCount: Int(completion.result), alignment: 16)
            copy.copyMemory(
                from: cu_buffer(ring, completion.buffer), byteCount: Int(completion.result))
            memory = copy
            cu_recycle(ring, completion.buffer)
        }
        socket.pointee.held.append(HeldPiece(result: completion.result, memory: memory))
    }

    /// Queues the next piece for delivery in the next batch.
    private func enqueue(_ socket: UnsafeMutablePointer<UringSocket>) {
        guard !socket.pointee.isQueued else { return }
        socket.pointee.isQueued = true
        ready.append(socket.pointee.token)
    }

    /// The next piece of a socket from the queue.
    private func deliverQueued(_ token: Token) -> Event? {
        guard let socket = sockets.find(token) else { return nil }
        socket.pointee.isQueued = false
        // A closing listener, after the last connection that it accepted.
        if socket.pointee.isClosing, socket.pointee.inFlight.isEmpty {
            return release(socket, token)
        }
        guard !socket.pointee.isClosing, socket.pointee.isReceiving else { return nil }
        if !socket.pointee.held.isEmpty {
            return Event(token: token, completion: nextHeld(socket))
        }
        let isDue =
            socket.pointee.isBulk && socket.pointee.isReadable
            && !socket.pointee.inFlight.contains(.receive)
        guard isDue, let completion = receiveNow(socket) else { return nil }
        return Event(token: token, completion: completion)
    }

    /// The next piece that came while the socket was paused.
    private func nextHeld(_ socket: UnsafeMutablePointer<UringSocket>) -> Completion {
        let piece = socket.pointee.held.removeFirst()
        guard let memory = piece.memory else { return ended(piece.result, socket) }
        if socket.pointee.held.isEmpty {
            startReceiving(socket)
        } else {
            enqueue(socket)
        }
        shownCopy = memory
        return .received(UnsafeRawBufferPointer(start: memory, count: Int(piece.result)))
    }

    // MARK: Receiving in bulk
    //
    // System calls read a socket whose peer sends faster than we take it, 64 KiB at a time, into
    // one buffer that all sockets of the loop share.
    //
    // A multishot receive delivers a flood in pieces of one small buffer each, cuts most TLS
    // records in two, and walks through all its buffers, which no cache holds; and what it has
    // received stays with us, however long we pause. So when a piece fills its buffer, the request
    // is cancelled. The pieces that it still delivers are consumed in order, and reading continues
    // with recv(2). Only when recv(2) finds nothing does the kernel wait for the socket. Each
    // socket gets one piece per batch, so that a flood waits in line with all others. Several
    // bursts in a row that would fit into one small buffer lead back to the multishot receive; the
    // commands between two large messages do not.

    /// Notes that a multishot receive filled its buffer, or found none free.
    private func enterBulk(_ socket: UnsafeMutablePointer<UringSocket>) {
        guard !socket.pointee.isBulk else { return }
        socket.pointee.isBulk = true
        socket.pointee.isReadable = true
        socket.pointee.burstBytes = 0
        socket.pointee.smallBursts = 0
        if socket.pointee.inFlight.contains(.receive) {
            cu_cancel(ring, Operation.receive.data(socket.pointee.token))
        }
    }

    /// Reads in the next batch, or waits until there is something to read.
    private func goOnInBulk(_ socket: UnsafeMutablePointer<UringSocket>) {
        if socket.pointee.isReadable {
            enqueue(socket)
        } else if !socket.pointee.inFlight.contains(.readable) {
            socket.pointee.inFlight.insert(.readable)
            cu_poll_readable_once(
                ring, socket.pointee.descriptor, Operation.readable.data(socket.pointee.token))
        }
    }

    /// The wait of a socket in bulk mode is over.
    private func becameReadable(_ socket: UnsafeMutablePointer<UringSocket>) -> Completion? {
        socket.pointee.inFlight.remove(.readable)
        socket.pointee.isReadable = true
        let isWanted =
            socket.pointee.isReceiving && !socket.pointee.isClosing && socket.pointee.held.isEmpty
        return isWanted ? receiveNow(socket) : nil
    }

    /// One piece by a system call; nil when there is none yet.
    private func receiveNow(_ socket: UnsafeMutablePointer<UringSocket>) -> Completion? {
        let count = cu_receive_now(
            socket.pointee.descriptor, bulkBuffer, UringBackend.bulkBytesMax)
        switch count {
        case UringBackend.bulkBytesMax:
            socket.pointee.burstBytes += count
            enqueue(socket)
        case 1...: burstEnds(socket, count)
        case -Int(EAGAIN):
            socket.pointee.isReadable = false
            goOnInBulk(socket)
            return nil
        case -Int(EINTR):
            enqueue(socket)
            return nil
        default: return ended(Int32(truncatingIfNeeded: count), socket)
        }
        return .received(UnsafeRawBufferPointer(start: bulkBuffer, count: count))
    }

    /// A short read has emptied the socket.
    private func burstEnds(_ socket: UnsafeMutablePointer<UringSocket>, _ count: Int) {
        let isSmall = socket.pointee.burstBytes + count < Int(UringBackend.bufferBytes)
        socket.pointee.burstBytes = 0
        socket.pointee.smallBursts = isSmall ? socket.pointee.smallBursts + 1 : 0
        socket.pointee.isReadable = false
        socket.pointee.isBulk = socket.pointee.smallBursts < UringBackend.smallBurstsMax
        startReceiving(socket)
    }

    // MARK: Sending

    /// One slab leaves with the other sends of the tick. More than one slab is sent at once, so
    /// that memory that the kernel takes is free again while it is still in the cache.
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
        for piece in socket.pointee.held { piece.memory?.deallocate() }
        socket.pointee.held = []
        if withReset { cs_set_reset_on_close(socket.pointee.descriptor) }
        guard !socket.pointee.inFlight.isEmpty else {
            Glibc.close(socket.pointee.descriptor)
            sockets.remove(token)
            return false
        }
        if socket.pointee.inFlight.contains(.accept) {
            // Its descriptor closes a little later; from now on no client is accepted. A shared
            // socket continues elsewhere.
            if shared.remove(socket.pointee.descriptor) == nil {
                shutdown(socket.pointee.descriptor, Int32(SHUT_RDWR))
            }
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
enum Operation: UInt8 {
    case accept = 1
    case connect = 2
    case receive = 3
    case send = 4
    /// Waits for bytes without receiving them.
    case readable = 5

    init?(data: UInt64) { self.init(rawValue: UInt8(truncatingIfNeeded: data >> 56)) }

    /// User data of such a request on the socket of `token`.
    func data(_ token: Token) -> UInt64 { token.bits | UInt64(rawValue) << 56 }
}

/// Requests in flight on one socket, a bit each.
struct RequestSet {
    private var bits: UInt8 = 0

    var isEmpty: Bool { bits == 0 }
    func contains(_ operation: Operation) -> Bool { bits & 1 << operation.rawValue != 0 }
    mutating func insert(_ operation: Operation) { bits |= 1 << operation.rawValue }
    mutating func remove(_ operation: Operation) { bits &= ~(1 << operation.rawValue) }
}

/// What came while a socket was paused: bytes, the end (0), or a negative error number. The bytes
/// are a copy, so that paused sockets never use up the ring's buffers.
struct HeldPiece {
    let result: Int32
    /// `result` bytes, freed by the code that takes the piece; nil for the end and for errors.
    let memory: UnsafeMutableRawPointer?
}

/// One socket of the io_uring backend.
struct UringSocket: SlotSocket {
    static var nobody: UringSocket { UringSocket(token: Token(bits: .max), descriptor: -1) }

    var token: Token
    var descriptor: Int32
    var inFlight = RequestSet()
    /// `receive` (or `accept`) is wanted.
    var isReceiving = false
    /// Accepting was stopped once for lack of room. From then on one connection is accepted at a
    /// time, because a multishot accept takes all waiting connections before it can be stopped.
    var acceptsOneByOne = false
    /// `close` was called; requests are still in flight.
    var isClosing = false
    /// The socket is in the queue of those with something to deliver.
    var isQueued = false
    /// Receives by system calls as soon as the kernel has no receive of this socket in flight.
    var isBulk = false
    /// In bulk: a system call may find bytes, or the end, without waiting.
    var isReadable = false
    /// In bulk: bytes since the last wait for the socket.
    var burstBytes = 0
    /// In bulk: bursts since the last one that did not fit into a small buffer.
    var smallBursts = 0
    /// Received since `stopReceiving`; nearly always empty, and without memory of its own then.
    var held: [HeldPiece] = []
}
