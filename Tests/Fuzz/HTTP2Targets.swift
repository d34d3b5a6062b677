// Fuzz target for HTTP/2: the bytes of a peer, for a server's and for a client's session.

import HTTP2
import Wire

/// The first byte chooses the role. However the rest is cut, the session tells the same; it answers
/// with a bounded number of bytes, ends floods, and never traps.
let http2SessionTarget = FuzzTarget(name: "HTTP2Session") { bytes in
    guard bytes.count > 1 else { return }
    let isClient = bytes[0] & 1 != 0
    let input = bytes.extracting(1..<bytes.count)
    let whole = HTTP2Listener(isClient: isClient)
    whole.hear(input)
    let cut = HTTP2Listener(isClient: isClient)
    let answering = HTTP2Listener(isClient: isClient)
    var offset = 0
    for length in pieces(of: input) {
        let piece = input.extracting(offset..<offset + length)
        cut.hear(piece)
        answering.hear(piece)
        answering.write()
        offset += length
    }
    if whole.lines != cut.lines {
        whole.write()
        cut.write()
    }
    require(
        whole.lines == cut.lines,
        "split differs: \(whole.lines) and \(cut.lines), \(whole.end) and \(cut.end)")
    for listener in [whole, cut, answering] {
        listener.write()
        require(listener.writtenBytes <= 300_000 + 40 * bytes.count, "answers without bound")
        listener.require(atMost: 300)
    }
}

/// A session with an owner that writes down what it is told.
private final class HTTP2Listener {
    private let session: HTTP2Session
    private(set) var lines: [String] = []
    private(set) var writtenBytes = 0
    private var dataStream: HTTP2Stream?
    private var hasPeerGone = false
    /// How the session ended, for the message of a finding.
    var end: String { session.failure.map { "\($0.code) \($0.reason)" } ?? "open" }

    init(isClient: Bool) {
        session = HTTP2Session(isClient ? .client : .server)
        guard isClient else { return }
        var fields = HTTP2Fields()
        for (name, value) in [
            (":method", "POST"), (":scheme", "https"), (":authority", "a"), (":path", "/"),
        ] { fields.add(name, text: value) }
        for number in 0..<3 {
            guard let stream = session.open(fields, hasBody: number > 0, isUpload: number > 1)
            else { fatalError("a new session opens streams") }
            if number > 0 { session.offer(100_000, isLast: number == 1, to: stream) }
        }
        write()
    }

    func hear(_ bytes: Bytes) {
        session.receive(bytes, now: 1)
        takeEvents(bytes.count)
    }

    private func takeEvents(_ inputBytes: Int) {
        let session = session
        while let event = session.nextEvent() {
            // After GOAWAY nghttp2 ignores what comes in a later call if no stream is open.
            if hasPeerGone { continue }
            switch event {
            case .data(let stream, let range):
                Fuzz.require(
                    !range.isEmpty && range.lowerBound >= 0 && range.upperBound <= inputBytes,
                    "data outside the input")
                note(range.count, of: stream)
                continue
            case .head(let stream, let head):
                let room = session.headBytes.count
                for (name, value) in session.fields(of: head) {
                    Fuzz.require(
                        name.upperBound <= room && value.upperBound <= room, "a field outside")
                }
                lines.append("head \(stream.id) \(head.kind) \(head.status)")
            case .window: continue
            case .failed:
                let failure = session.failure
                // nghttp2 says what was wrong when its GOAWAY leaves; that may be here, or later.
                if failure?.flood != nil { lines.append("\(event) \(failure?.code.rawValue ?? 0)") }
            case .goaway:
                lines.append("\(event)")
                hasPeerGone = true
            default: lines.append("\(event)")
            }
            dataStream = nil
        }
    }

    /// Content that follows content of the same stream is one line.
    private func note(_ count: Int, of stream: HTTP2Stream) {
        if dataStream == stream, let last = lines.last, let before = Int(last) {
            lines[lines.count - 1] = String(before + count)
        } else {
            lines.append(String(count))
        }
        dataStream = stream
    }

    func write() {
        let session = session
        while true {
            switch session.next() {
            case .nothing: return takeEvents(0)
            case .bytes: writtenBytes += session.output.count
            case .data(let frame):
                Fuzz.require(
                    frame.count <= HTTP2DataFrame.countMax && frame.head.count == 9, "a bad frame")
                writtenBytes += frame.count + 9
            }
        }
    }

    func require(atMost count: Int) {
        Fuzz.require(session.streamCount <= count, "more streams than are allowed")
    }
}
