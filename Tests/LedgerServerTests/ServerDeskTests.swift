// A loop's desk and a server on loopback, in one thread: what is answered, and how long anybody waits.

import APIClient
import Log
import Reactor
import TestSupport
import Testing
import ValkeyModel

@testable import LedgerServer
@testable import Relay

private let id = Array("m1@api.test".utf8)

/// A server on loopback that is the model, or a script.
private final class LoopbackServer: ListenerHandler {
    let model = ValkeyModel()
    /// What it says instead; nil for the model's answers.
    var script: String?
    /// It reads, and does not answer.
    var isSilent = false
    private(set) var listener: Listener!
    private(set) var peers: [Peer] = []

    final class Peer: StreamHandler {
        let server: LoopbackServer
        private let part = ValkeyModel.Connection()
        private var unread: [UInt8] = []
        private(set) var stream: Reactor.Stream?

        init(_ server: LoopbackServer) {
            self.server = server
            super.init()
        }

        override func streamOpened(_ stream: Reactor.Stream) { self.stream = stream }

        override func streamReceived(_ stream: Reactor.Stream, _ bytes: Span<UInt8>) {
            if let script = server.script { return stream.write(Array(script.utf8).span) }
            bytes.withUnsafeBufferPointer { unread += $0 }
            speak()
        }

        func speak() {
            guard !server.isSilent, let stream, !unread.isEmpty else { return }
            let now = stream.loop.now.nanoseconds / 1_000_000
            let answer = server.model.receive(unread, from: part, at: now)
            unread = []
            stream.write(answer.span)
        }

        override func streamClosed(_ stream: Reactor.Stream, _ reason: CloseReason) {
            self.stream = nil
        }
    }

    init(on loop: Loop) {
        super.init()
        listener = try! Listener(
            loop: loop, address: SocketAddress("127.0.0.1:0")!, tls: nil, handler: self)
    }

    var port: UInt16 { listener.address.port }

    override func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? {
        let peer = Peer(self)
        peers.append(peer)
        return peer
    }

    func hangUp() { for peer in peers { peer.stream?.abort() } }

    func speak() {
        isSilent = false
        for peer in peers { peer.speak() }
    }
}

private final class DeskBench {
    let bench: Bench
    let server: LoopbackServer
    let home: ServerLedger
    let desk: any LedgerDesk

    private init(_ first: DeskBench, _ desk: any LedgerDesk) {
        (bench, server, home, self.desk) = (first.bench, first.server, first.home, desk)
    }

    /// The same server and loop, another desk.
    func with(_ desk: any LedgerDesk) -> DeskBench { DeskBench(self, desk) }

    init(at port: UInt16? = nil, _ prepare: (LoopbackServer) -> Void = { _ in }) throws {
        bench = Bench()
        server = LoopbackServer(on: bench.loop)
        prepare(server)
        var address = LedgerServerAddress(host: "127.0.0.1")
        address.port = port ?? server.port
        home = try ServerLedger(options: ServerLedgerOptions(address: address), log: .silent())
        desk = home.desk(on: bench.loop)
    }

    func reach() { bench.turn { self.home.status.isReachable } }

    private func question(_ number: UInt64) -> LedgerQuestion {
        LedgerQuestion(scope: scope, whole: digest(number), recipients: [])
    }

    /// The answer, and how many milliseconds it took.
    func ask(_ number: UInt64) -> (answer: LedgerAnswer?, milliseconds: Int) {
        var answer: LedgerAnswer?
        let start = MonotonicTime.readClock()
        bench.act { [self] in
            answer = desk.ask(question(number), at: bench.loop.now) { answer = $0 }
        }
        bench.turn { answer != nil }
        return (answer, MonotonicTime.readClock().milliseconds(since: start))
    }

    /// Whether it was said to be written within `milliseconds`.
    func put(_ fact: LedgerFact, _ number: UInt64, milliseconds: Int = 2_000) -> Bool {
        var isWritten = false
        bench.act { [self] in
            let until = bench.loop.now.advanced(byMilliseconds: 60_000)
            let change = LedgerChange(
                .put(fact, until: until), scope: scope, digest: digest(number))
            isWritten = desk.apply([change], at: bench.loop.now) { isWritten = true }
        }
        let end = MonotonicTime.readClock().advanced(byMilliseconds: milliseconds)
        // The loop must not sleep for longer.
        let timer = LoopTimer(loop: bench.loop, handler: TimerHandler())
        timer.arm(at: end)
        bench.turn { isWritten || MonotonicTime.readClock() > end }
        timer.cancel()
        return isWritten
    }

