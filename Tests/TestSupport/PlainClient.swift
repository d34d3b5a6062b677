// A TCP client over a blocking socket, for servers that run on a loop in their own thread.

import Glibc
import Reactor

/// Hands the port of a server from its thread to the test's.
package final class ServerPort: Sendable {
    private let value = Locked<UInt16>(0)

    package init() {}

    package var number: UInt16 {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}

/// One connection to 127.0.0.1. A read gives up after 60 seconds.
///
/// The kernel interrupts a call with EINTR when an io_uring that the same thread has used is taken down, some
/// milliseconds after the ring was closed; a test before this one may have done that.
package final class PlainClient {
    private let descriptor: Int32
    /// The peer has reset the connection.
    package private(set) var wasReset = false

    /// - Returns: nil when no server listens.
    package init?(port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { return nil }
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// Sends `text` with its own system call.
    package func send(_ text: String) {
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress! + offset, bytes.count - offset,
                    Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return }
            offset += count
        }
    }

    /// Ends our side; the answers still come.
    package func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The next bytes, at most 64 KiB; nil at the end.
    package func receive() -> String? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var count: Int
        repeat {
            count = recv(descriptor, &buffer, buffer.count, 0)
        } while count < 0 && errno == EINTR
        if count < 0 { wasReset = errno == ECONNRESET }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// Reads until `text` has come, or the end.
    package func receive(until text: String) -> String {
        var all = ""
        while !all.contains(text), let more = receive() { all += more }
        return all
    }

    /// Reads until the peer closes.
    package func receiveAll() -> String {
        var all = ""
        while let more = receive() { all += more }
        return all
    }
}
