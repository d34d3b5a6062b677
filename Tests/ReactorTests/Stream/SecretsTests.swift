// Keys and passwords do not stay in memory that is used again.

import Testing

@testable import Reactor

@Suite struct SecretsTests {
    private static let secret = Array("sk_live_0123456789abcdef".utf8)

    @Test(arguments: [false, true])
    func `a slab that held a secret is wiped when it is given back`(_ isSmall: Bool) {
        let pool = SlabPool()
        let slab = isSmall ? pool.takeSmall() : pool.take()
        slab.payload.update(from: Self.secret, count: Self.secret.count)
        slab.end = Self.secret.count
        slab.start = 10
        slab.holdsSecret = true
        pool.give(back: slab)
        let next = isSmall ? pool.takeSmall() : pool.take()
        #expect(next.payload == slab.payload && !next.holdsSecret)
        let bytes = UnsafeBufferPointer(start: next.payload, count: Self.secret.count)
        #expect(bytes.allSatisfy { $0 == 0 })
        pool.give(back: next)
    }

    @Test func `a slab that held a secret is wiped when it begins again`() {
        let pool = SlabPool()
        let slab = pool.take()
        slab.payload.update(from: Self.secret, count: Self.secret.count)
        slab.end = Self.secret.count
        slab.holdsSecret = true
        slab.reset(at: 4)
        let bytes = UnsafeBufferPointer(start: slab.payload, count: Self.secret.count)
        #expect(bytes.allSatisfy { $0 == 0 })
        pool.give(back: slab)
    }

    @Test(arguments: [false, true], [false, true])
    func `the stream's copies of a secret are wiped`(_ isTLS: Bool, _ isRecord: Bool) throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Recorder()
        let listener = try test.listen(tls: isTLS ? pair.server : nil) { server }
        let client = Recorder()
        client.onOpened = { stream in
            stream.write("before ")
            Self.secret.withUnsafeBufferPointer {
                if isRecord {
                    stream.writeRecord($0.span, isSecret: true)
                } else {
                    stream.write($0.span, isSecret: true)
                }
            }
            stream.write(" after")
        }
        server.onReceived = { stream, _ in
            if server.received.count == 13 + Self.secret.count { stream.finish() }
        }
        _ = test.connect(listener, tls: isTLS ? pair.client : nil, client)
        test.runTicks { client.isClosed && server.isClosed }
        #expect(server.received == Array("before ".utf8) + Self.secret + Array(" after".utf8))
        #expect(!Self.isSecretLeft(in: test.loop.slabs))
        test.run { true }
    }

    @Test(arguments: [false, true])
    func `what a handler was given is wiped when it says so, and only then`(_ isTLS: Bool) throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Listening()
        let listener = try test.listen(tls: isTLS ? pair.server : nil) { server }
        let client = Recorder()
        client.onOpened = { $0.write(Self.secret) }
        _ = test.connect(listener, tls: isTLS ? pair.client : nil, client)
        test.runTicks { server.count == 1 }
        #expect(server.given.map { Array($0) } == Self.secret, "nobody asked for it")
        server.wipes = true
        test.loop.later { client.stream?.write(Self.secret) }
        test.runTicks { server.count == 2 }
        #expect(server.given?.allSatisfy { $0 == 0 } == true)
        test.loop.later { client.stream?.finish() }
        test.run { client.isClosed && server.isClosed }
    }

    /// Looks at the loop's memory after the call, which no handler may.
    private final class Listening: Recorder {
        var wipes = false
        private(set) var count = 0
        private(set) var given: UnsafeBufferPointer<UInt8>?

        override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
            bytes.withUnsafeBufferPointer { given = $0 }
            count += 1
            if wipes { stream.wipeReceived() }
        }
    }

    /// Whether any free slab of the pool holds it.
    private static func isSecretLeft(in pool: SlabPool) -> Bool {
        var slabs: [Slab] = []
        var isLeft = false
        while pool.freeSmallCount > 0 { slabs.append(pool.takeSmall()) }
        while pool.freeCount > 0 { slabs.append(pool.take()) }
        for slab in slabs {
            let bytes = UnsafeBufferPointer(start: slab.payload, count: 4_000)
            for start in 0..<bytes.count - secret.count
            where bytes[start] == secret[0]
                && bytes[start..<start + secret.count].elementsEqual(secret)
            {
                isLeft = true
            }
            pool.give(back: slab)
        }
        return isLeft
    }
}
