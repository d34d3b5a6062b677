import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Reactor

@Suite struct LoopGroupTests {
    /// The part of one loop: its own listener, and clients that connect to it one after the other.
    private final class Traffic {
        let loop: Loop
        let pair: TrustedPair
        let listener: Listener
        var left: Int
        let report: @Sendable (_ resumed: Bool, _ isLast: Bool) -> Void

        init(
            _ loop: Loop, _ pair: TrustedPair, count: Int,
            report: @escaping @Sendable (Bool, Bool) -> Void
        ) throws {
            self.loop = loop
            self.pair = pair
            self.report = report
            left = count
            listener = try Listener(
                loop: loop, address: SocketAddress(ipv4: 0x7F00_0001, port: 0), tls: pair.server,
                handler: Acceptor { Echo() })
        }

        func next() {
            let client = Recorder()
            client.onOpened = { $0.write("hello") }
            client.onReceived = { stream, _ in stream.finish() }
            client.onClosed = { [self] _ in
                left -= 1
                report(client.info?.resumed == true, left == 0)
                if left > 0 { next() }
            }
            _ = Stream.connect(
                loop: loop, to: listener.address, tls: pair.client, serverName: "localhost",
                handler: client)
        }
    }

    @Test func `no loop ticks before all are set up and the caller is ready`() throws {
        let ticks = Atomic(0)
        let setUps = Atomic(0)
        let group = try LoopGroup(
            count: 2, backend: .auto,
            setUp: { loop in
                setUps.add(1, ordering: .relaxed)
                loop.mailbox.post { ticks.add(1, ordering: .releasing) }
                return loop
            },
            whenReady: {
                #expect(setUps.load(ordering: .relaxed) == 2)
                usleep(50_000)
                #expect(ticks.load(ordering: .acquiring) == 0)
            })
        while ticks.load(ordering: .acquiring) < 2 { usleep(1_000) }
        group.stop()
        group.join()
    }

    @Test func `a caller that is not ready ends all loops again`() {
        #expect(throws: SystemError.self) {
            _ = try LoopGroup(
                count: 2, backend: .auto, setUp: { $0 },
                whenReady: { throw SystemError(operation: "become", errno: EPERM) })
        }
    }

    @Test func `loops on separate threads share certificates, tickets and sessions`() throws {
        let pair = try TrustedPair()
        let resumed = Atomic(0)
        let running = Atomic(2)
        let group = try LoopGroup(count: 2, backend: testBackend) { loop in
            let traffic = try Traffic(loop, pair, count: 30) { wasResumed, isLast in
                if wasResumed { resumed.add(1, ordering: .relaxed) }
                if isLast { running.subtract(1, ordering: .releasing) }
            }
            traffic.next()
            return traffic
        }
        while running.load(ordering: .acquiring) > 0 { usleep(1_000) }
        group.stop()
        group.join()
        let count = resumed.load(ordering: .relaxed)
        #expect(count >= 58, "all but the first of each loop")
    }
}
