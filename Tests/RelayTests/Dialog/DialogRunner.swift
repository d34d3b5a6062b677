// Plays a dialog against a whole relay: worker, pool and fake API, and the client, all on one loop
// in the test's own thread. So nothing races, and a failure is one line of a transcript.

import TestSupport
import Testing

@testable import APIClient
@testable import Reactor
@testable import Relay

/// How the client's bytes are sent.
enum DialogCut: Sendable { case whole, singleBytes }

/// The client's end of a connection.
private final class DialogClient: StreamHandler {
    var stream: Stream?
    var received: [UInt8] = []
    var openedCount = 0
    var isClosed = false

    override func streamOpened(_ stream: Stream) {
        self.stream = stream
        openedCount += 1
    }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { received += Array($0) }
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        self.stream = nil
        isClosed = true
    }
}

/// Ends a dialog that takes too long.
private final class DialogGuard: TimerHandler {
    var hasFired = false
    override func timerFired(_ timer: LoopTimer) { hasFired = true }
}

/// One relay for one dialog.
final class DialogRunner {
    private static let limitMilliseconds = 30_000
    private static let singleBytesMax = 1_000
    private static let certificates = Result { try DialogCertificates() }

    private let dialog: Dialog
    private let cut: DialogCut
    private let loop: Loop
    private let api: FakeAPI
    private let worker: Worker
    private let clientTLS: TLSContext
    private let log = RecordedLog()
    private let patience = DialogGuard()
    private let timer: LoopTimer
    private var client = DialogClient()
    /// Memory that the dialog has taken.
    private var taken: MemoryShare?

    init(_ dialog: Dialog, _ cut: DialogCut) throws {
        self.dialog = dialog
        self.cut = cut
        let certificates = try Self.certificates.get()
        clientTLS = certificates.client
        loop = try Loop(index: 0, backend: testBackend)
        api = try FakeAPI(loop: loop)
        let configuration = try Self.configuration(dialog, apiPort: api.port)
        let shared = Shared(
            configuration: configuration, serverTLS: certificates.server, clientTLS: nil,
            log: log.events)
        shared.temporary.open(folder: "/tmp", bytesMax: 1 << 30)
        worker = try Worker(loop: loop, shared: shared, listening: configuration)
        timer = LoopTimer(loop: loop, handler: patience)
        timer.arm(
            at: MonotonicTime.readClock().advanced(byMilliseconds: Self.limitMilliseconds))
    }

    /// The messages that reached the API and were accepted.
    var acceptedBodies: [String] { api.acceptedBodies }

    /// Plays all steps, then lets everything end and checks that nothing is left.
    func play() {
        let bytes = dialog.settings.first { $0.name == "reservedBytes" }?.value ?? 0
        let others = Account(key: APIKey("ps_of_others".utf8.span))
        taken = worker.shared.budget.reserve(bytes, for: others)
        #expect(worker.shared.budget.reservedBytes == bytes)
        connect()
        for line in dialog.steps {
            if let problem = play(line.step) {
                Issue.record("\(dialog.name).smtp:\(line.number): \(problem)")
                break
            }
        }
        loop.later { [client] in client.stream?.finish() }
        tick { client.isClosed && worker.sessions.count == 0 }
        #expect(worker.sessions.count == 0, "sessions are left")
        taken = nil
        #expect(worker.shared.budget.reservedBytes == 0, "reserved memory is left")
        #expect(worker.counters.sessionsAccepted == worker.counters.sessionsClosed)
        api.close()
        for listener in worker.listeners { listener.close() }
        worker.pool.drain()
        timer.cancel()
        loop.stop()
        loop.run()
        #expect(loop.slabs.outstanding == 0, "slabs are left")
        #expect(!log.lines.isEmpty, "nothing was logged")
        for line in log.lines {
            #expect(!KeySearch.finds(in: line), "a key is in the log: \(line)")
        }
    }

    /// Returns what went wrong.
    private func play(_ step: Dialog.Step) -> String? {
        switch step {
        case .send(let bytes): send(bytes)
        case .expect(let line): return expect(line)
        case .replies(let count, let line): return expect(line, count: count)
        case .startTLS: return startTLS()
        case .closed: return expectClosed()
        case .close, .reset:
            loop.later { [client] in
                if step == .reset { client.stream?.abort() } else { client.stream?.finish() }
            }
            tick { client.isClosed && worker.sessions.count == 0 }
        case .reconnect: connect()
        case .release: taken = nil
        case .drain: loop.later { [worker] in worker.sessions.drainAll(isGraceful: false) }
        case .pause(let milliseconds):
            let end = MonotonicTime.readClock().advanced(byMilliseconds: milliseconds)
            let wake = LoopTimer(loop: loop, handler: TimerHandler())
            wake.arm(at: end)
            withExtendedLifetime(wake) { tick { loop.now >= end } }
        case .apiSends(let count):
            tick { api.sendCount >= count }
            if api.sendCount != count { return "the API has heard \(api.sendCount) sends" }
        }
        return nil
    }

    // MARK: Steps

    private func connect() {
        client = DialogClient()
        let listener = worker.listeners[dialog.isImplicitTLS ? 1 : 0]
        let tls = dialog.isImplicitTLS ? clientTLS : nil
        client.stream = Stream.connect(
            loop: loop, to: listener.address, tls: tls, serverName: "localhost",
            handler: client)
        tick { client.openedCount == 1 || client.isClosed }
    }