    /// For a message whose MAIL the desk did not hear.
    func mayHoldAtOnce() -> Bool { desk.mayHold(scope, ticket: 0) }

    func mayHold() -> Bool {
        var ticket: UInt64 = 0
        bench.act { [self] in ticket = desk.mailBegan(scope) }
        bench.turn(milliseconds: 60)
        return desk.mayHold(scope, ticket: ticket)
    }
}

@Suite("A desk and its server", .serialized)
struct ServerDeskTests {
    @Test("What is written is answered, and what was told is told once")
    func answers() throws {
        let desk = try DeskBench()
        desk.reach()
        #expect(!desk.mayHold())
        #expect(desk.put(.accepted(messageID: id), 1))
        #expect(desk.home.status.waiting == 0)
        #expect(desk.mayHold())
        #expect(desk.ask(1).answer?.whole == .accepted(messageID: id))
        #expect(desk.ask(1).answer?.whole != .accepted(messageID: id))
        #expect(desk.ask(2).answer?.whole == nil)
        #expect(desk.home.status.questions > 3)
    }

    @Test("Questions of before the first connection wait for it")
    func early() throws {
        let desk = try DeskBench()
        desk.server.model.set("postscale:key", "1 \(desk.home.hashKey.text) 0000000000000005")
        let (answer, milliseconds) = desk.ask(1)
        #expect(answer == LedgerAnswer(recipients: []))
        #expect(milliseconds < 40)
        #expect(desk.home.status.isReachable)
    }

    @Test("A loop that begins after others asks the server, and not only memory")
    func lateLoop() throws {
        let desk = try DeskBench()
        desk.reach()
        let other = try ServerLedger(options: desk.home.options, log: .silent())
        let neighbour = desk.with(other.desk(on: desk.bench.loop))
        desk.bench.turn { other.status.isReachable }
        #expect(neighbour.put(.accepted(messageID: id), 1))
        let late = desk.with(desk.home.desk(on: desk.bench.loop))
        #expect(late.mayHoldAtOnce())
        let (answer, milliseconds) = late.ask(1)
        #expect(answer?.whole == .accepted(messageID: id))
        #expect(milliseconds < 40)
    }

    @Test("A first connection that takes too long is noted, and memory answers")
    func lateFirst() throws {
        let desk = try DeskBench { $0.isSilent = true }
        let (answer, milliseconds) = desk.ask(1)
        #expect(answer == LedgerAnswer(recipients: []))
        #expect(milliseconds <= 150)
        #expect(desk.home.status.failures == 1)
        #expect(desk.home.isFailing)
        #expect(desk.ask(2).milliseconds < 30)
        desk.server.speak()
        desk.bench.turn { desk.home.status.isReachable }
    }

    @Test("A server that is silent at the start is in reach once it answers")
    func silentStart() throws {
        let desk = try DeskBench { $0.isSilent = true }
        desk.home.start()
        #expect(desk.home.isFailing)
        #expect(!desk.home.status.isReachable)
        #expect(desk.ask(1).milliseconds < 30)
        desk.server.speak()
        desk.bench.turn { desk.home.status.isReachable && !desk.home.isFailing }
    }

    @Test("A silent server: nobody waits longer than 50 ms, memory answers, and it catches up")
    func silent() throws {
        let desk = try DeskBench()
        desk.reach()
        desk.server.isSilent = true
        #expect(!desk.put(.accepted(messageID: id), 1, milliseconds: 5))
        let (answer, milliseconds) = desk.ask(1)
        #expect(answer?.whole == .accepted(messageID: id))
        // 50, and what a busy machine adds.
        #expect(milliseconds <= 150)
        #expect(!desk.home.status.isReachable)
        #expect(desk.home.status.timeouts <= 1)
        // From now on nobody waits at all, and what is written waits in memory.
        #expect(desk.ask(2).milliseconds < 30)
        #expect(desk.put(.accepted(messageID: id), 2))
        #expect(desk.home.status.waiting > 0)
        desk.server.speak()
        desk.bench.turn { desk.home.status.isReachable && desk.home.status.waiting == 0 }
        #expect(desk.server.model.names(at: 0).count { $0.hasPrefix("postscale:a") } == 2)
    }

