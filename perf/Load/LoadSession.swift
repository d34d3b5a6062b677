// Runs one plan against one server on a loop of its own, meters the server during the run, and
// returns a result.

import Glibc
import Reactor

/// One run from its first connection to its result. For one use.
final class LoadSession: TimerHandler, LoadObserver {
    private static let sampleMilliseconds = 200
    private static let samplesPerSecond = 5

    private let loop: Loop
    private let plan: LoadPlan
    private let meter: ServerMeter?
    private let progress: Progress?
    private var run: LoadRun?
    private var timer: LoopTimer?

    private var start = MonotonicTime.never
    private var end = MonotonicTime.never
    private var before: ServerReading?
    private var after: ServerReading?
    private var memoryPeak: Int?
    private var descriptorsPeak = 0
    private var ticks = 0
    private var samples: [Sample] = []
    private var lastSample = (time: MonotonicTime.never, messages: 0, cpu: 0)
    /// Nothing is sent: the memory of the company is measured.
    private let isIdle: Bool
    /// The server continues to work after its last reply (a mail queue).
    private let settles: Bool

    /// - Parameters:
    ///   - isIdle: ends as soon as the company is logged in and its memory is measured.
    ///   - settles: the server's costs are read after it has become quiet.
    ///   - backend: the client's own.
    init(
        plan: LoadPlan, meter: ServerMeter?, progress: Progress? = nil, isIdle: Bool = false,
        settles: Bool = false, backend: BackendKind = .auto
    ) throws {
        loop = try Loop(index: 0, backend: backend)
        self.plan = plan
        self.meter = meter
        self.progress = progress
        self.isIdle = isIdle
        self.settles = settles
        super.init()
    }

    func result(
        target: String, workload: String, series: String = "", round: Int = 0
    ) throws -> LoadResult {
        let run = try LoadRun(loop: loop, plan: plan, observer: self)
        self.run = run
        if isIdle { before = meter?.read() }
        let timer = LoopTimer(loop: loop, handler: self)
        timer.arm(at: loop.now.advanced(byMilliseconds: LoadSession.sampleMilliseconds))
        self.timer = timer
        run.start()
        loop.run()
        timer.cancel()
        self.timer = nil
        progress?.clear()
        if start == .never { start = .readClock() }
        if end == .never { end = .readClock() }
        if settles { settle() }
        return LoadResult(
            date: currentDate(), machine: .describe(), target: target, workload: workload,
            series: series, round: round, plan: PlanSummary(plan), seconds: secondsSinceStart(end),
            messages: run.acceptedMessages, bytes: run.acceptedBytes,
            handshake: run.handshakes.summary, login: run.logins.summary,
            message: run.messageLatencies.summary, failures: run.failures,
            slowMessages: run.slowMessages, vanishedClients: run.vanishedClients,
            server: cost(), samples: samples)
    }

    private func settle() {
        meter?.waitUntilQuiet(secondsMax: 120)
        after = meter?.read()
    }

    private func cost() -> ServerCost? {
        guard let meter, let before, let after else { return nil }
        var cost = ServerCost(
            source: meter.source.name, userTime: after.userTime - before.userTime,
            systemTime: after.systemTime - before.systemTime, instructions: nil,
            memoryBefore: before.proportionalMemory, memoryPeak: memoryPeak,
            memoryAfter: after.proportionalMemory, memoryPerConnection: nil,
            descriptorsPeak: descriptorsPeak, processes: after.processes)
        if let now = after.instructions, let then = before.instructions {
            cost.instructions = now - then
        }
        if isIdle, let memoryBefore = cost.memoryBefore, let memoryAfter = cost.memoryAfter {
            cost.memoryPerConnection =
                Double(memoryAfter - memoryBefore) / Double(max(1, plan.company.idle))
        }
        return cost
    }

    // MARK: LoadObserver

    func runGathered() {
        guard isIdle else { return }
        start = .readClock()
        ticks = 0
    }

    func runIsWarm() {
        guard !isIdle else { return }
        start = .readClock()
        before = meter?.read()
        memoryPeak = before?.proportionalMemory
        lastSample = (start, 0, before?.cpuTime ?? 0)
    }

    func runIsMeasured() {
        guard !isIdle else { return }
        end = .readClock()
        after = meter?.read()
        noteReading(after)
        sample(after)
    }

    func runIsOver() { loop.stop() }

    // MARK: Sampling

    override func timerFired(_ timer: LoopTimer) {
        timer.arm(at: loop.now.advanced(byMilliseconds: LoadSession.sampleMilliseconds))
        guard let run else { return }
        ticks += 1
        if run.phase == .measuring && !isIdle {
            let reading = meter?.read()
            noteReading(reading)
            if ticks % LoadSession.samplesPerSecond == 0 { sample(reading) }
        } else if isIdle && start < .never && ticks == LoadSession.samplesPerSecond {
            // A second after the last login, when the memory that the handshakes needed is given
            // back.
            after = meter?.read()
            noteReading(after)
            run.endAll()
        }
        if ticks % LoadSession.samplesPerSecond == 0 { progress?.show(run, since: start) }
    }

    private func noteReading(_ reading: ServerReading?) {
        guard let reading else { return }
        if let memory = reading.proportionalMemory { memoryPeak = max(memoryPeak ?? 0, memory) }
        descriptorsPeak = max(descriptorsPeak, reading.descriptors)
    }

    private func sample(_ reading: ServerReading?) {
        guard let run, start < .never else { return }
        let now = MonotonicTime.readClock()
        let elapsed = Double(now.nanoseconds - lastSample.time.nanoseconds) / 1e9
        guard elapsed > 0.05 else { return }
        let cpu = reading.map { Double($0.cpuTime - lastSample.cpu) / 1e6 / elapsed }
        samples.append(
            Sample(
                seconds: secondsSinceStart(now),
                messagesPerSecond: Double(run.acceptedMessages - lastSample.messages) / elapsed,
                p50: run.recentLatencies.microseconds(atPercentile: 50),
                p99: run.recentLatencies.microseconds(atPercentile: 99),
                memory: reading?.proportionalMemory, cores: cpu))
        run.recentLatencies = Latencies()
        lastSample = (now, run.acceptedMessages, reading?.cpuTime ?? 0)
    }

    private func secondsSinceStart(_ time: MonotonicTime) -> Double {
        guard start < .never, time > start else { return 0 }
        return Double(time.nanoseconds - start.nanoseconds) / 1e9
    }
}
