// The backend of a process: io_uring where the kernel grants it, else epoll. It is chosen once,
// before the first loop.
//
// The process tries io_uring instead of guessing from the kernel's version: a container's seccomp
// filter, a kernel setting and a limit of memory or descriptors each refuse in their own way. Every
// loop needs a ring, so the process makes as many rings at once as there will be loops.

import Glibc

/// Which backend moves the bytes; `auto` picks.
public enum BackendKind: String, Sendable, CaseIterable {
    case auto, epoll
    case uring = "io_uring"

    /// A backend for one loop.
    /// - Throws: `SystemError` when the kernel refuses.
    func makeBackend() throws(SystemError) -> any Backend {
        switch self {
        case .auto: try BackendChoice(.auto, loopCount: 1).kind.makeBackend()
        case .epoll: try EpollBackend()
        case .uring: try UringBackend()
        }
    }
}

/// The backend that `--backend` led to.
public struct BackendChoice: Sendable {
    /// `.epoll` or `.uring`.
    public let kind: BackendKind
    /// Why `auto` is not io_uring, in one line; nil when it is, and when it was not asked.
    public let refusal: String?

    /// Tries io_uring, unless epoll is asked for.
    /// - Parameter loopCount: loops of the process that will use it at the same time.
    /// - Throws: the refusal, when io_uring itself is asked for and is not granted.
    public init(_ kind: BackendKind, loopCount: Int) throws(SystemError) {
        guard kind != .epoll else {
            self.kind = .epoll
            refusal = nil
            return
        }
        do throws(SystemError) {
            try Self.tryRings(loopCount)
            self.kind = .uring
            refusal = nil
        } catch {
            guard kind == .auto else { throw error }
            self.kind = .epoll
            refusal = Self.explanation(of: error)
        }
    }

    private static func tryRings(_ count: Int) throws(SystemError) {
        var rings: [UringBackend] = []
        for _ in 0..<count { rings.append(try UringBackend()) }
        try rings.first?.tryOperations()
    }

    /// "io_uring_setup: Operation not permitted (kernel.io_uring_disabled is 2)".
    public static func explanation(of error: SystemError) -> String {
        let cause: String? =
            switch error.errno {
            case EPERM, EACCES:
                switch disabledSetting() {
                case "1"?, "2"?: "kernel.io_uring_disabled is \(disabledSetting() ?? "")"
                default: "a seccomp filter, as containers have it, or another policy forbids it"
                }
            case ENOSYS: "this kernel has no io_uring"
            case EINVAL, EOPNOTSUPP: "it needs kernel 6.1 or newer"
            case ENOMEM: "no memory for a ring, or the limit of locked memory is reached"
            case EMFILE, ENFILE: "the limit of open files leaves no descriptor for a ring"
            default: nil
            }
        return cause.map { "\(error) (\($0))" } ?? error.description
    }

    /// /proc/sys/kernel/io_uring_disabled (kernel 6.6): 0 allows everyone, 1 a group, 2 no one.
    private static func disabledSetting() -> String? {
        guard let file = fopen("/proc/sys/kernel/io_uring_disabled", "r") else { return nil }
        defer { fclose(file) }
        let digit = fgetc(file)
        return digit == EOF ? nil : String(UnicodeScalar(UInt8(truncatingIfNeeded: digit)))
    }
}
