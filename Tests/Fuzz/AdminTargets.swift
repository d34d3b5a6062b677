// Fuzz target for requests to the admin listener and the sandbox.

import Relay
import Wire

/// Whether the input is cut or whole, the requests and bodies are the same, no head is longer than
/// its bound, and there is no more content than came; each request has a route of the admin
/// listener.
let adminRequestTarget = FuzzTarget(name: "AdminRequest") { bytes in
    let headBytesMax = 4_096
    let whole = requestEvents(bytes, in: [bytes.count], headBytesMax)
    require(whole == requestEvents(bytes, in: pieces(of: bytes), headBytesMax), "split differs")
    var contentBytes = 0
    for event in whole {
        switch event {
        case .content(let content): contentBytes += content.count
        case .head(let request):
            let length =
                request.method.utf8.count + request.path.utf8.count + request.query.utf8.count
                + request.contentType.utf8.count + (request.authorization?.count ?? 0)
            require(length <= headBytesMax, "a request without a bound")
            let route = AdminRoute(request)
            guard case .sessions(_, let limit) = route else { continue }
            require((1...AdminRoute.sessionsMax).contains(limit), "a list without a bound")
        case .end, .invalid: break
        }
    }
    require(contentBytes <= bytes.count, "content that nobody sent")
}

/// The events of a connection, with joined content, up to the event that ends it.
private enum RequestEvent: Equatable {
    case head(HTTPRequest)
    case content([UInt8])
    case end
    case invalid(Int, String)
}

private func requestEvents(
    _ bytes: Bytes, in lengths: [Int], _ headBytesMax: Int
) -> [RequestEvent] {
    var reader = HTTPRequestReader(headBytesMax: headBytesMax)
    var events: [RequestEvent] = []
    var start = 0
    for length in lengths {
        let piece = bytes.extracting(start..<start + length)
        start += length
        var offset = 0
        reading: while true {
            let verdict = reader.next(piece, &offset)
            require(offset <= piece.count, "read after the end")
            switch verdict {
            case .needInput: break reading
            case .head(let request): events.append(.head(request))
            case .content(let range):
                require(!range.isEmpty, "content of no bytes")
                let content = piece.extracting(range).copied()
                if case .content(let before)? = events.last {
                    events[events.count - 1] = .content(before + content)
                } else {
                    events.append(.content(content))
                }
            case .end: events.append(.end)
            case .invalid(let status, let reason): return events + [.invalid(status, reason)]
            }
        }
        require(offset == piece.count, "bytes were left over")
    }
    return events
}
