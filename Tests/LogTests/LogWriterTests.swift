// Lines keep their order and are whole; whatever becomes of their reader, no loop waits, and what is
// lost is counted and said.

import Glibc
import Logging
import Reactor
import Testing

@testable import Log

/// Six thousand lines with this are more than may wait.
private let filler = [UInt8](repeating: UInt8(ascii: "f"), count: 1_000)

/// Lines that were read, and those that the log said are lost.
private struct Books {
    private var kept = 0
    private var last = -1
    private(set) var dropped = 0
    /// Numbers rise.
    private(set) var isInOrder = true

    var total: Int { kept + dropped }

    mutating func note(_ line: String) {
        if line.hasPrefix("log: ") {
            dropped += Int(line.split(separator: " ")[1]) ?? 0
        } else {
            let number = LogWriterTests.number(line) ?? -1
            isInOrder = isInOrder && number > last
            last = number
            kept += 1
        }
    }
}

struct LogWriterTests {
    /// The number at the end of a line.
    static func number(_ line: String) -> Int? {
        let sign = line.utf8.lastIndex(of: UInt8(ascii: "="))
        return sign.flatMap { Int(line[line.utf8.index(after: $0)...]) }
    }

    @Test("Lines of one loop keep their order, those of swift-log among them")
    func order() throws {
        let capture = try LogCapture()
        let (log, writer) = makeLog(.text, capture.descriptor)
        let loop = LoopLog(log)
        for number in 0..<4_000 {
            if number % 13 == 5 {
                log.event(.notice, "rare", ["number": "\(number)"])
            } else {
                write(number, to: loop)
            }
        }
        writer.finish()
        #expect(capture.lines.map(Self.number) == Array(0..<4_000))
        #expect(log.control.droppedLines == 0)
    }

    @Test("Lines of several loops are whole, and each loop's are in order")
    func loops() throws {
        let capture = try LogCapture()
        let (log, writer) = makeLog(.text, capture.descriptor)
        let ended = pipePair()
        for index in 0..<4 {
            startThread {
                let loop = LoopLog(log)
                for number in 0..<1_000 { write(number * 4 + index, to: loop) }
                _ = Glibc.write(ended.write, [1], 1)
            }
        }
        var byte: UInt8 = 0
        for _ in 0..<4 { #expect(read(ended.read, &byte, 1) == 1) }
        writer.finish()
        let numbers = capture.lines.map { Self.number($0) ?? -1 }
        #expect(numbers.count == 4_000)
        for index in 0..<4 {
            #expect(numbers.filter { $0 % 4 == index } == (0..<1_000).map { $0 * 4 + index })
        }
    }

    @Test("A level that is not logged begins no line")
    func levels() throws {
        let capture = try LogCapture()
        let (log, writer) = makeLog(.text, capture.descriptor, level: .info)
        let loop = LoopLog(log)
        #expect(!loop.begin(.debug, "refused"))
        write(1, to: loop)
        log.change(to: .warning)
        #expect(!loop.begin(.info, "message"))
        writer.finish()
        #expect(capture.lines.compactMap(Self.number) == [1])
    }

    @Test("Lines of any length are whole", arguments: LogFormat.allCases.filter { $0 != .journald })
    func lengths(_ format: LogFormat) throws {
        let capture = try LogCapture()
        let (log, writer) = makeLog(format, capture.descriptor)
        let loop = LoopLog(log)
        var expected: [[(String, String)]] = []
        for length in [1, 900, 15_000, 40_000, 100_000] {
            let text = String(repeating: "x", count: length)
            guard loop.begin(.info, "message") else { continue }
            loop.text("from", text)
            loop.text("to", text)
            loop.end()
            write(length, to: loop)
            expected += [[("from", text), ("to", text)], [("number", "\(length)")]]
        }
        writer.finish()
        let lines = capture.lines
        try #require(lines.count == expected.count)
        for (line, fields) in zip(lines, expected) {
            let whole = FormerLines.line(format, "", .info, "message", fields).dropLast()
            let separators: Set<Character> = [" ", ","]
            #expect(
                line.drop { !separators.contains($0) }
                    == String(decoding: whole, as: UTF8.self).drop { !separators.contains($0) })
        }
    }

