// Cuts the bytes of a connection into HTTP/1.1 requests (RFC 9112), for the sandbox and the admin
// listener.
//
// A machine: it holds a head until the head is whole, follows the framing of the body, and returns
// one verdict per call. However the bytes are cut, the requests are the same. It holds at most one
// head, within its bound, and never a byte of a body.

/// The requests of one connection, one after the other.
package struct HTTPRequestReader {
    package enum Verdict: Equatable {
        /// The input is used up.
        case needInput
        /// A head is complete. `.content` follows if the request has a body, then `.end`.
        case head(HTTPRequest)
        /// Bytes of the body, a range of the input, never empty.
        case content(Range<Int>)
        /// The request is complete. The next one may begin at once.
        case end
        /// Not a request that we read: the status to answer with, and why. Nothing can follow;
        /// every further call says the same.
        case invalid(status: Int, String)
    }

    private enum State {
        case head
        /// In a body of so many more bytes.
        case length(Int)
        case chunked(ChunkedDecoder)
        case failed(status: Int, String)
    }

    private let headBytesMax: Int
    private var state = State.head
    private var heldHead: [UInt8] = []

    /// - Parameter headBytesMax: a head of more bytes is refused with 431; at most
    ///   `HTTPRequestHead.bytesMax`.
    package init(headBytesMax: Int = HTTPRequestHead.bytesMax) {
        precondition(headBytesMax <= HTTPRequestHead.bytesMax)
        self.headBytesMax = headBytesMax
    }

    /// Whether a request has begun and is not complete.
    package var isInsideRequest: Bool {
        if case .head = state { return !heldHead.isEmpty }
        return true
    }

    /// What the bytes from `offset` on are.
    /// - Parameter offset: where to go on in `input`; moved forward, to the end of `input` before
    ///   the verdict is `.needInput`.
    package mutating func next(_ input: Bytes, _ offset: inout Int) -> Verdict {
        switch state {
        case .head: return nextHead(input, &offset)
        case .length(0):
            state = .head
            return .end
        case .length(let left):
            let length = min(left, input.count - offset)
            if length == 0 { return .needInput }
            state = .length(left - length)
            offset += length
            return .content(offset - length..<offset)
        case .chunked(var decoder):
            let verdict = decoder.next(input, &offset)
            state = .chunked(decoder)
            return nextChunk(verdict, &offset)
        case .failed(let status, let reason): return .invalid(status: status, reason)
        }
    }

    private mutating func nextChunk(
        _ verdict: ChunkedDecoder.Verdict, _ offset: inout Int
    ) -> Verdict {
        switch verdict {
        case .content(let range): return .content(range)
        case .needInput: return .needInput
        case .end(let next):
            offset = next
            state = .head
            return .end
        case .invalid(let reason): return fail(400, reason)
        }
    }

    /// Takes one line of the head at a time. The head is parsed once, at its empty line, so that a
    /// head that comes in small pieces costs no more than a whole one.
    private mutating func nextHead(_ input: Bytes, _ offset: inout Int) -> Verdict {
        while offset < input.count {
            let end = input.firstIndex(of: 0x0A, from: offset).map { $0 + 1 } ?? input.count
            guard heldHead.count + end - offset <= headBytesMax else {
                return fail(431, "The head of the request is too large.")
            }
            heldHead.append(bytes: input.extracting(offset..<end))
            offset = end
            if heldHead.last != 0x0A { return .needInput }
            // TLS or another protocol: its client need not wait until a whole head has come.
            guard heldHead.count >= 2, heldHead[heldHead.count - 2] == 0x0D else {
                return fail(400, "A line does not end with CRLF.")
            }
            if heldHead.count == 2 {
                // Empty lines before a request mean nothing (RFC 9112 2.2).
                heldHead = []
            } else if heldHead[heldHead.count - 3] == 0x0A {
                return parseHead()
            }
        }
        return .needInput
    }

    /// The held head ends with an empty line.
    private mutating func parseHead() -> Verdict {
        let whole = heldHead
        heldHead = []
        switch HTTPRequestHead.parse(whole.span) {
        case .needMore: preconditionFailure("a head with its empty line is whole")
        case .head(let head):
            switch head.framing {
            case .chunked: state = .chunked(ChunkedDecoder())
            case .length(let length): state = .length(length)
            case .none, .untilClose: state = .length(0)
            }
            return .head(HTTPRequest(head, in: whole.span))
        case .invalid(let status, let reason): return fail(status, reason)
        }
    }

    private mutating func fail(_ status: Int, _ reason: String) -> Verdict {
        heldHead = []
        state = .failed(status: status, reason)
        return .invalid(status: status, reason)
    }
}
