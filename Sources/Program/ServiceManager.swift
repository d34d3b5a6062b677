// Tells systemd the relay's state: ready, reading files again, alive, stopping (sd_notify(3)). The
// relay sends the datagrams itself; without systemd it sends none.
//
// The main thread gives the watchdog its sign of life, and only when every loop has run the work that
// was posted at the last one. So when a loop hangs, systemd restarts the service.

import CEpoll.Process
import Glibc
import Reactor
import Relay
import Synchronization

/// How many times loops have answered.
private final class Answers: Sendable {
    let count = Atomic<Int>(0)
}

/// The connection to the service manager. Used by the main thread alone.
final class ServiceManager {
    private let path: String?
    /// How often a sign of life is due; nil without a watchdog.
    let beatMilliseconds: Int?
    private let answers = Answers()
    private var asked = 0

    /// - Parameters:
    ///   - environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
    ///   - process: the number of this process; a watchdog for another is ignored.
    init(environment: [String: String], process: Int32 = getpid()) {
        path = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
        let isOurs = environment["WATCHDOG_PID"].map { $0 == "\(process)" } ?? true
        let limit = environment["WATCHDOG_USEC"].flatMap { Int($0) } ?? 0
        // Twice in the time that systemd allows, as sd_watchdog_enabled(3) advises.
        beatMilliseconds = path != nil && isOurs && limit > 0 ? max(1, limit / 2_000) : nil
    }

    /// The listeners take connections, or the files have been read again.
    func ready(status: String) { send("READY=1\nSTATUS=\(status)") }

    /// The files are being read again; `ready` follows.
    func reloading() {
        let microseconds = MonotonicTime.readClock().nanoseconds / 1_000
        send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)\nSTATUS=Reading files again")
    }

    /// The drain has begun.
    func stopping() { send("STOPPING=1\nSTATUS=Draining") }

    /// A sign of life during the drain, which has a time limit of its own.
    func beat() { if beatMilliseconds != nil { send("WATCHDOG=1") } }

    /// A sign of life is due: gives it if all loops have answered the last question, and asks the
    /// next one.
    func beat(_ roster: WorkerRoster) {
        guard beatMilliseconds != nil else { return }
        guard answers.count.load(ordering: .acquiring) >= asked else { return }
        send("WATCHDOG=1")
        asked += roster.liveCount
        roster.tellAll { [answers] _ in answers.count.add(1, ordering: .acquiringAndReleasing) }
    }

    private func send(_ message: String) {
        guard let path else { return }
        _ = ck_notify(path, message)
    }
}
