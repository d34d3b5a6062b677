// Fuzz target for requests to the admin listener.

import Relay
import Wire

/// Cut or whole, the same requests, none longer than the bytes that it came in; each has a route.
let adminRequestTarget = FuzzTarget(name: "AdminRequest") { bytes in
    let whole = adminVerdicts(bytes, in: [bytes.count])
    require(whole == adminVerdicts(bytes, in: pieces(of: bytes)), "split differs")
    for case .request(let request) in whole {
        let length = request.method.utf8.count + request.path.utf8.count + request.query.utf8.count
        require(length <= AdminRequestReader.headBytesMax, "a request without a bound")
        let route = AdminRoute(request)
        guard case .sessions(_, let limit) = route else { continue }
        require((1...AdminRoute.sessionsMax).contains(limit), "a list without a bound")
    }
}

/// Everything that a connection says, up to what ends it.
private func adminVerdicts(_ bytes: Bytes, in lengths: [Int]) -> [AdminRequestReader.Verdict] {
    var reader = AdminRequestReader()
    var verdicts: [AdminRequestReader.Verdict] = []
    var start = 0
    for length in lengths {
        let piece = bytes.extracting(start..<start + length)
        start += length
        var offset = 0
        reading: while true {
            let verdict = reader.next(piece, &offset)
            require(offset <= piece.count, "read behind the end")
            switch verdict {
            case .needInput: break reading
            case .request: verdicts.append(verdict)
            case .invalid: return verdicts + [verdict]
            }
        }
        require(offset == piece.count, "bytes were left over")
    }
    return verdicts
}
