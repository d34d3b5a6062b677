// A control group (cgroup v2) for the processes of one server. It contains also what they start,
// and its CPU time is exact to the microsecond, also for processes that have ended.

import Glibc

/// One group; removed with its owner.
final class ControlGroup {
    let path: String

    /// nil where the machine has no cgroup v2 or does not let us create a group.
    init?(name: String) {
        guard let mount = ControlGroup.mount(in: ProcFiles.text("/proc/self/mountinfo")) else {
            return nil
        }
        let path = "\(mount)/relay-perf.\(getpid()).\(name)"
        guard mkdir(path, 0o755) == 0 else { return nil }
        self.path = path
        guard access("\(path)/cgroup.procs", W_OK) == 0, cpu != nil else {
            rmdir(path)
            return nil
        }
    }

    deinit {
        // The last processes may need a moment to end.
        for _ in 0..<50 where rmdir(path) != 0 && errno == EBUSY { usleep(20_000) }
    }

    /// Microseconds of user and system time of everything that is or was in the group.
    var cpu: (user: Int, system: Int)? {
        let text = ProcFiles.text("\(path)/cpu.stat")
        guard let user = ProcFiles.number("user_usec", in: text),
            let system = ProcFiles.number("system_usec", in: text)
        else { return nil }
        return (user, system)
    }

    var processes: [Int32] {
        ProcFiles.text("\(path)/cgroup.procs").split(separator: "\n").compactMap { Int32($0) }
    }

    /// Kills all processes that are left in it.
    func kill() {
        for process in processes { Glibc.kill(process, SIGKILL) }
    }

    /// Where cgroup v2 is mounted, from a mountinfo file (proc(5)).
    static func mount(in mountinfo: String) -> String? {
        for line in mountinfo.split(separator: "\n") {
            let halves = line.split(separator: " ").split(separator: "-", maxSplits: 1)
            guard halves.count == 2, halves[1].first == "cgroup2", halves[0].count > 4 else {
                continue
            }
            return String(halves[0][halves[0].startIndex + 4])
        }
        return nil
    }
}
