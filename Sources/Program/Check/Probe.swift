// One question to a server and its answer, on a loop of its own, for `check`.
//
// It waits: nothing else goes on in the process. What a server may send is bounded.

import Reactor

/// What came of a question.
struct ProbeAnswer {
    /// What the server sent; empty for nothing.
    var bytes: [UInt8] = []
    /// The connection came up, with TLS if that was asked for.
    var isOpen = false
    /// nil without TLS, and when it did not come up.
    var tls: TLSInfo?
    /// Why there is no whole answer; nil when there is one.
    var failure: String?
    var milliseconds = 0

    /// Its first line, without line end.
    var firstLine: String {
        String(decoding: bytes.prefix { $0 != 0x0D && $0 != 0x0A }, as: UTF8.self)
    }
}

/// A server that is asked.
struct Probe {
    private static let patienceMilliseconds = 10_000

    let address: SocketAddress
    /// nil: in the clear.
    var tls: TLSContext?
    /// For SNI and verification.
    var serverName = ""

    /// Connects, sends `request`, and waits until `isWhole` holds for what has come.
    /// - Parameter request: nothing is sent when it is empty. It may hold a key.
    func ask(_ request: [UInt8], until isWhole: @escaping ([UInt8]) -> Bool) -> ProbeAnswer {
        let loop: Loop
        do { loop = try Loop(index: 0, backend: .epoll) } catch {
            return ProbeAnswer(failure: error.description)
        }
        let began = loop.now
        let asker = Asker(request: request, isWhole: isWhole)
        let stream = Stream.connect(
            loop: loop, to: address, tls: tls, serverName: serverName, handler: asker)
        stream.deadline = began.advanced(byMilliseconds: Self.patienceMilliseconds)
        while !asker.hasEnded { loop.tick() }
        asker.answer.milliseconds = Int(loop.now.nanoseconds(since: began) / 1_000_000)
        loop.stop()
        loop.run()
        return asker.answer
    }
}

private final class Asker: StreamHandler {
    private static let bytesMax = 65_536

    private let request: [UInt8]
    private let isWhole: ([UInt8]) -> Bool
    private(set) var hasEnded = false
    var answer = ProbeAnswer()
    private var isAnswered = false

    init(request: [UInt8], isWhole: @escaping ([UInt8]) -> Bool) {
        self.request = request
        self.isWhole = isWhole
        super.init()
    }

    override func streamOpened(_ stream: Stream) {
        answer.isOpen = true
        answer.tls = stream.tls
        let question = request
        if !question.isEmpty { stream.write(question.span, isSecret: true) }
        look(stream)
    }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        guard !isAnswered else { return }
        bytes.withUnsafeBufferPointer { answer.bytes += $0 }
        look(stream)
    }

    private func look(_ stream: Stream) {
        isAnswered = isWhole(answer.bytes)
        if isAnswered || answer.bytes.count > Self.bytesMax { stream.abort() }
    }

    override func streamTimedOut(_ stream: Stream) {
        answer.failure = "no answer within 10 seconds"
        stream.abort()
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        hasEnded = true
        guard !isAnswered, answer.failure == nil else { return }
        answer.failure =
            switch reason {
            case .local: "an answer that is too long"
            case .peer: "the connection was closed without an answer"
            case .system(let errno): SystemError.text(errno)
            case .tls(let line): "TLS: \(line)"
            }
    }
}
