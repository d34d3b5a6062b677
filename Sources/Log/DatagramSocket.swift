// A datagram socket to a path of the file system, for the log's thread, which may wait.
//
// The listener may restart at any time, as journald does at updates: then the socket connects again
// for the next entry.

import CEpoll.Process
import Glibc
import Reactor

/// Sends datagrams to one path. Used by one thread at a time, which waits while the listener's queue
/// is full.
package final class DatagramSocket: Sendable {
    private let path: String
    private let descriptor: Locked<Int32>

    /// - Throws: `SystemError` that names the path.
    package init(path: String) throws(SystemError) {
        let descriptor = ck_connect_datagram(path)
        guard descriptor >= 0 else {
            throw SystemError(operation: "connect \(path)", errno: errno)
        }
        self.path = path
        self.descriptor = Locked(descriptor)
    }

    deinit { descriptor.withLock { _ = close($0) } }

    /// Sends one datagram; false when it was not delivered.
    func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        descriptor.withLock { descriptor in
            if Self.send(bytes, to: descriptor) { return true }
            let reason = errno
            guard reason == ECONNREFUSED || reason == ENOTCONN || reason == ECONNRESET else {
                return false
            }
            let fresh = ck_connect_datagram(path)
            guard fresh >= 0 else { return false }
            close(descriptor)
            descriptor = fresh
            return Self.send(bytes, to: fresh)
        }
    }

    private static func send(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var sent = -1
        repeat {
            sent = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        } while sent < 0 && errno == EINTR
        return sent == bytes.count
    }
}
