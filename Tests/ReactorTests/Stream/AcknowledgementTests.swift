// Peers that write one thing in pieces and wait for the acknowledgement of each (RFC 1122 4.2.3.4,
// Nagle's algorithm), over real sockets: a kernel that has nothing to send keeps them for 40 ms.

import CEpoll.System
import Glibc
import TestSupport
import Testing

@testable import Reactor

/// Answers each line, and waits for the rest of one.
private final class LineEcho: Recorder {
    /// Says that it waits.
    var awaitsRest = true

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        received += bytes.withUnsafeBufferPointer { Array($0) }
        if received.last == 0x0A {
            received = []
            stream.write("ok\n")
        } else if awaitsRest {
            stream.awaitRest()
        }
    }
}

@Suite("Acknowledgements", .serialized)
struct AcknowledgementTests {
    /// Milliseconds of each of some rounds: a line in pieces, and its answer.
    private static func rounds(_ server: LineEcho, pieces: [[UInt8]]) throws -> [Double] {
        let test = try TestLoop()
        let listener = try test.listen { server }
        let client = try RawSocket(to: listener.address)
        var times: [Double] = []
        for _ in 0..<12 {
            let began = MonotonicTime.readClock()
            for piece in pieces { #expect(client.send(piece) == piece.count) }
            var answer: [UInt8] = []
            test.poll {
                answer += client.receive() ?? [0]
                return !answer.isEmpty
            }
            #expect(answer == Array("ok\n".utf8))
            times.append(Double(MonotonicTime.readClock().nanoseconds(since: began)) / 1e6)
        }
        listener.close()
        server.stream?.finish()
        shutdown(client.descriptor, Int32(SHUT_WR))
        test.poll { server.isClosed }
        test.run { true }
        // The first ones are acknowledged at once by any kernel.
        return Array(times.dropFirst(4))
    }

    @Test func `a line in two pieces does not wait for a delayed acknowledgement`() throws {
        let pieces = [Array("NO".utf8), Array("OP\n".utf8)]
        let times = try Self.rounds(LineEcho(), pieces: pieces)
        // A busy machine may delay some rounds; the kernel would delay every one.
        #expect(times.min() ?? .infinity < 20, "\(times)")
    }

    @Test func `the handler alone knows that something is incomplete`() throws {
        let server = LineEcho()
        server.awaitsRest = false
        let pieces = [Array("NO".utf8), Array("OP\n".utf8)]
        let times = try Self.rounds(server, pieces: pieces)
        #expect(
            times.max() ?? 0 > 20, "this kernel delays nothing, and the other test shows nothing")
    }

    @Test func `many pieces of one line wait once at most`() throws {
        let pieces = (0..<6).map { _ in Array("NOOP ".utf8) } + [[0x0A]]
        let times = try Self.rounds(LineEcho(), pieces: pieces)
        #expect(times.min() ?? .infinity < 20, "\(times)")
    }
}
