// The sockets of a backend, and the queue of those with something to do.
//
// Both are plain memory indexed by slot: finding a socket takes one comparison of generations, and
// the token of a socket that is gone finds nothing.

/// What a backend remembers of one socket.
protocol SlotSocket {
    /// The value in a slot without a socket; its token is no socket's token.
    static var nobody: Self { get }
    var token: Token { get }
}

/// The sockets by slot.
struct SocketTable<Socket: SlotSocket>: ~Copyable {
    private var storage: UnsafeMutablePointer<Socket>
    private var capacity: Int

    init() {
        capacity = 64
        storage = .allocate(capacity: capacity)
        storage.initialize(repeating: Socket.nobody, count: capacity)
    }

    deinit {
        storage.deinitialize(count: capacity)
        storage.deallocate()
    }

    /// The socket that `token` names, if it is still there; valid until the next insertion.
    func find(_ token: Token) -> UnsafeMutablePointer<Socket>? {
        let slot = token.slot
        guard slot < capacity, storage[slot].token == token else { return nil }
        return storage + slot
    }

    mutating func insert(_ socket: Socket) {
        let slot = socket.token.slot
        if slot >= capacity { grow(to: max(capacity * 2, slot + 1)) }
        storage[slot] = socket
    }

    mutating func remove(_ token: Token) {
        find(token)?.pointee = Socket.nobody
    }

    private mutating func grow(to newCapacity: Int) {
        let larger = UnsafeMutablePointer<Socket>.allocate(capacity: newCapacity)
        larger.moveInitialize(from: storage, count: capacity)
        (larger + capacity).initialize(
            repeating: Socket.nobody, count: newCapacity - capacity)
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
