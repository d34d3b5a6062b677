// The engines of a client and a server after a TLS 1.3 handshake, over memory.

import Testing

@testable import Reactor

/// Both ends of one connection; a test seals what it wants for either.
final class EnginePair {
    enum Side { case client, server }

    /// One side's result for some bytes.
    struct Outcome {
        var plaintext: [UInt8] = []
        var status = TLSEngine.DecryptStatus.needsInput
        /// The answer, as the other side understands it.
        var answer = TLSEngine.DecryptStatus.needsInput
        var answerBytes = 0
        var reason: String {
            if case .failed(let line) = status { return line }
            return "\(status)"
        }
        /// The number of the alert that was sent; nil without one.
        var alert: UInt8? {
            guard case .failed(let line) = answer, let start = line.lastIndex(of: " ") else {
                return nil
            }
            return UInt8(line[line.index(after: start)...].dropLast())
        }
    }

    let contexts: TrustedPair
    let client: TLSEngine
    let server: TLSEngine
    let clientPort = TLSPort()
    private let serverPort = TLSPort()
    private let upstream = OutputQueue(pool: SlabPool())
    private let downstream = OutputQueue(pool: SlabPool())
    private var memory: [UnsafeMutableRawBufferPointer] = []

    init() throws {
        contexts = try TrustedPair()
        client = try #require(
            contexts.client.makeEngine(port: clientPort, serverName: "localhost"))
        server = try #require(contexts.server.makeEngine(port: serverPort, serverName: nil))
        var isClientDone = false
        var isServerDone = false
        for _ in 0..<4 where !isServerDone {
            if !isClientDone {
                isClientDone =
                    client.handshake(
                        bytes(downstream.taken()), into: upstream, at: .readClock()
                    ).outcome == .finished
            }
            isServerDone =
                server.handshake(bytes(upstream.taken()), into: downstream, at: .readClock())
                .outcome == .finished
        }
        try #require(isClientDone && isServerDone)
        // The ticket.
        _ = client.decrypt(bytes(downstream.taken()), replies: upstream)
        #expect(server.info?.version == "TLSv1.3")
    }

    deinit { for piece in memory { piece.deallocate() } }

    /// Records as one side seals them.
    func sealed(
        _ content: [UInt8], type: UInt8 = TLSContent.applicationData, by side: Side = .client
    ) -> [UInt8] {
        let queue = OutputQueue(pool: SlabPool())
        let sealer = side == .client ? client.sealer : server.sealer
        #expect(content.withUnsafeBytes { sealer?.seal($0, type: type, into: queue) } == true)
        return queue.taken()
    }

    /// One record with `inner`, which is content, type and padding, and may be longer than allowed.
    /// - Parameter inner: ends with the byte that the sealer takes as the type.
    func sealedAsOne(_ inner: [UInt8], by side: Side) -> [UInt8] {
        let queue = OutputQueue(pool: SlabPool())
        let sealer = side == .client ? client.sealer : server.sealer
        let isSealed = inner.dropLast().withUnsafeBytes {
            sealer?.sealRecord($0.bindMemory(to: UInt8.self), inner[inner.count - 1], queue)
        }
        #expect(isSealed == true)
        return queue.taken()
    }

    /// A KeyUpdate that asks for none, and the side's next key.
    func keyUpdate(by side: Side = .client) -> [UInt8] {
        let queue = OutputQueue(pool: SlabPool())
        let sealer = side == .client ? client.sealer : server.sealer
        #expect(sealer?.sealKeyUpdate(into: queue) == true)
        return queue.taken()
    }

    /// A side's next key, after a KeyUpdate that the test has sealed itself.
    func updateKey(of side: Side = .client) {
        #expect((side == .client ? client : server).sealer?.updateKey() == true)
    }

    /// An application record without content: its type, and a zero after it.
    func emptyRecord(by side: Side = .client) -> [UInt8] {
        sealed([TLSContent.applicationData], type: 0, by: side)
    }

    /// The other side reads until it needs more, ends or fails; this side reads the answers.
    func receive(_ records: [UInt8], from side: Side = .client) -> Outcome {
        let (reader, peer) = side == .client ? (server, client) : (client, server)
        let replies = OutputQueue(pool: SlabPool())
        var outcome = Outcome()
        let all = bytes(records)
        var used = 0
        reading: while true {
            let step = reader.decrypt(
                UnsafeRawBufferPointer(rebasing: all[used...]), replies: replies)
            used += step.used
            outcome.plaintext += Array(step.plaintext)
            outcome.status = step.status
            switch step.status {
            case .hasMore: continue
            case .needsInput, .ended, .failed: break reading
            }
        }
        let answer = replies.taken()
        outcome.answerBytes = answer.count
        if !answer.isEmpty {
            outcome.answer = peer.decrypt(bytes(answer), replies: replies).status
        }
        return outcome
    }

    /// Memory that stays until the pair is freed.
    private func bytes(_ array: [UInt8]) -> UnsafeRawBufferPointer {
        let copy = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(array.count, 1), alignment: 1)
        copy.copyBytes(from: array)
        memory.append(copy)
        return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(copy)[..<array.count])
    }
}
