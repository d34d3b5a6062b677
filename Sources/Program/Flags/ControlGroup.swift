// What the control groups of this process allow it: the limits of a container or a unit.
//
// Source: Linux, Documentation/admin-guide/cgroup-v2.rst ("memory.max", "cpu.max") and
// cgroup-v1/memory.rst, scheduler/sched-bwc.rst. The limits of the groups above a group bind it too,
// so the least of all counts. Inside a container the paths of /proc/self/cgroup may be the host's,
// while only the container's own group is mounted; so the root of each mount is read as well.

/// The least limits of all groups around this process.
struct ControlGroup: Equatable {
    /// Bytes; nil without a limit.
    private(set) var memoryBytesMax: Int?
    /// Processor time in whole cores, rounded up; nil without a limit.
    private(set) var coresMax: Int?

    /// - Parameter read: returns the text of a file, or nil when there is no such file.
    init(_ read: (_ path: String) -> String?) {
        for line in (read("/proc/self/cgroup") ?? "").split(separator: "\n") {
            // hierarchy:controllers:path
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let controllers = fields[1].split(separator: ",")
            for folder in Self.foldersUp(from: fields[2]) {
                if fields[1].isEmpty {
                    note(memory: Self.number(read("/sys/fs/cgroup\(folder)/memory.max")))
                    note(Self.cores(read("/sys/fs/cgroup\(folder)/cpu.max")))
                }
                if controllers.contains("memory") {
                    let file = "/sys/fs/cgroup/memory\(folder)/memory.limit_in_bytes"
                    note(memory: Self.number(read(file)))
                }
                if controllers.contains("cpu") {
                    let quota = read("/sys/fs/cgroup/cpu\(folder)/cpu.cfs_quota_us") ?? ""
                    let period = read("/sys/fs/cgroup/cpu\(folder)/cpu.cfs_period_us") ?? ""
                    note(Self.cores("\(quota.filter { $0 != "\n" }) \(period)"))
                }
            }
        }
    }

    /// The limits of this process.
    static func own() -> ControlGroup {
        ControlGroup { path in
            guard let bytes = try? SmallFile.read(path, bytesMax: 65_536) else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    private mutating func note(memory bytes: Int?) {
        if let bytes, bytes > 0 { memoryBytesMax = min(memoryBytesMax ?? bytes, bytes) }
    }

    private mutating func note(_ cores: Int?) {
        if let cores { coresMax = min(coresMax ?? cores, cores) }
    }

    /// `/a/b`, `/a` and the root, which is empty.
    private static func foldersUp(from path: Substring) -> [String] {
        let names = path.split(separator: "/")
        guard !names.contains("..") else { return [""] }
        return (0...names.count).map { count in names[..<count].map { "/" + $0 }.joined() }
    }

    /// Nil for "max", and for the number that version 1 writes for no limit, which no machine has.
    private static func number(_ text: String?) -> Int? {
        let digits = text?.prefix { $0 != "\n" && $0 != " " } ?? ""
        return Int(digits).flatMap { $0 < 1 << 60 ? $0 : nil }
    }

    /// `quota period`, both in microseconds; "max" or -1 is no limit.
    private static func cores(_ text: String?) -> Int? {
        let fields = (text ?? "").split { $0 == " " || $0 == "\n" }
        guard fields.count == 2, let quota = Int(fields[0]), let period = Int(fields[1]),
            quota > 0, period > 0
        else { return nil }
        return quota / period + (quota % period > 0 ? 1 : 0)
    }
}
