// Requests to the admin listener, taken from the bytes of a connection (RFC 9112).
//
// A machine: it keeps an unfinished head, within a bound, and returns one verdict a call. However the
// bytes are cut, the requests are the same. Bodies are not read: nothing here needs one.

import Wire

/// One request, copied out of the bytes that it came in.
package struct AdminRequest: Equatable {
    package var method: String
    /// Without the query, as it was sent.
    package var path: String
    /// Behind the `?`, as it was sent; empty when there is none.
    package var query: String
    var keepAlive: Bool

    /// The value of one parameter of the query, as it was sent; nil when it is not there.
    func value(_ name: String) -> String? {
        for pair in query.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if sides[0] == name { return sides.count > 1 ? String(sides[1]) : "" }
        }
        return nil
    }
}

/// Cuts a connection's bytes into requests.
package struct AdminRequestReader {
    package enum Verdict: Equatable {
        case needInput
        case request(AdminRequest)
        /// The status to answer with, and why; the connection has to be closed behind it.
        case invalid(status: Int, String)
    }

    /// A head over this many bytes is refused.
    package static let headBytesMax = 4_096

    private var held: [UInt8] = []

    /// Whether a request has begun and is not complete.
    var isInsideRequest: Bool { !held.isEmpty }

    package init() {}

    /// - Parameter offset: where to go on in `input`; moved forward, to its end unless a request was
    ///   found before it.
    package mutating func next(_ input: Bytes, _ offset: inout Int) -> Verdict {
        // A line at a time: a head that comes in small pieces is looked at once a line.
        while offset < input.count {
            let end = input.firstIndex(of: 0x0A, from: offset).map { $0 + 1 } ?? input.count
            guard held.count + end - offset <= Self.headBytesMax else {
                return .invalid(status: 431, "The head of the request is too large.")
            }
            held.append(bytes: input.extracting(offset..<end))
            offset = end
            if held.last != 0x0A { return .needInput }
            // TLS, or another protocol: nobody has to wait for the end of that head.
            guard held.count >= 2, held[held.count - 2] == 0x0D else {
                return .invalid(status: 400, "A line does not end with CRLF.")
            }
            // Empty lines in front of a request say nothing (RFC 9112 2.2).
            if held == [0x0D, 0x0A] {
                held = []
                continue
            }
            switch HTTPRequestHead.parse(held.span) {
            case .needMore: continue
            case .head(let head):
                let whole = held
                held = []
                return Self.verdict(head, in: whole.span)
            case .invalid(let status, let reason): return .invalid(status: status, reason)
            }
        }
        return .needInput
    }

    private static func verdict(_ head: HTTPRequestHead, in input: Bytes) -> Verdict {
        switch head.framing {
        case .none, .length(0): break
        case .length, .chunked, .untilClose:
            return .invalid(status: 413, "Requests have no body here.")
        }
        func text(_ range: Range<Int>) -> String { input.extracting(range).copiedText() }
        let target = text(head.target)
        let pieces = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        return .request(
            AdminRequest(
                method: text(head.method), path: String(pieces[0]),
                query: pieces.count > 1 ? String(pieces[1]) : "", keepAlive: head.keepAlive))
    }
}
