// Fuzz target for whole sessions, several at a time, against an API in memory: the real worker,
// pool, caches, sessions and submissions on one loop.
//
// An input consists of what the clients send, and of single bytes that never occur in UTF-8:
//
//     F5 F6 F7  the following bytes belong to client 1, 2, 3 (a new one, if it has left)
//     F8        sends the gathered bytes: a cut
//     F9 FA     this client ends its side; resets
//     FB FC     a second passes; a minute and a second pass
//     FD        the relay is told to end
//
// Client 3 uses a listener for STARTTLS, so OpenSSL reads its handshake. The others use listeners
// with TLS from the first byte, and the fuzzer's bytes are the plaintext after the handshake.

import APIClient
import Glibc
import Reactor
import Relay
import Wire

private nonisolated(unsafe) let run = SessionRun()

let sessionTarget = FuzzTarget(name: "Session") { input in
    run.begin()
    for index in 0..<input.count { run.take(input[index]) }
    run.end()
}

/// Turns connections into sessions. The session believes that there is TLS, although there is none.
private final class FuzzListener: ListenerHandler {
    let worker: Worker
    var isImplicitTLS = true

    init(_ worker: Worker) {
        self.worker = worker
        super.init()
    }

    override func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? {
        guard worker.shared.abuse.admits(address, at: worker.loop.now) else { return nil }
        return Session(worker: worker, peer: address, isImplicitTLS: isImplicitTLS)
    }
}

/// One relay, which lives from input to input as it does in production. Twelve minutes pass between
/// two inputs, so that the relay remembers nothing (keys, limits, duplicates, connections) for the
/// next input.
private final class SessionRun {
    private static let serverTLS = try? TLSContext.selfSignedServer(names: ["localhost"])
    /// Most steps of time in one input, because a minute is many turns of the timer wheel.
    private static let movesMax = 40
    /// The listener's.
    private static let slotsAtRest = 1
    /// How long connections to the API that end wait for the other side.
    private static let lingerMilliseconds = 3_000

    private let backend = MemoryBackend()
    private let loop: Loop
    private let worker: Worker
    private let handler: FuzzListener
    private let listener: Listener
    private var clients: [MemoryBackend.Peer?] = [nil, nil, nil]
    private var gone: [MemoryBackend.Peer] = []
    private var current = 0
    private var pending: [UInt8] = []
    private var moves = 0
    private var repeatedBefore = 0

    init() {
        guard let loop = try? Loop(index: 0, custom: backend), let tls = Self.serverTLS else {
            fatalError("no loop")
        }
        self.loop = loop
        let shared = Shared(
            configuration: Self.configuration, serverTLS: tls, clientTLS: nil, log: .silent())
        shared.temporary.open(folder: "/tmp", bytesMax: 1 << 30)
        worker = Worker(loop: loop, shared: shared)
        handler = FuzzListener(worker)
        guard
            let listener = try? Listener(
                loop: loop, address: SocketAddress("127.0.0.1:2525") ?? .none, tls: nil,
                handler: handler)
        else { fatalError("no listener") }
        self.listener = listener
    }

    private static let configuration: Configuration = {
        let endpoint = APIEndpoint(
            isTLS: false, host: "127.0.0.1", port: 8_587, basePath: "", authority: "127.0.0.1:8587")
        var configuration = Configuration(
            hostname: "relay.example", listeners: [], loops: 1, api: APIOptions(endpoint: endpoint),
            memoryBudgetBytes: 6_000)
        // Small, so that an input of the fuzzer's size reaches these limits.
        configuration.messages.bufferThresholdBytes = 2_000
        configuration.messages.duplicateWindowMilliseconds = 600_000
        configuration.messages.groupWindowMilliseconds = 600_000
        configuration.reloadable.limits.messageBytesMax = 6_000
        configuration.reloadable.limits.recipientsMax = 5
        configuration.reloadable.abuse.failedLoginsPerAddressMax = 5
        return configuration
    }()

    func begin() {
        backend.api.forget()
        repeatedBefore = worker.counters.duplicatesAnswered
        current = 0
        moves = 0
        gone = []
    }

