// A ledger in a file: what outlives a process, and every fault of the file.

import Foundation
import Log
import Reactor
import TestSupport
import Testing

@testable import LedgerFile
@testable import Relay

private let scope = LedgerScope(owner: 0xFFFF_0000_1111_2222, sender: 1)

private func digest(_ number: UInt64) -> ContentDigest {
    ContentDigest(high: 0xFEDC_BA98_7654_3210 &+ number, low: 1)
}

private func put(_ number: UInt64, _ fact: LedgerFact, seconds: Int = 600) -> LedgerChange {
    LedgerChange(
        .put(fact, until: MonotonicTime.readClock().advanced(byMilliseconds: seconds * 1_000)),
        scope: scope, digest: digest(number))
}

/// A folder of one test, and a loop whose desk waits for the disk.
private final class FileBench {
    let folder: String
    let loop: Loop
    var path: String { folder + "/ledger.sqlite" }

    init() throws {
        folder = NSTemporaryDirectory() + "ledger-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        loop = try Loop(index: 0, backend: testBackend)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func home(_ adjust: (inout FileLedger.Options) -> Void = { _ in }) -> FileLedger {
        var options = FileLedger.Options(path: path)
        options.retryMilliseconds = 50
        adjust(&options)
        let home = FileLedger(options: options, log: .silent())
        home.start()
        return home
    }

    /// Makes changes; whether they were said to be on disk, by the desk's own word.
    func write(_ changes: [LedgerChange], to home: FileLedger) -> Bool {
        var isWritten = false
        let desk = home.desk(on: loop)
        if desk.apply(changes, at: .readClock(), written: { isWritten = true }) { return true }
        return wait { isWritten }
    }

    func wait(_ condition: () -> Bool) -> Bool {
        for _ in 0..<1_000 where !condition() {
            loop.later {}
            loop.tick()
            usleep(5_000)
        }
        return condition()
    }

    func ask(_ home: FileLedger, _ whole: UInt64, _ recipients: [UInt64] = []) -> LedgerAnswer {
        let question = LedgerQuestion(
            scope: scope, whole: digest(whole), recipients: recipients.map { digest($0) })
        return home.desk(on: loop).ask(question, at: .readClock()) { _ in } ?? .nothing
    }

    func rows() throws -> Int {
        try LedgerDatabase(
            path: path, bytesMax: 1 << 20, hashKey: .random(), isReadOnly: true
        ).load(wallNow: 0).count
    }
}

@Suite("A ledger in a file", .serialized)
struct FileLedgerTests {
    private static let facts: [LedgerFact] = [
        .accepted(messageID: Array("id@example".utf8)), .delivered(messageID: [1, 0, 255]),
        .delivered(messageID: []), .refused(.suppressed), .refused(.forbidden), .tried,
    ]

