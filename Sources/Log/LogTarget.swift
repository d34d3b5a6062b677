// Where lines end: a descriptor, or journald's socket. For the log's thread, which may wait.
//
// Lines that cannot be written are lost and counted: a full disk, a reader that has gone. After a line
// that was cut off by that, the next one begins on a line of its own.

import Glibc

/// Writes lines; used by one thread.
final class LogTarget {
    private enum Kind {
        case descriptor(Int32)
        case entries(DatagramSocket)
    }

    private let kind: Kind
    /// The last byte that was written was not a line end.
    private var isMidLine = false

    /// - Parameter descriptor: stays the caller's.
    init(descriptor: Int32) { kind = .descriptor(descriptor) }

    /// Each entry is a datagram, with its length in front (`LineEncoder`).
    init(socket: DatagramSocket) { kind = .entries(socket) }

    /// Writes whole lines, or whole entries.
    /// - Returns: how many are lost.
    func write(_ lines: UnsafeRawBufferPointer) -> Int {
        switch kind {
        case .descriptor(let descriptor):
            if isMidLine { isMidLine = Self.write(Self.lineEnd, to: descriptor) == 0 }
            guard !isMidLine else { return Self.lineCount(lines) }
            let written = Self.write(lines, to: descriptor)
            if written > 0 { isMidLine = lines[written - 1] != UInt8(ascii: "\n") }
            return Self.lineCount(UnsafeRawBufferPointer(rebasing: lines[written...]))
        case .entries(let socket): return Self.send(lines, to: socket)
        }
    }

    /// Says that lines are lost.
    /// - Returns: whether it could.
    func says(dropped: Int) -> Bool {
        let words = Array("log: \(dropped) lines dropped\n".utf8)
        switch kind {
        case .descriptor: return words.withUnsafeBytes(write) == 0
        case .entries(let socket):
            return (Array("MESSAGE=".utf8) + words).withUnsafeBytes(socket.send)
        }
    }

    // MARK: A descriptor

    private static let lineEnd: StaticString = "\n"

    private static func write(_ text: StaticString, to descriptor: Int32) -> Int {
        write(
            UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount),
            to: descriptor)
    }

    /// - Returns: how many bytes were written before an error.
    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        var offset = 0
        while offset < bytes.count {
            let count = Glibc.write(descriptor, base + offset, bytes.count - offset)
            if count > 0 {
                offset += count
            } else if count < 0, errno == EAGAIN {
                waitWritable(descriptor)
            } else if count == 0 || errno != EINTR {
                return offset
            }
        }
        return offset
    }

    private static func waitWritable(_ descriptor: Int32) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&entry, 1, 1_000)
    }

    private static func lineCount(_ bytes: UnsafeRawBufferPointer) -> Int {
        bytes.reduce(0) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
    }

    // MARK: Entries

    private static func send(_ entries: UnsafeRawBufferPointer, to socket: DatagramSocket) -> Int {
        var lost = 0
        var offset = 0
        while offset < entries.count {
            let start = offset + LineEncoder.entryHeadBytes
            let length = entries.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            offset = start + Int(length)
            let entry = UnsafeRawBufferPointer(rebasing: entries[start..<offset])
            if !socket.send(entry) { lost += 1 }
        }
        return lost
    }
}
