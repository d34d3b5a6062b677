import Glibc
import Testing

@testable import Reactor

@Suite struct ThroughputTests {
    /// Writes all of a body, as the queue allows, and collects slowly what comes back.
    private final class Pusher: Recorder {
        let body: [UInt8]
        var offset = 0
        var mostQueued = 0

        init(_ body: [UInt8]) { self.body = body }

        func push(_ stream: Stream) {
            while offset < body.count, !stream.isAboveHighWater {
                let end = min(offset + 10_000, body.count)
                stream.write(Array(body[offset..<end]))
                offset = end
                mostQueued = max(mostQueued, stream.queuedBytes)
            }
        }

        override func streamOpened(_ stream: Stream) { push(stream) }
        override func streamDrained(_ stream: Stream) {
            drainedCount += 1
            push(stream)
        }

        override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
            receivedCount += 1
            bytes.withUnsafeBufferPointer { received += $0 }
            if received.count == body.count { return stream.finish() }
            if receivedCount % 8 == 0 {
                stream.pauseReceiving()
                stream.deadline = stream.loop.now.advanced(byMilliseconds: 10)
            }
        }

        override func streamTimedOut(_ stream: Stream) { stream.resumeReceiving() }
    }

    @Test(arguments: [false, true])
    func `10 MB come back complete through a slow reader, with bounded queues`(_ isTLS: Bool) throws
    {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Echo()
        let listener = try test.listen(tls: isTLS ? pair.server : nil) { server }
        let client = Pusher(testBytes(10_000_000))
        _ = test.connect(listener, tls: isTLS ? pair.client : nil, client)
        test.run { client.isClosed && server.isClosed }
        #expect(client.received == client.body)
        #expect(client.mostQueued < Stream.highWater + 20_000)
        #expect(client.drainedCount > 10)
        let counters = test.loop.counters
        #expect(counters.bytesSent == counters.bytesReceived)
        #expect(counters.bytesSent >= 20_000_000)
    }
}