    @Test("what was written is there after the process, with the same key of the digests")
    func outlives() throws {
        let bench = try FileBench()
        var home = bench.home()
        let key = home.hashKey
        #expect(
            bench.write(Self.facts.enumerated().map { put(UInt64($0), $1) }, to: home))
        // As after kill -9: what was said to be written is in the file without any close.
        #expect(try bench.rows() == Self.facts.count)
        home.close()
        home = bench.home()
        #expect(home.hashKey.words == key.words)
        #expect(home.status.isReachable && home.status.records == Self.facts.count)
        let answer = bench.ask(home, 99, [1, 2, 3, 4, 5])
        #expect(answer.recipients.map { $0?.fact } == Self.facts.dropFirst().map { $0 })
        #expect(bench.ask(home, 0).whole == Self.facts[0])
        home.close()
    }

    @Test("an acceptance that was told is there again when nobody said what became of it")
    func toldAndKilled() throws {
        let bench = try FileBench()
        var home = bench.home()
        #expect(bench.write([put(1, Self.facts[0])], to: home))
        #expect(bench.ask(home, 1).whole == Self.facts[0])
        #expect(bench.ask(home, 1).whole == .pending(submission: 0))
        home.close()
        home = bench.home()
        #expect(bench.ask(home, 1).whole == Self.facts[0])
        // The client has seen it: it is gone for good.
        #expect(
            bench.write(
                [LedgerChange(.forget, scope: scope, digest: digest(1))], to: home))
        home.close()
        home = bench.home()
        #expect(bench.ask(home, 1).whole == nil)
        home.close()
    }

    @Test("leases and what has expired do not come back")
    func expires() throws {
        let bench = try FileBench()
        var home = bench.home { $0.expiryMilliseconds = 10 }
        #expect(
            bench.write(
                [
                    put(1, .pending(submission: 1)), put(2, .tried, seconds: 1), put(3, .tried),
                ], to: home))
        #expect(bench.wait { (try? bench.rows()) == 1 })
        home.close()
        home = bench.home()
        #expect(home.status.records == 1)
        home.close()
    }

    @Test("the file and its companions are for their user alone")
    func mode() throws {
        let bench = try FileBench()
        let home = bench.home()
        #expect(bench.write([put(1, .tried)], to: home))
        let names = try FileManager.default.contentsOfDirectory(atPath: bench.folder)
        #expect(names.count >= 3)
        for name in names {
            let facts = try FileManager.default.attributesOfItem(
                atPath: bench.folder + "/" + name)
            #expect(facts[.posixPermissions] as? Int == 0o600, "\(name)")
        }
        home.close()
    }

    @Test("a damaged file is kept under another name, and everything is written anew")
    func damaged() throws {
        let bench = try FileBench()
        try Data(repeating: 7, count: 10_000).write(to: URL(fileURLWithPath: bench.path))
        let home = bench.home()
        #expect(home.status.isReachable)
        #expect(bench.write([put(1, .tried)], to: home))
        #expect(try bench.rows() == 1)
        let names = try FileManager.default.contentsOfDirectory(atPath: bench.folder)
        #expect(names.contains { $0.contains(".damaged-") })
        home.close()
    }

    @Test("a file that is in use, or a folder that is gone, leaves memory, and is caught up with")
    func catchesUp() throws {
        let bench = try FileBench()
        let first = bench.home()
        let second = bench.home()
        #expect(first.status.isReachable && !second.status.isReachable)
        #expect(second.status.failures == 1)
        // Nobody waits for a file that is out of reach.
        #expect(
            second.desk(on: bench.loop).apply([put(7, .tried)], at: .readClock(), written: {}))
        #expect(bench.ask(second, 1, [7]).recipients.first??.fact == .tried)
        first.close()
        #expect(bench.wait { second.status.isReachable && second.status.waiting == 0 })
        #expect(try bench.rows() == 1)
        second.close()

        try FileManager.default.removeItem(atPath: bench.folder)
        let third = bench.home()
        #expect(!third.status.isReachable)
        #expect(bench.write([put(8, .tried)], to: third))
        try FileManager.default.createDirectory(
            atPath: bench.folder, withIntermediateDirectories: true)
        #expect(bench.wait { third.status.isReachable && third.status.waiting == 0 })
        #expect(try bench.rows() == 1)
        third.close()
    }

    @Test("a locked file is waited for by nobody, and written later")
    func locked() throws {
        let bench = try FileBench()
        let home = bench.home()
        let other = try LedgerDatabase(path: bench.path, bytesMax: 1 << 20, hashKey: .random())
        try other.hold()
        #expect(bench.write([put(1, .tried)], to: home))
        #expect(bench.wait { !home.status.isReachable })
        try other.letGo()
        #expect(bench.wait { home.status.isReachable && home.status.waiting == 0 })
        #expect(try bench.rows() == 1)
        home.close()
    }

    @Test("a full file leaves memory")
    func full() throws {
        let bench = try FileBench()
        let home = bench.home { $0.fileBytesMax = 65_536 }
        let long = LedgerFact.accepted(messageID: Array(repeating: 7, count: 900))
        #expect(bench.write((0..<500).map { put($0, long) }, to: home))
        #expect(bench.wait { !home.status.isReachable })
        #expect(bench.ask(home, 3).whole == long)
        #expect(home.status.failures > 0)
        home.close()
    }

    @Test("changes beyond the bound are written anew from memory")
    func overflow() throws {
        let bench = try FileBench()
        let first = bench.home()
        let second = bench.home { $0.waitingMax = 10 }
        for number in 0..<100 { _ = bench.write([put(UInt64(number), .tried)], to: second) }
        #expect(second.status.lost > 0)
        first.close()
        // It never knew the file, so the file keeps what memory does not know.
        #expect(bench.wait { second.status.isReachable })
        second.close()
        let third = bench.home()
        #expect(third.status.records == 100)
        third.close()
    }

    @Test("another program's database is left alone")
    func foreign() throws {
        let bench = try FileBench()
        let database = try LedgerDatabase(path: bench.path, bytesMax: 1 << 20, hashKey: .random())
        try database.disguise()
        let home = bench.home()
        #expect(!home.status.isReachable)
        home.close()
        #expect(throws: LedgerFileError.self) { try LedgerFileReport(path: bench.path) }
    }

    @Test("the report counts, checks and empties")
    func report() throws {
        let bench = try FileBench()
        let home = bench.home()
        #expect(bench.write(Self.facts.enumerated().map { put(UInt64($0), $1) }, to: home))
        let report = try LedgerFileReport(path: bench.path)
        #expect(report.lines.first == "1 messages whose 250 was not seen")
        #expect(report.lines.contains("1 API keys") && report.lines.last == "in use by a relay")
        #expect(try report.faults().isEmpty)
        #expect(throws: LedgerFileError.self) {
            try LedgerFileReport(path: bench.path, isEmptied: true)
        }
        home.close()
        let emptied = try LedgerFileReport(path: bench.path, isEmptied: true)
        #expect(emptied.lines.first == "0 messages whose 250 was not seen")
        #expect(try bench.rows() == 0)
    }
}