    func take(_ byte: UInt8) {
        switch byte {
        case 0xF5, 0xF6, 0xF7:
            send()
            current = Int(byte - 0xF5)
        case 0xF8: send()
        case 0xF9, 0xFA:
            send()
            leave(withReset: byte == 0xFA)
        case 0xFB: move(milliseconds: 1_000)
        case 0xFC: move(milliseconds: 61_000)
        case 0xFD:
            send()
            loop.later { [worker] in worker.sessions.drainAll(isGraceful: false) }
            settle()
        default: pending.append(byte)
        }
    }

    private func send() {
        guard !pending.isEmpty else { return }
        if let client = clients[current], client.isEnded { forget(client) }
        let client = clients[current] ?? arrive()
        backend.send(pending, from: client)
        pending = []
        settle()
    }

    private func arrive() -> MemoryBackend.Peer {
        handler.isImplicitTLS = current < 2
        let client = backend.connect(from: current + 1)
        clients[current] = client
        settle()
        return client
    }

    private func leave(withReset: Bool) {
        guard let client = clients[current] else { return }
        backend.end(client, withReset: withReset)
        settle()
        forget(client)
    }

    private func forget(_ client: MemoryBackend.Peer) {
        gone.append(client)
        clients[current] = nil
    }

    private func move(milliseconds: Int) {
        send()
        guard moves < Self.movesMax else { return }
        moves += 1
        backend.move(milliseconds: milliseconds)
        settle()
    }

    /// Turns the loop until nothing happens any more.
    private func settle() {
        var idleTurns = 0
        var turns = 0
        while idleTurns < 3 {
            loop.tick()
            idleTurns = backend.wasBusy ? 0 : idleTurns + 1
            turns += 1
            require(turns < 100_000, "the loop does not come to rest")
        }
    }

    // MARK: The books

    func end() {
        send()
        for index in clients.indices {
            current = index
            leave(withReset: false)
        }
        // Let the clocks of a waiting message expire, and of one whose client has gone before the answer.
        for _ in 0..<4
        where worker.sessions.count > 0 || worker.shared.budget.reservedBytes > 0 {
            backend.move(milliseconds: 61_000)
            settle()
        }
        require(worker.sessions.count == 0, "\(worker.sessions.count) sessions are left")
        require(worker.shared.budget.reservedBytes == 0, "reserved memory is left")
        require(worker.counters.sessionsAccepted == worker.counters.sessionsClosed, "sessions")
        require(loop.slabs.outstanding == 0, "slabs are left")
        var queued = 0
        for client in gone { queued += requireReplies(client.received) }
        // A client that was gone before its 250 may get it when it comes again (Ledger).
        let repeated = worker.counters.duplicatesAnswered - repeatedBefore
        require(
            queued <= backend.api.acceptedCount + repeated, "a 250 without a message at the API")
        rest()
    }

    /// The relay's memory of the input has expired, and nothing of it remains.
    private func rest() {
        for milliseconds in [700_000, Self.lingerMilliseconds] {
            backend.move(milliseconds: milliseconds)
            settle()
        }
        guard loop.slots.count > Self.slotsAtRest else { return }
        let left = (0..<loop.slots.endSlot).compactMap { slot -> String? in
            guard case .stream(let stream) = loop.slots.occupant(at: slot) else { return nil }
            return "\(type(of: stream.handler)), \(stream.phase)"
        }
        require(false, "\(loop.slots.count) slots are left: \(left)")
    }

    /// A client receives only replies, up to a handshake; returns how many say "queued".
    private func requireReplies(_ bytes: [UInt8]) -> Int {
        var queued = 0
        var start = 0
        while let end = bytes[start...].firstIndex(of: 0x0A) {
            let line = bytes[start..<end]
            start = end + 1
            require(line.last == 0x0D && line.count <= 1_024, "a reply without CRLF, or too long")
            let text = line.dropLast()
            require(
                text.count >= 4 && text.prefix(3).allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
                    && text.allSatisfy { $0 >= 0x20 && $0 < 0x7F },
                "not a reply: \(String(decoding: text, as: UTF8.self))")
            if text.starts(with: Array("250 Ok: queued".utf8)) { queued += 1 }
            // TLS follows.
            if text.starts(with: Array("220 Ready".utf8)) { return queued }
        }
        require(start == bytes.count, "half a reply")
        return queued
    }
}
