// The user and the group of the process: `--user` and `--group`, and how it gives root's rights up.
//
// It gives them up once and for good, in all threads, after the ports are bound and before the first
// client is accepted. If that fails, or cannot be seen to have worked, the process ends.

import ArgumentParser
import CEpoll.Process
import Glibc
import Reactor

/// A user and a group that the process is to become.
struct ProcessIdentity: Sendable, Equatable {
    let user: uid_t
    let group: gid_t

    init(user: uid_t, group: gid_t) {
        self.user = user
        self.group = group
    }

    /// - Parameters:
    ///   - user: a name, or a number.
    ///   - group: a name, or a number; nil for the user's own group. A number that is not in the user
    ///     database has none.
    /// - Throws: `ValidationError` that names the flag.
    init(user: String, group: String?) throws {
        let entry = Self.entry(ofUser: user)
        guard let id = entry?.user ?? uid_t(user) else {
            throw ValidationError("--user \(user): there is no such user.")
        }
        let ownGroup = group == nil ? entry?.group : try Self.group(group ?? "")
        guard let ownGroup else {
            throw ValidationError("--user \(user): has no group of its own; give --group.")
        }
        self.init(user: id, group: ownGroup)
    }

    /// The process becomes this user and group.
    /// - Throws: `ValidationError` when that did not work; the process must end then.
    func assume() throws {
        guard ck_become(user, group) == 0 else {
            throw ValidationError(
                "--user: cannot become \(self): \(SystemError.text(errno)). Only root can.")
        }
    }

    private static func entry(ofUser name: String) -> (user: uid_t, group: gid_t)? {
        let found = uid_t(name).map { getpwuid($0) } ?? getpwnam(name)
        return found.map { ($0.pointee.pw_uid, $0.pointee.pw_gid) }
    }

    private static func group(_ name: String) throws -> gid_t {
        if let number = gid_t(name) { return number }
        guard let found = getgrnam(name) else {
            throw ValidationError("--group \(name): there is no such group.")
        }
        return found.pointee.gr_gid
    }
}

extension ProcessIdentity: CustomStringConvertible {
    /// `user 65534, group 65534`
    var description: String { "user \(user), group \(group)" }
}
