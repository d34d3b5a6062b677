// The whole relay at one moment: what its loops said, and what belongs to no loop.

import Glibc
import Reactor

/// Everything that the admin listener can tell.
struct RelaySnapshot {
    /// By index. A loop that did not answer in time is here as it was the last time.
    var workers: [WorkerSnapshot]
    /// Loops that did not answer in time.
    var silentLoops: [Int]
    var facts: RelayFacts

    var totals: RelayTotals { RelayTotals(of: workers) }
}

/// What belongs to no loop.
struct RelayFacts {
    var hostname = ""
    var backend = ""
    var listeners: [ListenerSpec] = []
    /// Seconds since 1970.
    var now: Int64 = 0
    var startedAt: Int64 = 0
    var isDraining = false
    /// Seconds since 1970 when the certificate ends.
    var certificateEnd: Int64?
    var memoryBytesMax = 0
    var memoryBytesReserved = 0
    var memoryWaiting = 0
    var temporaryBytesMax = 0
    var temporaryBytesUsed = 0
    /// Keys that a session or a message holds.
    var accountCount = 0
    var ledger = LedgerStatus(kind: "memory")
    /// Addresses and prefixes that are being counted.
    var abuseEntries = 0
    /// Sessions, and connections that are being turned away.
    var sessionCount = 0
    var sessionsMax = 0
    var logLinesDropped = 0
    /// Calls of operators.
    var adminCalls = AdminCallCounts()
    /// Keys and addresses that the admin listener was asked to follow and still follows.
    var followed = 0
    var process = ProcessFacts()
}

/// What the kernel says about the process.
struct ProcessFacts {
    var cpuNanoseconds: UInt64 = 0
    var residentBytes = 0
    var virtualBytes = 0
    var threads = 0
    var descriptors = 0
    var descriptorsMax = 0

    /// Reads a few small files of /proc. Only for threads that may wait.
    static func read() -> ProcessFacts {
        var facts = ProcessFacts()
        var spec = timespec()
        if clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spec) == 0 {
            facts.cpuNanoseconds = UInt64(spec.tv_sec) * 1_000_000_000 + UInt64(spec.tv_nsec)
        }
        let pages = ProcFile.numbers("/proc/self/statm")
        if pages.count >= 2 {
            facts.virtualBytes = pages[0] * Int(getpagesize())
            facts.residentBytes = pages[1] * Int(getpagesize())
        }
        facts.threads = ProcFile.entries("/proc/self/task")
        // One of them is for the folder that is being read.
        facts.descriptors = max(0, ProcFile.entries("/proc/self/fd") - 1)
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            facts.descriptorsMax = Int(clamping: limit.rlim_cur)
        }
        return facts
    }
}

/// Files and folders of /proc.
enum ProcFile {
    /// The words of a file's first line as numbers; a word that is no number is 0.
    static func numbers(_ path: String) -> [Int] {
        guard let file = fopen(path, "re") else { return [] }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, 256, file) != nil else { return [] }
        let text = String(
            decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return text.split(whereSeparator: { $0 == " " || $0 == "\n" }).map { Int($0) ?? 0 }
    }

    /// How many entries a folder has.
    static func entries(_ path: String) -> Int {
        guard let folder = opendir(path) else { return 0 }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        return max(0, count - 2)
    }
}

/// Whether the relay can do its work, and why not.
struct Readiness {
    /// A host whose certificate ends sooner should get no new clients.
    static let certificateSecondsMin: Int64 = 86_400

    /// In words for an operator; empty when ready.
    var reasons: [String]
    var isReady: Bool { reasons.isEmpty }

    init(_ snapshot: RelaySnapshot) {
        let facts = snapshot.facts
        reasons = []
        if facts.isDraining { reasons.append("draining") }
        if !snapshot.workers.contains(where: { $0.pool.isReady }) {
            reasons.append("no address of the API is usable")
        }
        if let end = facts.certificateEnd, end - facts.now < Self.certificateSecondsMin {
            reasons.append(
                end > facts.now
                    ? "the certificate ends within a day" : "the certificate has ended")
        }
        if !snapshot.workers.isEmpty, snapshot.silentLoops.count == snapshot.workers.count {
            reasons.append("no loop answers")
        }
    }
}
