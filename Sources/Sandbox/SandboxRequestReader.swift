// Takes the bytes of an HTTP/1.1 connection apart into requests (RFC 9112).
//
// A machine: it holds the head until it is whole, follows the framing of the body, and returns one
// verdict a call. However the bytes are cut, the requests are the same. It never holds body bytes.

import Wire

/// The framing of one connection's requests, one after the other.
package struct SandboxRequestReader {
    package enum Verdict {
        case needInput
        /// A head is complete; its body, if it has one, follows.
        case head(SandboxRequest)
        /// Bytes of the body, a range of the input.
        case content(Range<Int>)
        /// The request is complete; the next one may begin at once.
        case end
        /// Not HTTP that we read: the status to answer with, and why. Nothing can follow.
        case invalid(status: Int, String)
    }

    private enum State {
        case head
        case length(remaining: Int)
        case chunked(ChunkedDecoder)
    }

    private var state = State.head
    private var heldHead: [UInt8] = []

    /// Whether a request has begun and is not complete.
    var isInsideRequest: Bool {
        if case .head = state { return !heldHead.isEmpty }
        return true
    }

    package init() {}

    /// - Parameter offset: where to go on in `input`; moved forward.
    package mutating func next(_ input: Bytes, _ offset: inout Int) -> Verdict {
        switch state {
        case .head:
            return nextHead(input, &offset)
        case .length(remaining: 0):
            state = .head
            return .end
        case .length(let remaining):
            let length = min(remaining, input.count - offset)
            if length == 0 { return .needInput }
            state = .length(remaining: remaining - length)
            offset += length
            return .content(offset - length..<offset)
        case .chunked(var decoder):
            let verdict = decoder.next(input, &offset)
            state = .chunked(decoder)
            return nextChunk(verdict, &offset)
        }
    }

    private mutating func nextChunk(_ verdict: ChunkedDecoder.Verdict, _ offset: inout Int)
        -> Verdict
    {
        switch verdict {
        case .content(let range):
            return .content(range)
        case .needInput:
            return .needInput
        case .end(let next):
            offset = next
            state = .head
            return .end
        case .invalid(let reason):
            return .invalid(status: 400, reason)
        }
    }

    private mutating func nextHead(_ input: Bytes, _ offset: inout Int) -> Verdict {
        skipLineEnds(input, &offset)
        if offset == input.count { return .needInput }
        if heldHead.isEmpty {
            let rest = input.extracting(offset..<input.count)
            switch HTTPRequestHead.parse(rest) {
            case .needMore:
                heldHead = rest.copied()
                offset = input.count
                return .needInput
            case .head(let head):
                offset += head.headBytes
                return begin(head, in: rest)
            case .invalid(let status, let reason):
                return .invalid(status: status, reason)
            }
        }
        return nextHeldHead(input, &offset)
    }

    /// Goes on with a head that began in an earlier input: what lies behind its end came with this
    /// one, so `offset` is counted back from there.
    private mutating func nextHeldHead(_ input: Bytes, _ offset: inout Int) -> Verdict {
        heldHead.append(bytes: input.extracting(offset..<input.count))
        switch HTTPRequestHead.parse(heldHead.span) {
        case .needMore:
            offset = input.count
            return .needInput
        case .head(let head):
            offset = input.count - (heldHead.count - head.headBytes)
            let whole = heldHead
            heldHead = []
            return begin(head, in: whole.span)
        case .invalid(let status, let reason):
            return .invalid(status: status, reason)
        }
    }

    private mutating func begin(_ head: HTTPRequestHead, in input: Bytes) -> Verdict {
        switch head.framing {
        case .chunked: state = .chunked(ChunkedDecoder())
        case .length(let length): state = .length(remaining: length)
        case .none, .untilClose: state = .length(remaining: 0)
        }
        return .head(SandboxRequest(head, in: input))
    }

    /// RFC 9112 2.2: empty lines in front of a request line are no request.
    private func skipLineEnds(_ input: Bytes, _ offset: inout Int) {
        guard heldHead.isEmpty else { return }
        while offset < input.count, input[offset] == 0x0D || input[offset] == 0x0A { offset += 1 }
    }
}
