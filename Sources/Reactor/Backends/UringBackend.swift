// Completions over io_uring (io_uring(7)): submissions of one tick go to the kernel in the same call
// that waits for their completions, so a busy loop makes one system call a tick.
//
// Accept and receive are multishot: one submission, a completion for each connection or piece.
// Received bytes lie in buffers that the kernel picks from a ring; each is given back when the next
// completion is asked for. Much at a time is moved by system calls, both ways. Sockets are blocking ones, because io_uring answers EAGAIN for others
// instead of waiting. Memory given to `send` and a closed socket's slot are the kernel's until every
// request on them has completed: that is what `released` says.

import CEpoll.System
import CEpoll.Uring
import Glibc

/// The backend for kernels that allow io_uring (6.1 and newer).
package final class UringBackend: Backend {
    /// Bytes of one receive buffer: a small message and its framing. All of them together, half a
    /// megabyte, are what one connection can be sent behind a pause before its request is cancelled.
    static let bufferBytes: UInt32 = 8_192
    /// Receive buffers of the loop; a power of two.
    private static let bufferCount: UInt32 = 64
    private static let entries: UInt32 = 1_024
    /// Sends that wait for the end of a batch at most; then they leave in its middle, so that in a
    /// long batch the first are not answered last.
    private static let sendsMax = 64
    private static let wakeUpData = UInt64.max

    let ring: OpaquePointer
    var sockets = SocketTable<UringSocket>()
    /// Tokens of sockets that have something to deliver without a completion: pieces received while
    /// they were paused, or what a system call will find.
    var ready = TokenQueue()
    /// The buffer whose bytes the last completion showed; -1 for none.
    var shownBuffer: Int32 = -1
    /// The copy whose bytes the last completion showed.
    var shownCopy: UnsafeMutableRawPointer?
    let parts: UnsafeMutablePointer<iovec>
    /// What a system call has received last; untouched, and so without memory, until there is bulk.
    let bulkBuffer: UnsafeMutableRawPointer
    /// Sends that the kernel has not been told of.
    private var unsubmittedSends = 0

    /// - Throws: `SystemError` when the kernel refuses io_uring, or is too old for what is used here.
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

    /// Tries every operation that is used here, once.
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
    /// Descriptors of listening sockets that others have too.
    var shared: Set<Int32> = []

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

    /// Tokens in `ready` that belong to this batch; what is queued behind them waits for the next.
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

    func recycle(_ completion: cu_completion) {
        if completion.buffer >= 0 { cu_recycle(ring, completion.buffer) }
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

    // MARK: Moving bytes

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
        for piece in socket.pointee.held { piece.memory?.deallocate() }
        socket.pointee.held = []
        if withReset { cs_set_reset_on_close(socket.pointee.descriptor) }
        guard !socket.pointee.inFlight.isEmpty else {
            Glibc.close(socket.pointee.descriptor)
            sockets.remove(token)
            return false
        }
        if socket.pointee.inFlight.contains(.accept) {
            // Its descriptor closes a little later; from now on nobody is let in. A shared socket goes
            // on elsewhere.
            if shared.remove(socket.pointee.descriptor) == nil {
                shutdown(socket.pointee.descriptor, Int32(SHUT_RDWR))
            }
        }
        socket.pointee.isClosing = true
        cu_cancel_all(ring, socket.pointee.descriptor)
        return true
    }

    /// The last request of a closing socket has completed.
    func release(_ socket: UnsafeMutablePointer<UringSocket>, _ token: Token) -> Event {
        Glibc.close(socket.pointee.descriptor)
        sockets.remove(token)
        return Event(token: token, completion: .released)
    }

    package func discard(_ descriptor: Int32) { Glibc.close(descriptor) }
}
