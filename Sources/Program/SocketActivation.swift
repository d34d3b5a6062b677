// Listening sockets that were bound before the relay started: systemd's socket activation
// (sd_listen_fds(3)), read by the relay itself.
//
// systemd keeps the sockets open. So a connection that comes between the end of one relay and the
// start of the next waits in the kernel, and is not refused.

import ArgumentParser
import CEpoll.Process
import Glibc
import Reactor
import Relay

/// Finds the sockets that the process was started with.
enum SocketActivation {
    private static let firstDescriptor: Int32 = 3

    /// One listener for each inherited socket; its name tells STARTTLS from TLS.
    /// - Parameters:
    ///   - environment: LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES.
    ///   - process: the number of this process; sockets for another process are ignored.
    /// - Throws: `ValidationError` for a descriptor that is no listening socket, or has another name.
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
