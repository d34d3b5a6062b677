// What the machine grants to the process, for `check`: descriptors, io_uring, a folder for temporary
// files.

import Glibc
import Reactor
import Relay

/// Looks at the machine.
struct MachineCheck {
    /// Sessions that a relay of a company has at its busiest hour.
    private static let sessionsEnough = 1_000

    private let configuration: Configuration

    init(_ configuration: Configuration) { self.configuration = configuration }

    func findings() -> [Finding] { [descriptors(), backend(), temporary()] }

    private func descriptors() -> Finding {
        let limit = descriptorLimit()
        let budget = RelayProcess.descriptors(for: configuration, limit: limit)
        let words = "\(limit), which is \(budget.sessionsMax) sessions"
        if budget.sessionsMax >= Self.sessionsEnough { return .ok("descriptors", words) }
        return .warn(
            "descriptors", words, "raise the hard limit: LimitNOFILE= in the unit, or ulimit -Hn")
    }

    private func backend() -> Finding {
        do throws(SystemError) {
            let choice = try BackendChoice(configuration.backend, loopCount: configuration.loops)
            guard let refusal = choice.refusal else {
                return .ok("io_uring", choice.kind == .uring ? "granted" : "not asked for")
            }
            return .warn(
                "io_uring", "refused: \(refusal)",
                "epoll serves instead, with some more CPU time; nothing else is lost")
        } catch {
            return .bad(
                "io_uring", BackendChoice.explanation(of: error),
                "--backend auto takes epoll where io_uring is refused")
        }
    }

    private func temporary() -> Finding {
        let environment = processEnvironment()
        let candidates = TemporaryFolder.candidates(
            flag: configuration.messages.temporaryFolder, environment: environment,
            home: environment["HOME"])
        var reason = "no folder is named"
        for candidate in candidates {
            let parent = Self.existing(candidate.path)
            guard let fault = TemporaryFolder.fault(of: parent) else {
                let free = TemporaryFolder.freeBytes(of: parent)
                let bytes =
                    configuration.messages.temporaryBytesMax
                    ?? free / TemporaryFolder.freeSpacePart
                let enough = 2 * configuration.reloadable.limits.messageBytesMax
                guard min(bytes, free) < enough else {
                    return .ok("temporary", "\(candidate.path) (\(candidate.source))")
                }
                return .warn(
                    "temporary",
                    "\(candidate.path): \(min(bytes, free) >> 20) MB for files, less than two of the "
                        + "largest messages",
                    "free space there, or give --temporary-folder or --temporary-budget")
            }
            reason = "\(candidate.path): \(fault)"
        }
        return .warn(
            "temporary", "\(reason): large messages to hidden recipients get 451",
            "give --temporary-folder, or StateDirectory= in the unit")
    }

    /// `path`, or the nearest folder above it that is there.
    private static func existing(_ path: String) -> String {
        var path = path
        while access(path, F_OK) != 0, let slash = path.lastIndex(of: "/"), slash > path.startIndex
        {
            path = String(path[..<slash])
        }
        return path
    }
}
