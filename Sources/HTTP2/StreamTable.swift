// The streams of a session by slot, and the order in which their bodies go (what RFC 9113 section 5.3
// leaves to us).
//
// Small messages first: their frames go whenever nghttp2 has room in its windows. An upload sends one
// frame each time that nothing else can go, uploads in turn, and only while more than half of the
// connection's window is left. So an upload that the peer does not read can't hold the window that
// small messages need. Every 256 KiB of small messages an upload has a turn all the same.

/// What a session knows of one stream.
struct StreamState {
    /// 0 when the slot is free.
    var id: Int32 = 0
    /// Bytes that the owner has offered, and that are not in a frame yet.
    var piece = 0
    /// The body ends with the piece.
    var isLast = false
    var isUpload = false
    /// It stands in the line of uploads.
    var isQueued = false
    /// Its HEADERS may have left.
    var isHeadSent = false
    /// An answer has begun: a status other than 1xx.
    var hasAnswer = false
    /// The owner has reset it; what comes of it is of no interest.
    var isAbandoned = false
    /// Trailers follow the last piece.
    var hasTrailers = false
    /// Bytes received that the owner has not consumed.
    var unconsumed = 0

    /// There is something to send now.
    var hasOutput: Bool { id != 0 && (piece > 0 || isLast) }
}

/// The slots of a session's streams.
struct StreamTable {
    private var states: [StreamState] = []
    private var free: [Int] = []
    /// Slots in use.
    private(set) var count = 0

    /// Slots so far, free ones included.
    var capacity: Int { states.count }

    mutating func open(_ state: StreamState) -> Int {
        count += 1
        if let slot = free.popLast() {
            // The line of uploads holds a slot once at most, also when another stream has it now.
            let isQueued = states[slot].isQueued
            states[slot] = state
            states[slot].isQueued = isQueued
            return slot
        }
        states.append(state)
        return states.count - 1
    }

    mutating func close(_ slot: Int) {
        let isQueued = states[slot].isQueued
        states[slot] = StreamState()
        states[slot].isQueued = isQueued
        free.append(slot)
        count -= 1
    }

    /// Whether the stream still has its slot.
    func holds(_ stream: HTTP2Stream) -> Bool {
        stream.slot < states.count && states[stream.slot].id == stream.id
    }

    subscript(slot: Int) -> StreamState {
        get { states[slot] }
        _modify { yield &states[slot] }
    }
}

/// The uploads that wait for a turn, first come, first served.
struct UploadLine {
    /// Bytes of small messages after which an upload has its turn.
    static let turnBytes = 262_144

    private var slots: [Int] = []
    private var next = 0
    /// Bytes of small messages since the last frame of an upload.
    private(set) var smallBytes = 0
    /// The largest window of the connection that was seen.
    private var windowMax = 65_535

    var isEmpty: Bool { next == slots.count }
    /// Small messages have had the line for long enough.
    var isDue: Bool { smallBytes >= Self.turnBytes && !isEmpty }

    mutating func append(_ slot: Int) { slots.append(slot) }

    mutating func popFirst() -> Int? {
        guard next < slots.count else { return nil }
        defer {
            next += 1
            // Each slot is moved once at most for each one that was taken.
            if next == slots.count || next >= 64 && next * 2 >= slots.count {
                slots.removeFirst(next)
                next = 0
            }
        }
        return slots[next]
    }

    mutating func sent(_ byteCount: Int, isUpload: Bool) {
        if isUpload { smallBytes = 0 } else if !isEmpty { smallBytes += byteCount }
    }

    /// Of a large window no more is kept for small bodies.
    private static let reserveMax = 4 * 1_048_576

    /// Whether the window of the connection lets an upload send a frame: whole, so that uploads leave
    /// half of the window, or `reserveMax`, but for one frame. So more than half is used in the end,
    /// and a peer that opens a small window then always does: at exactly half Jetty does not, whose
    /// streams have just that window. nginx has one of 2^31 - 1 bytes, and opens it when three
    /// quarters are used.
    mutating func mayUse(window: Int) -> Bool {
        see(window: window)
        return window >= min(windowMax / 2, Self.reserveMax)
    }

    /// The window of the connection may have grown.
    mutating func see(window: Int) { windowMax = max(windowMax, window) }
}