    @Test("A server that is silent for a second is left, and found again")
    func left() throws {
        let desk = try DeskBench()
        desk.reach()
        desk.server.isSilent = true
        #expect(!desk.put(.accepted(messageID: id), 1, milliseconds: 10))
        desk.bench.turn { desk.server.peers.contains { $0.stream == nil } }
        desk.server.isSilent = false
        desk.bench.turn { desk.home.status.isReachable && desk.home.status.waiting == 0 }
        #expect(desk.ask(1).answer?.whole == .accepted(messageID: id))
    }

    @Test("The server hangs up: memory answers at once, and what was missed is written")
    func hangUp() throws {
        let desk = try DeskBench()
        desk.reach()
        desk.server.script = "-LOADING Redis is loading the dataset in memory\r\n"
        desk.bench.act { desk.server.hangUp() }
        desk.bench.turn { !desk.home.status.isReachable }
        #expect(desk.put(.accepted(messageID: id), 1))
        let (answer, milliseconds) = desk.ask(1)
        #expect(answer?.whole == .accepted(messageID: id))
        #expect(milliseconds < 30)
        desk.bench.turn(milliseconds: 400)
        #expect(desk.home.status.failures > 0)
        desk.server.script = nil
        desk.bench.turn { desk.home.status.isReachable && desk.home.status.waiting == 0 }
        #expect(desk.server.model.names(at: 0).contains { $0.hasPrefix("postscale:a") })
    }

    @Test(
        "Nonsense instead of a server: mail goes on by memory",
        arguments: [
            "220 mail.example ESMTP\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "+OK\r\n+OK\r\n",
        ])
    func nonsense(_ script: String) throws {
        let desk = try DeskBench { $0.script = script }
        desk.bench.turn { desk.home.status.failures > 0 }
        #expect(desk.put(.accepted(messageID: id), 1))
        #expect(desk.ask(1).answer?.whole == .accepted(messageID: id))
        #expect(!desk.home.status.isReachable)
    }

    @Test("Nobody is there at the start: questions are answered at once, and it is found later")
    func absent() throws {
        let port = { () -> UInt16 in
            let bench = Bench()
            return LoopbackServer(on: bench.loop).port
        }()
        let desk = try DeskBench(at: port)
        desk.bench.turn { desk.home.status.failures > 0 }
        #expect(desk.ask(1).milliseconds < 30)
        #expect(!desk.mayHold())
    }

    @Test("What a loop leaves unwritten is written at the end")
    func close() throws {
        let server = DetachedServer()
        var address = LedgerServerAddress(host: "127.0.0.1")
        address.port = server.port
        let home = try ServerLedger(
            options: ServerLedgerOptions(address: address), log: .silent())
        do {
            // A loop that ends before it has reached anybody.
            let loop = try Loop(index: 0, backend: testBackend)
            let desk = home.desk(on: loop)
            let until = MonotonicTime.readClock().advanced(byMilliseconds: 60_000)
            desk.apply(
                [
                    LedgerChange(
                        .put(.accepted(messageID: id), until: until), scope: scope,
                        digest: digest(1))
                ], at: loop.now, written: nil)
            loop.stop()
            loop.run()
        }
        home.close()
        #expect(server.names().contains { $0.hasPrefix("postscale:a") })
        server.stop()
    }
}

/// The model on a thread of its own. `@unchecked`: looked at when its clients are gone.
private final class DetachedServer: @unchecked Sendable {
    private final class Box: @unchecked Sendable { var server: LoopbackServer? }

    private let group: LoopGroup
    private let box: Box

    init() {
        let box = Box()
        self.box = box
        group = try! LoopGroup(count: 1, backend: testBackend) { loop in
            let server = LoopbackServer(on: loop)
            box.server = server
            return server
        }
    }

    var port: UInt16 { box.server?.port ?? 0 }

    func names() -> [String] { box.server?.model.names(at: 0) ?? [] }

    func stop() {
        box.server = nil
        group.stop()
        group.join()
    }
}
