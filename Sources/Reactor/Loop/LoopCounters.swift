// What a loop counts. Plain numbers, written on the loop's thread and read there.

/// Totals since the loop began.
public struct LoopCounters: Sendable {
    /// Turns of the loop.
    public private(set) var ticks: UInt64 = 0
    /// Connections accepted.
    public private(set) var accepted: UInt64 = 0
    /// Connections begun by us.
    public private(set) var connected: UInt64 = 0
    /// Streams that have ended, accepted or connected.
    public private(set) var closed: UInt64 = 0
    /// Bytes from the kernel, as on the wire.
    public private(set) var bytesReceived: UInt64 = 0
    /// Bytes to the kernel, as on the wire.
    public private(set) var bytesSent: UInt64 = 0
    /// Times a listener rested because there were no descriptors or no memory for a connection.
    public private(set) var acceptPauses: UInt64 = 0
    /// TLS handshakes finished.
    public private(set) var handshakesDone: UInt64 = 0
    /// TLS handshakes refused by either side, or broken off.
    public private(set) var handshakesFailed: UInt64 = 0
    /// Finished handshakes that resumed an earlier session.
    public private(set) var handshakesResumed: UInt64 = 0
    /// Times that the kernel refused a call of the backend itself, not one for a socket.
    public private(set) var backendErrors: UInt64 = 0

    /// Time spent on work.
    public private(set) var busyNanoseconds: UInt64 = 0
    /// Time spent waiting for work.
    public private(set) var idleNanoseconds: UInt64 = 0
    /// How long the work of a turn took. Whatever comes during that time waits at most as long.
    public private(set) var turns = LatencyHistogram()

    /// All zero.
    public init() {}

    /// What happens to a connection.
    enum Event {
        case accepted, connected, closed, acceptPaused, handshakeFailed
        case handshakeDone(isResumed: Bool)
        case received(byteCount: Int)
        case sent(byteCount: Int)
        case backendErrors(Int)
    }

    /// Counts one event.
    @inline(__always)
    mutating func count(_ event: Event) {
        switch event {
        case .accepted: accepted += 1
        case .connected: connected += 1
        case .closed: closed += 1
        case .acceptPaused: acceptPauses += 1
        case .handshakeFailed: handshakesFailed += 1
        case .handshakeDone(let isResumed):
            handshakesDone += 1
            if isResumed { handshakesResumed += 1 }
        case .received(let byteCount): bytesReceived += UInt64(byteCount)
        case .sent(let byteCount): bytesSent += UInt64(byteCount)
        case .backendErrors(let count): backendErrors += UInt64(count)
        }
    }

    /// The work of a turn has ended.
    @inline(__always)
    mutating func worked(nanoseconds: UInt64) {
        busyNanoseconds &+= nanoseconds
        turns.record(nanoseconds: nanoseconds)
    }

    /// A turn has ended: the loop has waited.
    @inline(__always)
    mutating func waited(nanoseconds: UInt64) {
        idleNanoseconds &+= nanoseconds
        ticks += 1
    }
}

extension LoopCounters: CounterGroup {
    /// Of clients, added up over the loops.
    package static let clientFamilies: [CounterFamily<LoopCounters>] = [
        .counter(
            "accept_pauses_total", "Times a listener rested for want of descriptors or memory.",
            of: \.acceptPauses)
    ]
    package static let networkFamilies: [CounterFamily<LoopCounters>] = [
        .counters(
            "network_bytes_total", "Bytes on the wire, to and from clients and the API.",
            label: "direction", ["received": \.bytesReceived, "sent": \.bytesSent])
    ]
    /// Of each loop.
    package static let timeFamilies: [CounterFamily<LoopCounters>] = [
        .onlyStatus(by: "loop", of: \.ticks, .value("turns")),
        .counter(
            "loop_busy_seconds_total", "Time that a loop spent working.", by: "loop",
            of: \.busyNanoseconds, in: .seconds, status: .value("busy_ns")),
        .counter(
            "loop_idle_seconds_total", "Time that a loop waited for work.", by: "loop",
            of: \.idleNanoseconds, in: .seconds, status: .value("idle_ns")),
        .counter(
            "backend_errors_total",
            "Refusals of io_uring or epoll as a whole; a lasting one ends the process.", by: "loop",
            of: \.backendErrors),
    ]
    package static let turnFamilies: [CounterFamily<LoopCounters>] = [
        .counter(
            "loop_turn_seconds",
            "How long a loop's turns took; whatever came meanwhile waited as long at most.",
            by: "loop", of: \.turns, in: .histogram(step: 4), status: .value("turn"))
    ]

    package static let families =
        clientFamilies + networkFamilies + timeFamilies + turnFamilies

    package static let unshown: [Counter<LoopCounters>] = [
        Counter(\.accepted), Counter(\.connected), Counter(\.closed), Counter(\.handshakesDone),
        Counter(\.handshakesFailed), Counter(\.handshakesResumed),
    ]
}

/// What a loop has at one moment.
public struct LoopGauges: Sendable {
    /// Slabs handed out.
    public var slabsUsed = 0
    /// Slabs kept for the next owner.
    public var slabsFree = 0
    /// Deadlines that are armed, of streams and of timers.
    public var timersArmed = 0
    /// Slots in use: streams, listeners, timers.
    public var slotsUsed = 0

    /// Nothing.
    public init() {}
}