    private func send(_ bytes: [UInt8]) {
        for piece in pieces(of: bytes) {
            loop.later { [client] in client.stream?.write(piece.span) }
            loop.tick()
        }
    }

    /// Single bytes as long as that is fast enough, then short pieces.
    private func pieces(of bytes: [UInt8]) -> [[UInt8]] {
        guard cut == .singleBytes else { return [bytes] }
        let single = min(bytes.count, Self.singleBytesMax)
        let rest = stride(from: single, to: bytes.count, by: 97).map {
            Array(bytes[$0..<min($0 + 97, bytes.count)])
        }
        return bytes[..<single].map { [$0] } + rest
    }

    private func startTLS() -> String? {
        loop.later { [client, clientTLS] in
            client.stream?.startTLS(clientTLS, serverName: "localhost")
        }
        tick { client.openedCount == 2 || client.isClosed }
        return client.openedCount == 2 ? nil : "no handshake"
    }

    private func expect(_ line: String) -> String? {
        tick { client.received.contains(0x0A) || client.isClosed }
        guard let end = client.received.firstIndex(of: 0x0A) else {
            return "expected \"\(line)\", got the end"
        }
        var got = String(decoding: client.received[..<end], as: UTF8.self)
        client.received.removeFirst(end + 1)
        guard got.hasSuffix("\r") else { return "a reply ends with LF alone: \(got)" }
        got.removeLast()
        let matches =
            line.hasPrefix("~") ? Self.matches(got, String(line.dropFirst())) : got == line
        return matches ? nil : "expected \"\(line)\", got \"\(got)\""
    }

    private func expect(_ line: String, count: Int) -> String? {
        let expected = Array(String(repeating: line + "\r\n", count: count).utf8)
        tick { client.received.count >= expected.count || client.isClosed }
        guard client.received.starts(with: expected) else {
            return "got \(client.received.count) bytes instead of \(expected.count)"
        }
        client.received.removeFirst(expected.count)
        return nil
    }

    private func expectClosed() -> String? {
        tick { client.isClosed }
        guard client.isClosed else { return "the server does not close" }
        return client.received.isEmpty
            ? nil : "unexpected: \(String(decoding: client.received, as: UTF8.self))"
    }

    /// `*` stands for anything.
    private static func matches(_ text: String, _ pattern: String) -> Bool {
        let pieces = pattern.split(separator: "*", omittingEmptySubsequences: false)
        guard let first = pieces.first, let last = pieces.last, pieces.count > 1 else {
            return text == pattern
        }
        return text.hasPrefix(first) && text.hasSuffix(last)
    }

    private func tick(until isDone: () -> Bool) {
        while !isDone(), !patience.hasFired {
            let before = commandCount
            loop.tick()
            let most = 50 * (worker.sessions.count + 1)
            #expect(commandCount - before <= most, "a session took more than its turn")
        }
        if patience.hasFired { Issue.record("\(dialog.name).smtp: time is over") }
    }

    /// Commands that were answered so far.
    private var commandCount: Int {
        CommandVerb.allCases.reduce(0) { $0 + worker.counters.commands[$1] }
    }

    // MARK: The relay

    private static func configuration(_ dialog: Dialog, apiPort: UInt16) throws
        -> Configuration
    {
        let endpoint = APIEndpoint(
            isTLS: false, host: "127.0.0.1", port: apiPort, basePath: "",
            authority: "127.0.0.1:\(apiPort)")
        let any = SocketAddress(ipv4: 0x7F00_0001, port: 0)
        var configuration = Configuration(
            hostname: "relay.example",
            listeners: [
                ListenerSpec(address: any, isImplicitTLS: false),
                ListenerSpec(address: any, isImplicitTLS: true),
            ],
            loops: 1, api: APIOptions(endpoint: endpoint), memoryBudgetBytes: 1_048_576)
        configuration.reloadable.limits.failedLoginDelayMilliseconds = 20
        for (name, value) in dialog.settings { try set(name, value, &configuration) }
        return configuration
    }

    private static func set(_ name: String, _ value: Int, _ configuration: inout Configuration)
        throws
    {
        switch name {
        case "idleTimeoutMilliseconds":
            configuration.reloadable.limits.idleTimeoutMilliseconds = value
        case "sessionTimeoutMilliseconds":
            configuration.reloadable.limits.sessionTimeoutMilliseconds = value
        case "messageBytesMax": configuration.reloadable.limits.messageBytesMax = value
        case "memoryBudgetBytes": configuration.memoryBudgetBytes = value
        case "apiTimeoutMilliseconds": configuration.api.timeoutMilliseconds = value
        case "bufferThresholdBytes": configuration.messages.bufferThresholdBytes = value
        case "connectionsPerAddressMax":
            configuration.reloadable.abuse.connectionsPerAddressMax = value
        case "handshakesPerAddressMax":
            configuration.reloadable.abuse.handshakesPerAddressMax = value
        case "failedLoginsPerAddressMax":
            configuration.reloadable.abuse.failedLoginsPerAddressMax = value
        case "chunking": configuration.reloadable.limits.hasChunking = value != 0
        case "reservedBytes": break
        case "enhancedStatusCodes": configuration.hasEnhancedStatusCodes = value != 0
        case "verboseReplies": configuration.reloadable.hasVerboseReplies = value != 0
        default: throw DialogError(description: "no setting \(name)")
        }
    }
}

struct DialogError: Error, CustomStringConvertible { let description: String }
