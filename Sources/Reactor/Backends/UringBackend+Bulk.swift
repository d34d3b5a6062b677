// Receiving in bulk over io_uring: a socket whose peer sends faster than we take it is read by
// system calls, 64 KiB at a time, into one buffer that all sockets of the loop share.
//
// A multishot receive hands a flood over in pieces of one small buffer each, cuts most TLS records
// in two, and walks through all its buffers, which no cache holds; and what it has taken is ours,
// however long we pause. So a piece that fills its buffer is the last but few: the request is
// cancelled, what it still delivers is consumed in order, and reading goes on with recv(2). Only
// when that finds nothing does the kernel wait for the socket. One piece a socket and batch, so that
// a flood waits in line with everyone else. Some bursts in a row that one small buffer would have
// held lead back to the multishot receive; the commands between two large messages do not.

import CEpoll.Uring
import Glibc

extension UringBackend {
    /// Bytes received by one system call at most.
    static let bulkBytesMax = 65_536
    /// Small bursts in a row that lead out of bulk mode.
    static let smallBurstsMax = 8

    /// Notes that a multishot receive filled its buffer, or found none free.
    func enterBulk(_ socket: UnsafeMutablePointer<UringSocket>) {
        guard !socket.pointee.isBulk else { return }
        socket.pointee.isBulk = true
        socket.pointee.isReadable = true
        socket.pointee.burstBytes = 0
        socket.pointee.smallBursts = 0
        if socket.pointee.inFlight.contains(.receive) {
            cu_cancel(ring, Operation.receive.data(socket.pointee.token))
        }
    }

    /// Reads in the next batch, or waits until there is something to read.
    func goOnInBulk(_ socket: UnsafeMutablePointer<UringSocket>) {
        if socket.pointee.isReadable {
            enqueue(socket)
        } else if !socket.pointee.inFlight.contains(.readable) {
            socket.pointee.inFlight.insert(.readable)
            cu_poll_readable_once(
                ring, socket.pointee.descriptor, Operation.readable.data(socket.pointee.token))
        }
    }

    /// The wait of a socket in bulk mode is over.
    func becameReadable(_ socket: UnsafeMutablePointer<UringSocket>) -> Completion? {
        socket.pointee.inFlight.remove(.readable)
        socket.pointee.isReadable = true
        let isWanted =
            socket.pointee.isReceiving && !socket.pointee.isClosing && socket.pointee.held.isEmpty
        return isWanted ? receiveNow(socket) : nil
    }

    /// One piece by a system call; nil when there is none yet.
    func receiveNow(_ socket: UnsafeMutablePointer<UringSocket>) -> Completion? {
        let count = cu_receive_now(
            socket.pointee.descriptor, bulkBuffer, UringBackend.bulkBytesMax)
        switch count {
        case UringBackend.bulkBytesMax:
            socket.pointee.burstBytes += count
            enqueue(socket)
        case 1...: burstEnds(socket, count)
        case -Int(EAGAIN):
            socket.pointee.isReadable = false
            goOnInBulk(socket)
            return nil
        case -Int(EINTR):
            enqueue(socket)
            return nil
        default: return ended(Int32(truncatingIfNeeded: count), socket)
        }
        return .received(UnsafeRawBufferPointer(start: bulkBuffer, count: count))
    }

    /// A short read has emptied the socket.
    private func burstEnds(_ socket: UnsafeMutablePointer<UringSocket>, _ count: Int) {
        let isSmall = socket.pointee.burstBytes + count < Int(UringBackend.bufferBytes)
        socket.pointee.burstBytes = 0
        socket.pointee.smallBursts = isSmall ? socket.pointee.smallBursts + 1 : 0
        socket.pointee.isReadable = false
        socket.pointee.isBulk = socket.pointee.smallBursts < UringBackend.smallBurstsMax
        startReceiving(socket)
    }
}
