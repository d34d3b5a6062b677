// The home in a SQLite file: records in memory answer, and one thread writes them down.
//
// A loop never waits for the disk. What it changes is in memory at once, and in a batch of the writer
// a moment later; a reply that has to wait for its records is told when their batch is on disk. When
// the file is damaged, locked, full or gone, memory goes on alone, one line of the log says so, and
// everything is written as soon as the file can be.

import CEpoll.System
import Glibc
import Log
import Reactor
import Relay
import Synchronization

/// A ledger in a file. Safe to use from any thread.
package final class FileLedger: LedgerHome {
    /// What a file may have.
    package struct Options: Sendable {
        package var path: String
        package var bounds = LedgerTable.Bounds()
        /// Of the file; beyond it the file is as good as full.
        package var fileBytesMax = 268_435_456
        /// Changes that wait for the disk; beyond them the file is written anew from memory later.
        package var waitingMax = 131_072
        /// After a failure the file is tried again in this time.
        package var retryMilliseconds = 1_000
        /// How often what has expired is removed.
        package var expiryMilliseconds = 60_000

        package init(path: String) { self.path = path }
    }

    /// Somebody who is told when a batch is on disk.
    private struct Waiter: Sendable {
        let mailbox: Mailbox
        let tell: @Sendable () -> Void
    }

    private struct State: Sendable {
        var table: LedgerTable
        var hashKey: ContentHash.Key
        var writes: [LedgerWrite] = []
        var waiters: [Waiter] = []
        var isReachable = false
        /// Changes were dropped: the file has to be written anew.
        var isIncomplete = false
        /// The file was read: memory knows all that is in it.
        var isLoaded = false
        var isClosing = false
        var lost = 0
        var failures = 0
    }

    /// The lock, the database, its log and its index, and the thread's eventfd.
    package static let descriptorsMax = 6

    private let options: Options
    private let log: EventLog
    private let state: Locked<State>
    /// Records in the table.
    private let held = Atomic<Int>(0)
    /// An eventfd: there is something to write.
    private let work = cs_eventfd()
    private let thread = Locked<pthread_t?>(nil)

    /// A ledger in memory; `start` opens its file.
    package init(options: Options, log: EventLog) {
        self.options = options
        self.log = log
        state = Locked(State(table: LedgerTable(bounds: options.bounds), hashKey: .random()))
    }

    /// Opens the file and reads it, or goes on in memory and says so; then starts the writer.
    package func start() {
        let writer = FileLedgerWriter(options: options)
        tryToOpen(writer, isFirst: true)
        start(writer)
    }

    deinit { if work >= 0 { Glibc.close(work) } }

    package func desk(on loop: Loop) -> any LedgerDesk {
        FileLedgerDesk(home: self, mailbox: loop.mailbox)
    }

    package var status: LedgerStatus {
        state.withLock { state in
            var status = LedgerStatus(kind: "sqlite")
            status.records = state.table.count
            status.bytes = state.table.bytes
            status.refused = state.table.refused
            status.isReachable = state.isReachable
            status.waiting = state.writes.count
            status.lost = state.lost
            status.failures = state.failures
            return status
        }
    }

    package func close() {
        state.withLock { $0.isClosing = true }
        cs_eventfd_signal(work)
        let thread = self.thread.withLock { thread in
            let taken = thread
            thread = nil
            return taken
        }
        if let thread { pthread_join(thread, nil) }
    }

    // MARK: For desks

    var hashKey: ContentHash.Key { state.withLock { $0.hashKey } }

    func mayHold(_ scope: LedgerScope) -> Bool {
        held.load(ordering: .acquiring) > 0 && state.withLock { $0.table.mayHold(scope) }
    }

    func mayHoldRecipients(_ scope: LedgerScope) -> Bool {
        held.load(ordering: .acquiring) > 0
            && state.withLock { $0.table.mayHoldRecipients(scope) }
    }

    func answer(_ question: LedgerQuestion, at now: MonotonicTime) -> LedgerAnswer {
        state.withLock { $0.table.answer(question, at: now) }
    }

    /// - Parameter tell: called later, on the loop of `mailbox`, unless true is returned.
    func apply(
        _ changes: [LedgerChange], at now: MonotonicTime, mailbox: Mailbox,
        tell: (@Sendable () -> Void)?
    ) -> Bool {
        let wallNow = Int64(time(nil))
        let (isDone, hasWork) = state.withLock { state in
            for change in changes where state.table.apply(change, at: now) {
                let record = state.table.record(change.digest, at: now)
                state.writes += Self.write(change, record, at: now, wallNow: wallNow)
            }
            if state.writes.count > options.waitingMax {
                state.lost += state.writes.count
                state.writes = []
                state.isIncomplete = true
            }
            held.store(state.table.count, ordering: .releasing)
            let hasWork = !state.writes.isEmpty && state.isReachable
            guard let tell, state.isReachable else { return (true, hasWork) }
            state.waiters.append(Waiter(mailbox: mailbox, tell: tell))
            return (false, true)
        }
        if hasWork { cs_eventfd_signal(work) }
        return isDone
    }

    /// What the file has to know of a change. Leases are not written: after a restart nobody awaits
    /// the answer any more.
    private static func write(
        _ change: LedgerChange, _ record: LedgerRecord?, at now: MonotonicTime, wallNow: Int64
    ) -> [LedgerWrite] {
        guard let record else { return [.delete(change.digest)] }
        if case .pending = record.fact { return [] }
        let left = Int64(record.until.milliseconds(since: now)) / 1_000
        return [
            .put(
                LedgerRow(
                    digest: change.digest, scope: change.scope, fact: record.fact,
                    until: wallNow + left))
        ]
    }

    // MARK: The writer's thread

    private func start(_ writer: FileLedgerWriter) {
        let launch = FileLedgerLaunch(home: self, writer: writer)
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(launch)
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                cs_name_thread("ledger")
                let launch = Unmanaged<FileLedgerLaunch>.fromOpaque(argument).takeRetainedValue()
                launch.home.run(launch.writer)
                return nil
            }, argument.toOpaque())
        guard status == 0 else {
            argument.release()
            fail(LedgerFileError(code: 1, description: "no thread: \(status)"), isFirst: true)
            return
        }
        self.thread.withLock { $0 = thread }
    }

    /// The whole life of the thread.
    fileprivate func run(_ writer: FileLedgerWriter) {
        var nextExpiry = Self.now.advanced(byMilliseconds: options.expiryMilliseconds)
        while true {
            let isOpen = state.withLock { $0.isReachable }
            wait(milliseconds: isOpen ? 1_000 : options.retryMilliseconds)
            let isClosing = state.withLock { $0.isClosing }
            if !isOpen { tryToOpen(writer, isFirst: false) }
            writeBatch(writer)
            if Self.now >= nextExpiry {
                nextExpiry = Self.now.advanced(byMilliseconds: options.expiryMilliseconds)
                expire(writer)
            }
            if isClosing {
                writer.close()
                return
            }
        }
    }

    private func wait(milliseconds: Int) {
        var wanted = pollfd(fd: work, events: Int16(POLLIN), revents: 0)
        guard poll(&wanted, 1, Int32(milliseconds)) == 1 else { return }
        var count: UInt64 = 0
        _ = read(work, &count, 8)
    }

    private static var now: MonotonicTime { MonotonicTime.readClock() }

    /// Takes what waits, and writes it; who waited is told, whatever came of it.
    private func writeBatch(_ writer: FileLedgerWriter) {
        let (writes, waiters, isReachable) = state.withLock { state in
            let taken = (state.isReachable ? state.writes : [], state.waiters, state.isReachable)
            if state.isReachable { state.writes = [] }
            state.waiters = []
            return taken
        }
        if isReachable, !writes.isEmpty {
            do { try writer.write(writes) } catch {
                state.withLock { $0.writes = writes + $0.writes }
                fail(error, isFirst: false)
                writer.close()
            }
        }
        for waiter in waiters { waiter.mailbox.post(waiter.tell) }
    }

    private func expire(_ writer: FileLedgerWriter) {
        let isReachable = state.withLock { state in
            state.table.shrink(at: Self.now)
            held.store(state.table.count, ordering: .releasing)
            return state.isReachable
        }
        guard isReachable else { return }
        do { try writer.expire() } catch {
            fail(error, isFirst: false)
            writer.close()
        }
    }

    /// Opens the file, and brings file and memory together.
    private func tryToOpen(_ writer: FileLedgerWriter, isFirst: Bool) {
        do {
            let key = state.withLock { $0.hashKey }
            let opened = try writer.open(hashKey: key)
            if let aside = opened.setAside {
                log.event(
                    .error, "ledger-damaged",
                    [
                        "file": options.path, "kept_as": aside,
                        "effect": "what only the file knew is forgotten, and may be sent again",
                    ])
            }
            try meet(opened, writer)
        } catch {
            writer.close()
            fail(error, isFirst: isFirst)
        }
    }

    /// Once the file has been read, memory is right: a record that was told, for example, is still in
    /// the file.
    private func meet(_ opened: FileLedgerWriter.Opened, _ writer: FileLedgerWriter) throws {
        let (now, wallNow) = (Self.now, Int64(time(nil)))
        let (missed, isAnew, isBack) = state.withLock { state in
            let isFirst = !state.isLoaded
            let isAll = state.isIncomplete || opened.setAside != nil
            let isAnew = !isFirst && isAll
            if isFirst { Self.load(opened.rows, into: &state, at: now, wallNow: wallNow) }
            held.store(state.table.count, ordering: .releasing)
            let missed =
                isAll
                ? state.table.all(at: now).flatMap { change in
                    Self.write(
                        change, state.table.record(change.digest, at: now), at: now,
                        wallNow: wallNow)
                } : state.writes
            return (missed, isAnew, state.failures > 0)
        }
        if isAnew { try writer.empty() }
        try writer.write(missed)
        state.withLock { state in
            // What was written waits still, with what came meanwhile: twice is as good as once.
            state.isIncomplete = false
            state.isLoaded = true
            state.hashKey = opened.hashKey
            state.isReachable = true
        }
        let facts: KeyValuePairs<StaticString, String> = [
            "file": options.path, "records": "\(opened.rows.count)", "written": "\(missed.count)",
        ]
        if isBack {
            log.event(.notice, "ledger-reached", facts)
        } else {
            log.event(.info, "ledger-opened", facts)
        }
        cs_eventfd_signal(work)
    }

    /// Takes the records of the file into memory. What memory has changed since is newer.
    private static func load(
        _ rows: [LedgerRow], into state: inout State, at now: MonotonicTime, wallNow: Int64
    ) {
        let changed = Set(
            state.writes.map { write in
                switch write {
                case .put(let row): row.digest
                case .delete(let digest): digest
                }
            })
        for row in rows where !changed.contains(row.digest) {
            let until = now.advanced(byMilliseconds: Int(row.until - wallNow) * 1_000)
            state.table.apply(
                LedgerChange(.put(row.fact, until: until), scope: row.scope, digest: row.digest),
                at: now)
        }
    }

    private func fail(_ error: any Error, isFirst: Bool) {
        let wasReachable = state.withLock { state in
            defer { state.isReachable = false }
            state.failures += 1
            return state.isReachable
        }
        guard wasReachable || isFirst else { return }
        let remedy = (error as? LedgerFileError)?.remedy ?? "look at its disk and folder"
        log.event(
            .warning, "ledger-unreachable",
            [
                "file": options.path, "reason": "\(error)",
                "effect": "records are in memory alone, and a restart forgets them",
                "remedy": "\(remedy); it is tried again every second",
            ])
    }
}

