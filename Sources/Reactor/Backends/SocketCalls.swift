// System calls on sockets that are the same for every backend of the kernel.

import CEpoll.Process
import CEpoll.System
import Glibc

/// System calls on sockets that complete at once.
enum SocketCalls {
    /// A TCP socket, small segments sent at once, dead peers noticed; or a negative error number.
    /// - Parameter isBlocking: io_uring needs blocking sockets; epoll needs the others.
    static func makeStreamSocket(_ family: Int32, isBlocking: Bool) -> Int32 {
        let descriptor = cs_tcp_socket(family, isBlocking ? 1 : 0)
        if descriptor >= 0 { cs_set_stream_options(descriptor) }
        return descriptor
    }

    /// A listening socket; what it accepts has its options.
    /// - Parameters:
    ///   - isShared: other sockets may listen there too, this process's and others'.
    ///   - sendBufferBytes: of each accepted socket; nil for the kernel's choice.
    /// - Throws: `SystemError` that names the call and the address.
    static func listen(
        on address: SocketAddress, backlog: Int, isShared: Bool, isBlocking: Bool,
        sendBufferBytes: Int?
    ) throws(SystemError) -> Int32 {
        let descriptor = makeStreamSocket(address.family, isBlocking: isBlocking)
        guard descriptor >= 0 else {
            throw SystemError(operation: "socket \(address)", errno: -descriptor)
        }
        cs_set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        if isShared { cs_set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1) }
        // Before the first connection: accepted sockets inherit it, and it cannot be taken back.
        if let sendBufferBytes {
            cs_set_option(descriptor, SOL_SOCKET, SO_SNDBUF, Int32(clamping: sendBufferBytes))
        }
        if address.isIPv6 {
            cs_set_option(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
        }
        var operation = "bind"
        var status = address.withSockaddr { cs_bind(descriptor, $0, $1) }
        if status == 0 {
            operation = "listen"
            status = cs_listen(descriptor, Int32(clamping: backlog))
        }
        guard status == 0 else {
            Glibc.close(descriptor)
            throw SystemError(operation: "\(operation) \(address)", errno: -status)
        }
        return descriptor
    }

    /// Bytes that have arrived and were not read yet.
    static func unreadBytes(of descriptor: Int32) -> Int { Int(cs_unread_bytes(descriptor)) }

    /// Bytes that the kernel has taken and the peer has not acknowledged; `Int.max` when it does not
    /// say.
    static func unacknowledgedBytes(of descriptor: Int32) -> Int {
        let count = cs_unacknowledged_bytes(descriptor)
        return count < 0 ? .max : Int(count)
    }

    /// Another descriptor of a listening socket that another process made. Nothing else of the
    /// socket changes: flags such as O_NONBLOCK and options belong to all its holders, which are
    /// other loops, other processes, and the relay that comes after this one.
    /// - Throws: `SystemError` when there is no descriptor for it.
    static func duplicate(_ descriptor: Int32) throws(SystemError) -> Int32 {
        let copy = cs_duplicate(descriptor)
        guard copy >= 0 else {
            throw SystemError(operation: "duplicate a socket", errno: -copy)
        }
        return copy
    }

    /// Sets what the connection of a shared listening socket has not inherited.
    static func setOptions(ofAccepted descriptor: Int32, sendBufferBytes: Int?) {
        cs_set_stream_options(descriptor)
        if let sendBufferBytes {
            cs_set_option(descriptor, SOL_SOCKET, SO_SNDBUF, Int32(clamping: sendBufferBytes))
        }
    }

    /// The address that a socket is bound to.
    static func localAddress(of descriptor: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        return cs_local_address(descriptor, &storage) == 0 ? SocketAddress(storage) : nil
    }
}

/// A listening socket that the process was started with.
public enum ListeningSocket {
    /// Where it listens; nil when `descriptor` is none over IP.
    public static func address(of descriptor: Int32) -> SocketAddress? {
        guard ck_is_listening(descriptor) != 0 else { return nil }
        return SocketCalls.localAddress(of: descriptor)
    }
}
