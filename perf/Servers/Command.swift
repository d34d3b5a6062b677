// Other programs: finds, starts, awaits and ends them, and reads their output.

import Foundation
import Glibc
import Synchronization

/// A short-lived program.
enum Command {
    /// The program's path: as given when it has a slash, else from PATH and the usual folders of
    /// daemons.
    static func find(_ name: String) -> String? {
        if name.contains("/") { return access(name, X_OK) == 0 ? name : nil }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders = path.split(separator: ":").map(String.init)
        for folder in folders + ["/usr/sbin", "/usr/local/sbin", "/sbin"] {
            let file = "\(folder)/\(name)"
            if access(file, X_OK) == 0 { return file }
        }
        return nil
    }

    /// What it wrote to standard output; nil when it is missing or failed.
    static func output(_ arguments: [String]) -> String? {
        let file = NSTemporaryDirectory() + "relay-perf.\(UInt64.random(in: 0...(.max)))"
        defer { unlink(file) }
        guard let program = try? ServerProcess(arguments, log: file), program.waitForEnd() == 0
        else { return nil }
        return ProcFiles.text(file)
    }
}

/// Descriptors that this process may have, and so the programs that it starts.
func descriptorLimit() -> Int {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Int(clamping: limit.rlim_cur)
}

/// Which program could not be started, and why.
struct ServerError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A program that runs next to this one, in its own process group. It ends with its owner.
final class ServerProcess {
    /// Programs to end when this process is interrupted.
    private static let running = Mutex<Set<Int32>>([])

    let pid: Int32
    let log: String
    private var status: Int32?

    /// - Parameters:
    ///   - group: the control group for it and all that it starts.
    ///   - environment: besides our own.
    ///   - log: file for standard output and standard error.
    init(
        _ arguments: [String], group: ControlGroup? = nil, environment: [String: String] = [:],
        log: String
    ) throws {
        guard let program = Command.find(arguments[0]) else {
            throw ServerError("\(arguments[0]) is not installed")
        }
        var words = [program] + arguments.dropFirst()
        if let group {
            let enter = "echo 0 > \"$0/cgroup.procs\" && exec \"$@\""
            words = ["/bin/sh", "-c", enter, group.path] + words
        }
        var variables = ProcessInfo.processInfo.environment
        variables.merge(environment) { $1 }
        self.log = log
        pid = try ServerProcess.spawn(words, variables, log)
        ServerProcess.running.withLock { _ = $0.insert(pid) }
    }

    deinit { stop() }

    /// The exit code when it has ended (128 and the signal when one ended it), else nil.
    func poll() -> Int32? {
        if status == nil {
            var raw: Int32 = 0
            if waitpid(pid, &raw, WNOHANG) == pid { noteEnd(raw) }
        }
        return status
    }

    func waitForEnd() -> Int32 {
        var raw: Int32 = 0
        while status == nil {
            if waitpid(pid, &raw, 0) == pid { noteEnd(raw) } else if errno != EINTR { return -1 }
        }
        return status ?? -1
    }

    /// Asks it to end, and kills it after `secondsMax`.
    func stop(secondsMax: Int = 10) {
        guard poll() == nil else { return }
        kill(pid, SIGTERM)
        for _ in 0..<secondsMax * 50 where poll() == nil { usleep(20_000) }
        kill(-pid, SIGKILL)
        _ = waitForEnd()
    }

    private func noteEnd(_ raw: Int32) {
        status = raw & 0x7F == 0 ? raw >> 8 & 0xFF : 128 + raw & 0x7F
        ServerProcess.running.withLock { _ = $0.remove(pid) }
    }

    /// Ends every program that was started; used after a signal.
    static func killAll() {
        running.withLock { for pid in $0 { kill(-pid, SIGKILL) } }
    }

    private static func spawn(
        _ words: [String], _ variables: [String: String], _ log: String
    ) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // This process blocks signals; the programs that it starts must not.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] =
            variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (arguments + environment).forEach { free($0) } }
        var pid: pid_t = 0
        let error = posix_spawn(&pid, words[0], &actions, &attributes, &arguments, &environment)
        guard error == 0 else {
            throw ServerError("\(words[0]): \(String(cString: strerror(error)))")
        }
        return pid
    }
}