/// What the thread is started with.
private final class FileLedgerLaunch: Sendable {
    let home: FileLedger
    let writer: FileLedgerWriter

    init(home: FileLedger, writer: FileLedgerWriter) {
        self.home = home
        self.writer = writer
    }
}

/// One loop's desk. Closures of the loop stay on it.
final class FileLedgerDesk: LedgerDesk {
    private let home: FileLedger
    private let mailbox: Mailbox

    init(home: FileLedger, mailbox: Mailbox) {
        self.home = home
        self.mailbox = mailbox
    }

    var hashKey: ContentHash.Key { home.hashKey }

    /// A disk under load takes its time; after a failure nobody waits.
    var writePatienceMilliseconds: Int { 5_000 }

    func mayHold(_ scope: LedgerScope, ticket: UInt64) -> Bool { home.mayHold(scope) }
    func mayHoldRecipients(_ scope: LedgerScope, ticket: UInt64) -> Bool {
        home.mayHoldRecipients(scope)
    }

    func ask(
        _ question: LedgerQuestion, at now: MonotonicTime,
        _ answer: @escaping (LedgerAnswer) -> Void
    ) -> LedgerAnswer? {
        home.answer(question, at: now)
    }

    func apply(_ changes: [LedgerChange], at now: MonotonicTime, written: (() -> Void)?) -> Bool {
        guard let written else {
            return home.apply(changes, at: now, mailbox: mailbox, tell: nil)
        }
        nonisolated(unsafe) let told = written  // Called on its own loop only.
        return home.apply(changes, at: now, mailbox: mailbox) { told() }
    }
}
