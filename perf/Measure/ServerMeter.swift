// What all processes of a server together have used, measured from outside: CPU time, memory,
// descriptors, instructions.

import Glibc

/// A reading. Times and instructions count from the server's start; the rest is the present value.
struct ServerReading {
    /// Microseconds, including processes that have ended.
    var userTime = 0
    var systemTime = 0
    /// Bytes, with shared pages divided equally; nil where the kernel does not show it.
    var proportionalMemory: Int?
    var descriptors = 0
    var processes = 0
    var instructions: UInt64?

    var cpuTime: Int { userTime + systemTime }
}

/// Reads /proc or a control group.
final class ServerMeter {
    /// The source of the readings.
    enum Source {
        /// These processes and all their descendants.
        case processes([Int32])
        case group(ControlGroup)

        var name: String {
            switch self {
            case .processes: "process tree"
            case .group: "cgroup"
            }
        }
    }

    let source: Source
    private let counter: InstructionCounter?

    init(_ source: Source, countsInstructions: Bool = false) {
        self.source = source
        var processes: [Int32] = []
        switch source {
        case .processes(let roots):
            processes = ProcFiles.tree(of: roots, in: ProcFiles.allProcesses()).map(\.pid)
        case .group(let group): processes = group.processes
        }
        counter = countsInstructions ? InstructionCounter(processes: processes) : nil
    }

    /// Whether the kernel counts instructions of these processes.
    var countsInstructions: Bool { counter != nil }

    func read() -> ServerReading {
        var reading = ServerReading()
        var processes: [Int32] = []
        switch source {
        case .processes(let roots):
            let tree = ProcFiles.tree(of: roots, in: ProcFiles.allProcesses())
            let tick = 1_000_000 / max(1, sysconf(Int32(_SC_CLK_TCK)))
            reading.userTime = tree.reduce(0) { $0 + $1.userTicks } * tick
            reading.systemTime = tree.reduce(0) { $0 + $1.systemTicks } * tick
            processes = tree.map(\.pid)
        case .group(let group):
            let cpu = group.cpu ?? (0, 0)
            reading.userTime = cpu.user
            reading.systemTime = cpu.system
            processes = group.processes
        }
        reading.processes = processes.count
        for process in processes { add(process, to: &reading) }
        reading.instructions = counter?.count
        return reading
    }

    private func add(_ process: Int32, to reading: inout ServerReading) {
        let rollup = ProcFiles.text("/proc/\(process)/smaps_rollup")
        if let bytes = ProcFiles.bytes("Pss", in: rollup) {
            reading.proportionalMemory = (reading.proportionalMemory ?? 0) + bytes
        }
        reading.descriptors += ProcFiles.entries("/proc/\(process)/fd").count
    }

    /// Waits until the server has finished its work (a mail queue, for example): until it has used
    /// almost no CPU for a second.
    func waitUntilQuiet(secondsMax: Int) {
        var last = read().cpuTime
        var quietTurns = 0
        for _ in 0..<secondsMax * 4 where quietTurns < 4 {
            usleep(250_000)
            let now = read().cpuTime
            quietTurns = now - last < 5_000 ? quietTurns + 1 : 0
            last = now
        }
    }
}
