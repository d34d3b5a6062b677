// What a process has used: CPU time, memory, instructions, read from outside.

import CEpoll.Process
import Glibc

/// A reading of one process; CPU is that of all its threads together.
struct ProcessReading {
    /// Microseconds.
    var userTime = 0
    var systemTime = 0
    /// Bytes resident at most so far; private dirty bytes now.
    var peakResident = 0
    var privateDirty = 0
    var descriptors = 0
    /// nil where the kernel won't count, or was not asked.
    var instructions: UInt64?
}

/// Reads /proc of one process, and counts its instructions with perf_event_open when asked.
final class ProcessMeter {
    let pid: Int32
    private var counters: [Int32] = []

    /// - Parameter countsInstructions: opens a counter per thread that exists now. On virtual
    ///   machines this can double the CPU time of chatty work: never read both in one run.
    init(pid: Int32, countsInstructions: Bool) {
        self.pid = pid
        guard countsInstructions else { return }
        for name in entries("/proc/\(pid)/task") {
            guard let thread = Int32(name) else { continue }
            let descriptor = ck_count_instructions(thread)
            if descriptor >= 0 { counters.append(descriptor) }
        }
    }

    /// Whether the kernel counts instructions of this process.
    var countsInstructions: Bool { !counters.isEmpty }

    deinit { for descriptor in counters { close(descriptor) } }

    func read() -> ProcessReading {
        var reading = ProcessReading()
        let fields = text("/proc/\(pid)/stat").split(separator: ")").last?.split(separator: " ")
        let tick = 1_000_000 / max(1, sysconf(Int32(_SC_CLK_TCK)))
        if let fields, fields.count > 13 {
            reading.userTime = (Int(fields[11]) ?? 0) * tick
            reading.systemTime = (Int(fields[12]) ?? 0) * tick
        }
        reading.peakResident = kilobytes("VmHWM:", in: "/proc/\(pid)/status")
        reading.privateDirty = kilobytes("Private_Dirty:", in: "/proc/\(pid)/smaps_rollup")
        reading.descriptors = entries("/proc/\(pid)/fd").count
        if !counters.isEmpty { reading.instructions = counters.reduce(0) { $0 + count($1) } }
        return reading
    }

    private func count(_ descriptor: Int32) -> UInt64 {
        var value: UInt64 = 0
        return Glibc.read(descriptor, &value, 8) == 8 ? value : 0
    }

    private func kilobytes(_ key: String, in file: String) -> Int {
        for line in text(file).split(separator: "\n") where line.hasPrefix(key) {
            let number = line.dropFirst(key.count).split { $0 == " " || $0 == "\t" }.first
            return (number.flatMap { Int($0) } ?? 0) * 1_024
        }
        return 0
    }

    private func text(_ file: String) -> String {
        guard let stream = fopen(file, "r") else { return "" }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&bytes, 1, bytes.count, stream)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    private func entries(_ folder: String) -> [String] {
        guard let handle = opendir(folder) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}
