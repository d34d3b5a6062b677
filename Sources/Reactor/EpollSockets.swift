// What the epoll backend remembers of each socket, and the queue of those with something to do.
//
// Both are plain memory indexed by slot: looking a socket up is one comparison of generations,
// and a token whose socket is gone finds nothing.

/// One socket of the epoll backend.
struct EpollSocket {
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
    }

    var token: Token
    var descriptor: Int32
    var marks: Marks
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

/// The sockets by slot.
struct EpollSockets: ~Copyable {
    private static var nobody: EpollSocket {
        EpollSocket(token: Token(bits: .max), descriptor: -1, marks: [], sending: nil)
    }

    private var storage: UnsafeMutablePointer<EpollSocket>
    private var capacity: Int

    init() {
        capacity = 64
        storage = .allocate(capacity: capacity)
        storage.initialize(repeating: EpollSockets.nobody, count: capacity)
    }

    deinit { storage.deallocate() }

    /// The socket that `token` names, if it is still there; valid until the next insertion.
    func find(_ token: Token) -> UnsafeMutablePointer<EpollSocket>? {
        let slot = token.slot
        guard slot < capacity, storage[slot].token == token else { return nil }
        return storage + slot
    }

    mutating func insert(_ token: Token, descriptor: Int32, marks: EpollSocket.Marks) {
        let slot = token.slot
        if slot >= capacity { grow(to: max(capacity * 2, slot + 1)) }
        storage[slot] = EpollSocket(
            token: token, descriptor: descriptor, marks: marks, sending: nil)
    }

    mutating func remove(_ token: Token) {
        guard let socket = find(token) else { return }
        socket.pointee = EpollSockets.nobody
    }

    private mutating func grow(to newCapacity: Int) {
        let larger = UnsafeMutablePointer<EpollSocket>.allocate(capacity: newCapacity)
        larger.initialize(from: storage, count: capacity)
        (larger + capacity).initialize(
            repeating: EpollSockets.nobody, count: newCapacity - capacity)
        storage.deallocate()
        storage = larger
        capacity = newCapacity
    }
}

/// A first-in, first-out queue of tokens in a ring that doubles when it is full.
struct TokenQueue: ~Copyable {
    private var storage: UnsafeMutablePointer<UInt64>
    private var mask: Int
    private var head = 0
    private(set) var count = 0

    init() {
        mask = 63
        storage = .allocate(capacity: mask + 1)
    }

    deinit { storage.deallocate() }

    var isEmpty: Bool { count == 0 }

    mutating func append(_ token: Token) {
        if count > mask { grow() }
        storage[(head + count) & mask] = token.bits
        count += 1
    }

    /// The oldest token; there must be one.
    mutating func popFirst() -> Token {
        precondition(count > 0)
        let token = Token(bits: storage[head])
        head = (head + 1) & mask
        count -= 1
        return token
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<UInt64>.allocate(capacity: (mask + 1) * 2)
        var index = 0
        while index < count {
            larger[index] = storage[(head + index) & mask]
            index += 1
        }
        storage.deallocate()
        storage = larger
        head = 0
        mask = mask * 2 + 1
    }
}
