// One HTTP/1.1 connection to the admin listener: a request, its answer, the next request.

import Reactor
import Wire

/// The driver of one connection. It is not read while an answer is due, so what it holds is bounded
/// by one read of the stream.
final class AdminConnection: StreamHandler {
    /// A request must be whole within this, and an answer taken.
    private static let requestMilliseconds = 10_000
    /// Between requests; scrapes are often a minute apart.
    private static let idleMilliseconds = 90_000

    private let server: AdminServer
    private var stream: Stream?
    private var reader = AdminRequestReader()
    private var isAnswering = false
    private var closesBehindAnswer = false
    /// The client has ended its side; what it asked before that is still answered.
    private var hasPeerEnded = false
    /// What came behind the request that is being answered.
    private var pipelined: [UInt8] = []
    private var output: [UInt8] = []
    private var outputOffset = 0

    init(server: AdminServer) {
        self.server = server
        super.init()
    }

    override func streamOpened(_ stream: Stream) {
        self.stream = stream
        arm(Self.requestMilliseconds)
    }

    override func streamReceived(_ stream: Stream, _ bytes: Bytes) {
        if isAnswering { pipelined.append(bytes: bytes) } else { read(bytes) }
    }

    override func streamDrained(_ stream: Stream) {
        if isAnswering { pump() }
    }

    /// Too slow, or idle for long enough.
    override func streamTimedOut(_ stream: Stream) {
        // The answer is ours to give then, and it will come.
        if isAnswering && output.isEmpty { return }
        stream.abort()
    }

    override func streamPeerEnded(_ stream: Stream) -> Bool {
        hasPeerEnded = true
        return isAnswering || !pipelined.isEmpty
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        self.stream = nil
        server.ended(self)
    }

    private func arm(_ milliseconds: Int) {
        guard let stream else { return }
        stream.deadline = stream.loop.now.advanced(byMilliseconds: milliseconds)
    }

    private func read(_ input: Bytes) {
        var offset = 0
        let wasInside = reader.isInsideRequest
        switch reader.next(input, &offset) {
        case .needInput:
            // The clock of a request runs from its first byte.
            if !wasInside, reader.isInsideRequest { arm(Self.requestMilliseconds) }
            if hasPeerEnded { stream?.finish() }
        case .invalid(let status, let reason):
            begin(keepAlive: false, rest: Bytes())
            answer(AdminAnswer(status, reason), isHead: false)
        case .request(let request):
            begin(keepAlive: request.keepAlive, rest: input.extracting(offset..<input.count))
            server.answer(request) { [self] answer in
                self.answer(answer, isHead: request.method == "HEAD")
            }
        }
    }

    private func begin(keepAlive: Bool, rest: Bytes) {
        isAnswering = true
        closesBehindAnswer = !keepAlive
        pipelined = rest.copied()
        stream?.pauseReceiving()
    }

    private func answer(_ answer: AdminAnswer, isHead: Bool) {
        guard stream != nil else { return }
        output = Array(answer.head(closes: closesBehindAnswer).utf8)
        if !isHead { output += answer.body }
        outputOffset = 0
        arm(Self.requestMilliseconds)
        pump()
    }

    /// Writes as much of the answer as the stream takes without growing.
    private func pump() {
        guard let stream, !output.isEmpty else { return }
        let output = output
        while outputOffset < output.count {
            if stream.isAboveHighWater { return arm(Self.requestMilliseconds) }
            let count = min(Stream.recordBytesMax, output.count - outputOffset)
            stream.write(output.span.extracting(outputOffset..<outputOffset + count))
            outputOffset += count
        }
        self.output = []
        isAnswering = false
        if closesBehindAnswer || hasPeerEnded && pipelined.isEmpty { return stream.finish() }
        arm(Self.idleMilliseconds)
        stream.resumeReceiving()
        // The next one waits for the next turn: an answer may be known at once.
        if !pipelined.isEmpty { stream.loop.later { [self] in takePipelined() } }
    }

    private func takePipelined() {
        guard stream != nil, !isAnswering else { return }
        let bytes = pipelined
        pipelined = []
        read(bytes.span)
    }
}
