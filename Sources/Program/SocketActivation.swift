// Listening sockets that were bound before the relay was started: systemd's socket activation
// (sd_listen_fds(3)), spoken by us.
//
// The sockets stay open in whoever made them, so a connection that comes while one relay ends and
// the next begins waits in the kernel, and is not refused.

import ArgumentParser
import CEpoll.Process
import Glibc
import Reactor
import Relay

/// Finds the sockets that the process was started with.
enum SocketActivation {
    private static let firstDescriptor: Int32 = 3

    /// One listener for each inherited socket: the name says what is spoken on it.
    ///
    /// - Parameters:
    ///   - environment: LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES.
    ///   - process: our own number; what is meant for another process is left alone.
    /// - Throws: `ValidationError` for what is no listening socket, or has another name.
    static func listeners(
        _ environment: [String: String], process: Int32 = getpid()
    ) throws -> [ListenerSpec] {
        guard let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }), count > 0,
            environment["LISTEN_PID"] == "\(process)"
        else { return [] }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(
            separator: ":", omittingEmptySubsequences: false)
        return try (0..<count).map { index in
            let descriptor = firstDescriptor + index
            let name = Int(index) < names.count ? String(names[Int(index)]) : ""
            guard let isImplicitTLS = ["starttls": false, "tls": true][name] else {
                throw ValidationError(
                    "LISTEN_FDNAMES: socket \(descriptor) is named \"\(name)\": give "
                        + "FileDescriptorName=starttls or FileDescriptorName=tls in its unit.")
            }
            guard let address = ListeningSocket.address(of: descriptor) else {
                throw ValidationError(
                    "LISTEN_FDS: descriptor \(descriptor) is no listening TCP socket.")
            }
            return ListenerSpec(
                address: address, isImplicitTLS: isImplicitTLS, inherited: descriptor)
        }
    }
}
