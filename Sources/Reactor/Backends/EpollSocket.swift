// What the epoll backend remembers of each socket.

/// One socket of the epoll backend.
struct EpollSocket: SlotSocket {
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

    static var nobody: EpollSocket {
        EpollSocket(token: Token(bits: .max), descriptor: -1, marks: [])
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
