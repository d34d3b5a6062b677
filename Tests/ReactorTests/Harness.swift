// Shared by the tests of the reactor: a loop that ends by itself, a handler that records its
// events, and files for certificates. One loop carries both ends of every connection.

import Glibc
import TestSupport
import Testing

@testable import Reactor

/// A loop with a guard: after `limitMilliseconds` it stops, and the test has failed.
final class TestLoop {
    let loop: Loop
    private let guardHandler: GuardHandler
    private let timer: LoopTimer

    init(
        limitMilliseconds: Int = 90_000, backend: (any Backend)? = nil,
        kind: BackendKind = testBackend
    ) throws {
        if let backend {
            loop = try Loop(index: 0, custom: backend)
        } else {
            loop = try Loop(index: 0, backend: kind)
        }
        guardHandler = GuardHandler(loop: loop)
        timer = LoopTimer(loop: loop, handler: guardHandler)
        timer.arm(at: MonotonicTime.readClock().advanced(byMilliseconds: limitMilliseconds))
    }

    /// Runs until `isDone` holds after a tick; then lets everything close and checks the books.
    func run(until isDone: () -> Bool, _ location: SourceLocation = #_sourceLocation) {
        while !isDone(), !guardHandler.hasFired { loop.tick() }
        #expect(!guardHandler.hasFired, "the test has run out of time", sourceLocation: location)
        loop.stop()
        loop.run()
        #expect(loop.slabs.outstanding == 0, "slabs are left", sourceLocation: location)
        #expect(loop.slots.count == 0, "slots are left", sourceLocation: location)
        let counters = loop.counters
        #expect(
            counters.accepted + counters.connected == counters.closed, sourceLocation: location)
    }

    /// Runs until `isDone` holds after a tick, and leaves everything open.
    func runTicks(until isDone: () -> Bool, _ location: SourceLocation = #_sourceLocation) {
        while !isDone(), !guardHandler.hasFired { loop.tick() }
        #expect(!guardHandler.hasFired, "the test has run out of time", sourceLocation: location)
    }

    /// The same without ever waiting: for peers that the loop knows nothing of.
    func poll(until isDone: () -> Bool, _ location: SourceLocation = #_sourceLocation) {
        runTicks(
            until: {
                loop.later {}
                return isDone()
            }, location)
    }

    /// A listener on its own port of 127.0.0.1; `make` returns the handler of each of its streams.
    func listen(
        tls: TLSContext? = nil, _ make: @escaping () -> StreamHandler?
    ) throws -> Listener {
        try Listener(
            loop: loop, address: SocketAddress(ipv4: 0x7F00_0001, port: 0), tls: tls,
            handler: Acceptor(make))
    }

    func connect(
        _ listener: Listener, tls: TLSContext? = nil, name: String = "localhost",
        _ handler: StreamHandler
    ) -> Stream {
        Stream.connect(
            loop: loop, to: listener.address, tls: tls, serverName: name, handler: handler)
    }
}

private final class GuardHandler: TimerHandler {
    let loop: Loop
    private(set) var hasFired = false

    init(loop: Loop) { self.loop = loop }

    override func timerFired(_ timer: LoopTimer) { hasFired = true }
}

final class Acceptor: ListenerHandler {
    private let make: () -> StreamHandler?

    init(_ make: @escaping () -> StreamHandler?) { self.make = make }

    override func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? {
        make()
    }
}

/// Records its events, and does what the test says.
class Recorder: StreamHandler {
    var stream: Stream?
    var received: [UInt8] = []
    var acceptedCount = 0
    var openedCount = 0
    var receivedCount = 0
    var drainedCount = 0
    var timeoutCount = 0
    var closes: [CloseReason] = []
    var info: TLSInfo?
    var onAccepted: ((Stream) -> Void)?
    var onOpened: ((Stream) -> Void)?
    var onReceived: ((Stream, [UInt8]) -> Void)?
    var onDrained: ((Stream) -> Void)?
    var onTimedOut: ((Stream) -> Void)?
    var onClosed: ((CloseReason) -> Void)?
    /// Set during a call of the test on the stream.
    private var isCalled = false

    var text: String { String(decoding: received, as: UTF8.self) }
    var isClosed: Bool { !closes.isEmpty }

    private func hear(_ body: () -> Void) {
        #expect(!isCalled, "a handler was called from inside its own call")
        isCalled = true
        body()
        isCalled = false
    }

    override func streamAccepted(_ stream: Stream) {
        self.stream = stream
        acceptedCount += 1
        hear { onAccepted?(stream) }
    }

    override func streamOpened(_ stream: Stream) {
        self.stream = stream
        openedCount += 1
        info = stream.tls
        #expect(closes.isEmpty)
        hear { onOpened?(stream) }
    }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        #expect(!stream.isReceivingPaused && closes.isEmpty && !bytes.isEmpty)
        receivedCount += 1
        let copy = bytes.withUnsafeBufferPointer { Array($0) }
        received += copy
        hear { onReceived?(stream, copy) }
    }

    override func streamDrained(_ stream: Stream) {
        drainedCount += 1
        hear { onDrained?(stream) }
    }

    override func streamTimedOut(_ stream: Stream) {
        timeoutCount += 1
        #expect(stream.deadline == .never)
        hear { onTimedOut?(stream) }
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        closes.append(reason)
        #expect(stream.isClosed)
        self.stream = nil
        hear { onClosed?(reason) }
        onAccepted = nil
        onOpened = nil
        onReceived = nil
        onDrained = nil
        onTimedOut = nil
        onClosed = nil
    }
}

/// Sends back what it gets, in records. It never pauses: its stream stops receiving by itself.
final class Echo: Recorder {
    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        receivedCount += 1
        var offset = 0
        while offset < bytes.count {
            let end = min(offset + Stream.recordBytesMax, bytes.count)
            stream.writeRecord(bytes.extracting(offset..<end))
            offset = end
        }
    }
}

extension Stream {
    func write(_ bytes: [UInt8]) { bytes.withUnsafeBufferPointer { write($0.span) } }
    func writeRecord(_ bytes: [UInt8]) { bytes.withUnsafeBufferPointer { writeRecord($0.span) } }
}

/// A file that its owner removes.
final class TemporaryFile {
    let path: String

    init(_ text: String) throws {
        var name = Array("/tmp/reactor-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        #expect(descriptor >= 0)
        _ = text.utf8.withContiguousStorageIfAvailable {
            Glibc.write(descriptor, $0.baseAddress, $0.count)
        }
        Glibc.close(descriptor)
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { unlink(path) }
}

/// A server with a self-signed certificate, and a client that trusts it.
struct TrustedPair {
    let server: TLSContext
    let client: TLSContext

    init(names: [String] = ["localhost", "127.0.0.1"]) throws {
        server = try TLSContext.selfSignedServer(names: names)
        let file = try TemporaryFile(#require(server.certificatePEM))
        client = try TLSContext.client(caFile: file.path)
    }
}

/// Bytes that look random and are the same every time. They repeat after a prime number, so that a
/// shift by any usual block size is detected.
func testBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    let block: [UInt8] = (0..<min(count, 65_521)).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return UInt8(truncatingIfNeeded: state >> 24)
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count { bytes += block.prefix(count - bytes.count) }
    return bytes
}
