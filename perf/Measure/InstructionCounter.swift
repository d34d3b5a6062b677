// Instructions of running processes, through perf_event_open where the kernel and the processor
// allow it. On virtual machines, counting can double the CPU time of work with many system calls:
// never measure both in one run.

import CEpoll.Process
import Glibc

/// Counts from its creation on, also in threads that start later.
final class InstructionCounter {
    private var descriptors: [Int32] = []

    /// nil where nothing can be counted.
    init?(processes: [Int32]) {
        for process in processes {
            for name in ProcFiles.entries("/proc/\(process)/task") {
                guard let thread = Int32(name) else { continue }
                let descriptor = ck_count_instructions(thread)
                if descriptor >= 0 { descriptors.append(descriptor) }
            }
        }
        if descriptors.isEmpty { return nil }
    }

    deinit { for descriptor in descriptors { close(descriptor) } }

    /// Instructions so far, user and kernel.
    var count: UInt64 { descriptors.reduce(0) { $0 + InstructionCounter.value($1) } }

    private static func value(_ descriptor: Int32) -> UInt64 {
        var value: UInt64 = 0
        return read(descriptor, &value, 8) == 8 ? value : 0
    }
}
