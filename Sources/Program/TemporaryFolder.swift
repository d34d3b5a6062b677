// Where messages spill to that memory must not hold: the folder, tried at start, and how many bytes.
//
// The flag wins; else the first usable state folder counts: that of the service manager
// (systemd.exec(5), StateDirectory=), that of the user (XDG Base Directory Specification). Without any
// the relay runs and spills nothing, and one line of the log says so.

import ArgumentParser
import Glibc
import Log
import Relay

/// The folder of temporary files. On the main thread.
struct TemporaryFolder {
    /// A folder that may serve, and who named it.
    struct Candidate: Equatable {
        let path: String
        let source: String
    }

    /// A folder that serves.
    struct Choice: Equatable {
        let candidate: Candidate
        let bytesMax: Int
    }

    /// The part of the free space that files may take, unless a flag says how much.
    static let freeSpacePart = 8

    private let flag: String?
    private let bytesMax: Int?
    private let environment: [String: String]
    private let log: EventLog

    /// - Parameters:
    ///   - flag: `--temporary-folder`.
    ///   - bytesMax: `--temporary-budget`.
    init(flag: String?, bytesMax: Int?, environment: [String: String], log: EventLog) {
        self.flag = flag
        self.bytesMax = bytesMax
        self.environment = environment
        self.log = log
    }

    /// Tries the folder of the flag, if there is one.
    /// - Throws: `ValidationError` that names the flag.
    func checkFlag() throws {
        guard let flag, let reason = Self.fault(of: flag) else { return }
        throw ValidationError("--temporary-folder \(flag): \(reason).")
    }

    /// Chooses the folder, and tells `budget`. Only when nothing is usable, nothing is spilled.
    /// - Parameter hasNewUser: the process has become another user, whose home is not `$HOME`.
    /// - Throws: `ValidationError` when the folder of the flag is not usable.
    func open(for budget: TemporaryBudget, hasNewUser: Bool) throws {
        try checkFlag()
        let home = hasNewUser ? Self.homeOfUser() : environment["HOME"] ?? Self.homeOfUser()
        let candidates = Self.candidates(flag: flag, environment: environment, home: home)
        var faults: [String] = []
        for candidate in candidates {
            let isOwn = candidate.source != "--temporary-folder"
            if let reason = isOwn ? Self.make(candidate.path) : Self.fault(of: candidate.path) {
                faults.append("\(candidate.path): \(reason)")
                continue
            }
            let bytes = bytesMax ?? Self.freeBytes(of: candidate.path) / Self.freeSpacePart
            budget.open(folder: candidate.path, bytesMax: bytes)
            log.event(
                .info, "temporary-folder",
                ["folder": candidate.path, "from": candidate.source, "budget": "\(bytes)"])
            return
        }
        log.event(
            .warning, "no-temporary-folder",
            [
                "tried": faults.joined(separator: "; "),
                "effect": "messages that must be held in a file get 451",
                "remedy": "give --temporary-folder, or StateDirectory= in the unit",
            ])
    }

    /// The folders that may serve, in the order in which they are tried.
    /// - Parameter home: of the user; nil without one.
    static func candidates(
        flag: String?, environment: [String: String], home: String?
    ) -> [Candidate] {
        if let flag { return [Candidate(path: flag, source: "--temporary-folder")] }
        var candidates: [Candidate] = []
        // The service manager may have made several.
        let states = (environment["STATE_DIRECTORY"] ?? "").split(separator: ":")
        if let state = states.first, state.hasPrefix("/") {
            candidates.append(Candidate(path: String(state), source: "STATE_DIRECTORY"))
        }
        // "All paths set in these environment variables must be absolute."
        let stateHome = environment["XDG_STATE_HOME"] ?? ""
        if stateHome.hasPrefix("/") {
            candidates.append(
                Candidate(path: stateHome + "/postscale-relay", source: "XDG_STATE_HOME"))
        } else if let home, home.hasPrefix("/") {
            candidates.append(
                Candidate(path: home + "/.local/state/postscale-relay", source: "HOME"))
        }
        return candidates
    }

    /// Makes the folder and those above it as far as they are missing, for this user alone.
    /// - Returns: why files cannot be made in it; nil when they can.
    static func make(_ folder: String) -> String? {
        var path = ""
        for name in folder.split(separator: "/") {
            path += "/" + name
            guard mkdir(path, 0o700) != 0, errno != EEXIST, access(path, F_OK) != 0 else {
                continue
            }
            return reason()
        }
        return fault(of: folder)
    }

    /// Why no file can be made in `folder`; nil when one could, which is gone again.
    static func fault(of folder: String) -> String? {
        if folder.isEmpty { return String(cString: strerror(ENOENT)) }
        var path = Array("\(folder)/postscale-relay-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        guard descriptor >= 0 else { return reason() }
        close(descriptor)
        unlink(path)
        return nil
    }

    /// Bytes that this user may still write there.
    static func freeBytes(of folder: String) -> Int {
        var facts = statvfs()
        guard statvfs(folder, &facts) == 0 else { return 0 }
        let (bytes, isOver) = Int(clamping: facts.f_bavail)
            .multipliedReportingOverflow(by: Int(clamping: facts.f_frsize))
        return isOver ? .max : bytes
    }

    /// The home of the user that the process is, by the user database.
    private static func homeOfUser() -> String? {
        guard let entry = getpwuid(geteuid()), let home = entry.pointee.pw_dir else { return nil }
        return String(cString: home)
    }

    private static func reason() -> String { String(cString: strerror(errno)) }
}
