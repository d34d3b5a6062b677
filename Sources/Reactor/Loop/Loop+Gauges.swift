// What a loop has at this moment, for those who watch it.

/// A loop's possessions at one moment.
public struct LoopGauges: Sendable {
    /// Slabs handed out.
    public var slabsUsed = 0
    /// Slabs kept for the next who asks.
    public var slabsFree = 0
    /// Deadlines that are armed, of streams and of timers.
    public var timersArmed = 0
    /// Slots in use: streams, listeners, timers.
    public var slotsUsed = 0

    /// Nothing.
    public init() {}
}

extension Loop {
    /// What it has now. On the loop's thread.
    public var gauges: LoopGauges {
        var gauges = LoopGauges()
        gauges.slabsUsed = slabs.outstanding
        gauges.slabsFree = slabs.freeCount
        gauges.timersArmed = wheel.count
        gauges.slotsUsed = slots.count
        return gauges
    }
}