    // MARK: Readers that fail

    /// Both ends of a pipe that are closed with the process.
    private func pipePair() -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    @Test("A reader that stands still makes no loop wait", .timeLimit(.minutes(1)))
    func standstill() throws {
        let ends = pipePair()
        let (log, writer) = makeLog(.text, ends.write)
        let loop = LoopLog(log)
        let count = 6_000
        for number in 0..<count { write(number, to: loop, filler: filler) }
        #expect(log.control.droppedLines > 0)
        // The reader goes on: what was kept comes in order, and the number of the others.
        var books = Books()
        var rest: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while books.total < count {
            let size = read(ends.read, &piece, piece.count)
            guard size > 0 else { break }
            rest += piece.prefix(size)
            guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { continue }
            let lines = rest[...end].split(separator: UInt8(ascii: "\n"))
            for line in lines { books.note(String(decoding: line, as: UTF8.self)) }
            rest.removeSubrange(...end)
        }
        #expect(books.isInOrder && books.total == count)
        #expect(books.dropped == log.control.droppedLines)
        writer.finish()
        close(ends.read)
        close(ends.write)
    }

    @Test("The end of the process does not wait for such a reader", .timeLimit(.minutes(1)))
    func standstillAtTheEnd() throws {
        let ends = pipePair()
        let (log, writer) = makeLog(.text, ends.write)
        let loop = LoopLog(log)
        for number in 0..<300 { write(number, to: loop, filler: filler) }
        writer.finish(within: 20)
        signal(SIGPIPE, SIG_IGN)
        close(ends.read)
        withExtendedLifetime(loop) {}
    }

    @Test("A reader that has gone costs its lines, and each is counted")
    func closedPipe() throws {
        signal(SIGPIPE, SIG_IGN)
        let ends = pipePair()
        close(ends.read)
        let (log, writer) = makeLog(.text, ends.write)
        let loop = LoopLog(log)
        for number in 0..<1_000 { write(number, to: loop) }
        log.event(.notice, "rare")
        writer.finish()
        #expect(log.control.droppedLines == 1_001)
        close(ends.write)
    }

    @Test("A full disk costs lines; when it has room again, their number is said")
    func fullDisk() throws {
        let capture = try LogCapture()
        let full = open("/dev/full", O_WRONLY)
        try #require(full >= 0)
        let (log, writer) = makeLog(.text, full)
        let loop = LoopLog(log)
        for number in 0..<1_000 { write(number, to: loop) }
        while log.control.droppedLines < 1_000 { usleep(1_000) }
        try #require(dup2(capture.descriptor, full) == full)
        write(1_000, to: loop)
        writer.finish()
        // The number may have been said first, if there was room in time.
        let lines = capture.lines.sorted()
        try #require(lines.count == 2)
        #expect(Self.number(lines[0]) == 1_000)
        #expect(lines[1] == "log: 1000 lines dropped")
        close(full)
    }

    @Test("After a line that was cut off, the next begins on a line of its own")
    func cutLine() throws {
        let ends = pipePair()
        let copy = dup(ends.write)
        try #require(copy >= 0)
        let target = LogTarget(descriptor: copy)
        signal(SIGPIPE, SIG_IGN)
        // The pipe takes a part of the line; then its reader goes.
        let lines = [UInt8](repeating: UInt8(ascii: "x"), count: 100_000) + [UInt8(ascii: "\n")]
        let reader = ends.read
        startThread {
            var entry = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            _ = poll(&entry, 1, -1)
            close(reader)
        }
        #expect(lines.withUnsafeBytes(target.write) == 1)
        let capture = try LogCapture()
        try #require(dup2(capture.descriptor, copy) == copy)
        #expect(Array("next\n".utf8).withUnsafeBytes(target.write) == 0)
        #expect(capture.bytes == Array("\nnext\n".utf8))
        close(copy)
        close(ends.write)
    }
}

/// journald's socket, played by this test.
private final class Journal {
    let path: String
    private var descriptor: Int32 = -1

