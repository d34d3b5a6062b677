// The backend of one loop: which implementation moves its bytes, chosen once, at start.
//
// An enum, not an existential, so that the usual case is a direct call; a test brings a backend
// of its own through `custom` and pays for the indirection.

/// Which backend moves the bytes; `auto` picks.
public enum BackendKind: String, Sendable, CaseIterable {
    case auto, epoll
    case uring = "io_uring"
}

/// The implementations of `Backend` behind direct calls.
enum LoopBackend {
    case epoll(EpollBackend)
    case uring(UringBackend)
    case custom(any Backend)

    /// - Throws: `SystemError` when the kernel refuses.
    init(_ kind: BackendKind) throws(SystemError) {
        switch kind {
        case .auto: try self.init(BackendChoice(.auto, loopCount: 1).kind)
        case .epoll: self = .epoll(try EpollBackend())
        case .uring: self = .uring(try UringBackend())
        }
    }

    func readClock() -> MonotonicTime {
        switch self {
        case .epoll(let backend): backend.readClock()
        case .uring(let backend): backend.readClock()
        case .custom(let backend): backend.readClock()
        }
    }

    func readWallClock() -> Int64 {
        switch self {
        case .epoll(let backend): backend.readWallClock()
        case .uring(let backend): backend.readWallClock()
        case .custom(let backend): backend.readWallClock()
        }
    }

    func watch(wakeUp descriptor: Int32) throws(SystemError) {
        switch self {
        case .epoll(let backend): try backend.watch(wakeUp: descriptor)
        case .uring(let backend): try backend.watch(wakeUp: descriptor)
        case .custom(let backend): try backend.watch(wakeUp: descriptor)
        }
    }

    func listen(
        on address: SocketAddress, backlog: Int, isShared: Bool
    ) throws(SystemError) -> Int32 {
        switch self {
        case .epoll(let backend):
            try backend.listen(on: address, backlog: backlog, isShared: isShared)
        case .uring(let backend):
            try backend.listen(on: address, backlog: backlog, isShared: isShared)
        case .custom(let backend):
            try backend.listen(on: address, backlog: backlog, isShared: isShared)
        }
    }

    func share(_ inherited: Int32) throws(SystemError) -> Int32 {
        switch self {
        case .epoll(let backend): try backend.share(inherited)
        case .uring(let backend): try backend.share(inherited)
        case .custom(let backend): try backend.share(inherited)
        }
    }

    func localAddress(of descriptor: Int32) -> SocketAddress? {
        switch self {
        case .epoll(let backend): backend.localAddress(of: descriptor)
        case .uring(let backend): backend.localAddress(of: descriptor)
        case .custom(let backend): backend.localAddress(of: descriptor)
        }
    }

    func accept(on descriptor: Int32, _ token: Token) {
        switch self {
        case .epoll(let backend): backend.accept(on: descriptor, token)
        case .uring(let backend): backend.accept(on: descriptor, token)
        case .custom(let backend): backend.accept(on: descriptor, token)
        }
    }

    func stopAccepting(_ token: Token) {
        switch self {
        case .epoll(let backend): backend.stopAccepting(token)
        case .uring(let backend): backend.stopAccepting(token)
        case .custom(let backend): backend.stopAccepting(token)
        }
    }

    /// Of a socket of `share`: whether the kernel tells one of all who accept on it, who may be gone
    /// before it does, and not all of them.
    var tellsOnlyOne: Bool {
        if case .uring = self { true } else { false }
    }

    /// Looks whether connections wait of which somebody else was told.
    func acceptOverlooked(_ token: Token) {
        if case .uring(let backend) = self { backend.acceptOverlooked(token) }
    }

    func adopt(_ descriptor: Int32, _ token: Token) -> Int32 {
        switch self {
        case .epoll(let backend): backend.adopt(descriptor, token)
        case .uring(let backend): backend.adopt(descriptor, token)
        case .custom(let backend): backend.adopt(descriptor, token)
        }
    }

    func connect(to address: SocketAddress, _ token: Token) -> Int32 {
        switch self {
        case .epoll(let backend): backend.connect(to: address, token)
        case .uring(let backend): backend.connect(to: address, token)
        case .custom(let backend): backend.connect(to: address, token)
        }
    }

    func receive(_ token: Token) {
        switch self {
        case .epoll(let backend): backend.receive(token)
        case .uring(let backend): backend.receive(token)
        case .custom(let backend): backend.receive(token)
        }
    }

    func stopReceiving(_ token: Token) {
        switch self {
        case .epoll(let backend): backend.stopReceiving(token)
        case .uring(let backend): backend.stopReceiving(token)
        case .custom(let backend): backend.stopReceiving(token)
        }
    }

    func unreadByteCount(_ token: Token) -> Int {
        switch self {
        case .epoll(let backend): backend.unreadByteCount(token)
        case .uring(let backend): backend.unreadByteCount(token)
        case .custom(let backend): backend.unreadByteCount(token)
        }
    }

    func send(_ token: Token, first: Slab) -> SendOutcome {
        switch self {
        case .epoll(let backend): backend.send(token, first: first)
        case .uring(let backend): backend.send(token, first: first)
        case .custom(let backend): backend.send(token, first: first)
        }
    }

    func shutDown(_ token: Token) {
        switch self {
        case .epoll(let backend): backend.shutDown(token)
        case .uring(let backend): backend.shutDown(token)
        case .custom(let backend): backend.shutDown(token)
        }
    }

    func close(_ token: Token, withReset: Bool) -> Bool {
        switch self {
        case .epoll(let backend): backend.close(token, withReset: withReset)
        case .uring(let backend): backend.close(token, withReset: withReset)
        case .custom(let backend): backend.close(token, withReset: withReset)
        }
    }

    func discard(_ descriptor: Int32) {
        switch self {
        case .epoll(let backend): backend.discard(descriptor)
        case .uring(let backend): backend.discard(descriptor)
        case .custom(let backend): backend.discard(descriptor)
        }
    }

    func wait(milliseconds: Int32) {
        switch self {
        case .epoll(let backend): backend.wait(milliseconds: milliseconds)
        case .uring(let backend): backend.wait(milliseconds: milliseconds)
        case .custom(let backend): backend.wait(milliseconds: milliseconds)
        }
    }

    func next() -> Event? {
        switch self {
        case .epoll(let backend): backend.next()
        case .uring(let backend): backend.next()
        case .custom(let backend): backend.next()
        }
    }
}