    init() throws {
        var folder = Array("/tmp/log-tests.XXXXXX".utf8CString)
        try #require(mkdtemp(&folder) != nil)
        path = folder.withUnsafeBufferPointer { String(cString: $0.baseAddress!) } + "/socket"
        try listen()
    }

    func listen() throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
    }

    func stop() {
        close(descriptor)
        unlink(path)
    }

    deinit { rmdir(String(path.dropLast("/socket".count))) }

    /// The next entry; waits for it.
    func next() -> String {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}

struct JournalTests {
    private func makeLog(_ journal: Journal) throws -> (EventLog, LogWriter) {
        let control = LogControl(level: .info)
        let writer = LogWriter(socket: try DatagramSocket(path: journal.path), control: control)
        return (EventLog(writer: writer, format: .journald, control: control), writer)
    }

    @Test("Each line is an entry, that of a loop and that of swift-log alike")
    func entries() throws {
        let journal = try Journal()
        let (log, writer) = try makeLog(journal)
        let loop = LoopLog(log)
        log.event(.warning, "rare", ["reason": "a b"])
        _ = loop.begin(.info, "message")
        loop.text("from", "x\nPRIORITY=0")
        loop.number("reply", 250)
        loop.end()
        writer.finish()
        let rare = FormerLines.line(.journald, "", .warning, "rare", [("reason", "a b")])
        let fields = [("from", "x\nPRIORITY=0"), ("reply", "250")]
        let line = FormerLines.line(.journald, "", .info, "message", fields)
        #expect(journal.next() == String(decoding: rare, as: UTF8.self))
        #expect(journal.next() == String(decoding: line, as: UTF8.self))
        journal.stop()
    }

    @Test("A journald that stands still makes no loop wait", .timeLimit(.minutes(1)))
    func standstill() throws {
        let journal = try Journal()
        let (log, writer) = try makeLog(journal)
        let loop = LoopLog(log)
        let count = 6_000
        for number in 0..<count { write(number, to: loop, filler: filler) }
        #expect(log.control.droppedLines > 0)
        var books = Books()
        while books.total < count {
            let entry = journal.next()
            guard let message = entry.utf8.split(separator: UInt8(ascii: "\n")).first else { break }
            books.note(String(decoding: message.dropFirst("MESSAGE=".utf8.count), as: UTF8.self))
        }
        #expect(books.isInOrder && books.total == count)
        #expect(books.dropped == log.control.droppedLines)
        writer.finish()
        journal.stop()
    }

    @Test("A journald that has gone costs entries; when it is back, their number is said")
    func gone() throws {
        let journal = try Journal()
        let (log, writer) = try makeLog(journal)
        let loop = LoopLog(log)
        journal.stop()
        for number in 0..<500 { write(number, to: loop) }
        while log.control.droppedLines < 500 { usleep(1_000) }
        try journal.listen()
        write(500, to: loop)
        writer.finish()
        // The number may have been said first, if journald was back in time.
        let entries = [journal.next(), journal.next()].sorted()
        #expect(entries[0] == "MESSAGE=log: 500 lines dropped\n")
        #expect(entries[1].hasPrefix("MESSAGE=message number=500\n"))
        journal.stop()
    }
}

@Suite("The bound on lines that wait")
struct LogBudgetTests {
    @Test("A long line that nothing follows takes nothing once it is written")
    func lastLongLine() {
        let budget = LogBudget(bytesMax: 0)
        let stream = LogStream(first: LogSlab(), budget: budget)
        #expect(budget.isKept)
        stream.extend(with: LogSlab(capacity: 200_000), at: 0)
        stream.publish(150_000)
        #expect(!budget.isKept)
        stream.take(before: 150_000) { #expect($0.count == 150_000) }
        #expect(budget.isKept)
        // The next piece, and the end: nothing is given back twice.
        #expect(stream.extend(at: 150_000) == nil)
        stream.extend(with: LogSlab(), at: 150_000)
        stream.publish(150_010)
        stream.take(before: 150_010) { #expect($0.count == 10) }
        #expect(budget.isKept)
        stream.finish()
        #expect(budget.takes(0) && !budget.takes(1))
    }
}
