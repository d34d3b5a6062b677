// What a server asks of the service that decides on its requests, and what it tells the service
// about its connections.

import Wire

/// Decides on requests. All calls come on the server's loop; a service may hold no socket.
package protocol HTTPService: AnyObject {
    /// Decides on a request by its head alone: before its body is read.
    func admit(_ request: HTTPRequest) -> HTTPAdmission

    /// Answers a request that was admitted and is complete: calls `reply` exactly once, now or
    /// later.
    func respond(
        to request: HTTPRequest, body: [UInt8], _ reply: @escaping (HTTPAnswer) -> Void)

    /// The answer when the server itself refuses.
    func answer(to refusal: HTTPRefusal) -> HTTPAnswer

    /// An answer is about to leave: the last word on its header fields.
    /// - Parameter request: nil when no request was read.
    func finished(_ answer: HTTPAnswer, to request: HTTPRequest?) -> HTTPAnswer

    /// Something has happened that a service may count.
    func note(_ event: HTTPEvent)
}

/// What becomes of a request whose head is there.
package enum HTTPAdmission {
    /// The body is read, at most so many bytes; then `respond` is called.
    case body(bytesMax: Int)
    /// This is the answer; the body is of no interest. With 413 the body is not read, and the
    /// connection ends.
    case answer(HTTPAnswer)
}

/// Why the server refuses what it reads. The connection ends after the answer.
package enum HTTPRefusal: Equatable {
    /// Not a request that it reads; the status to answer with, and why.
    case invalid(status: Int, String)
    /// The body is larger than its admission said: 413.
    case bodyTooLarge(bytesMax: Int)
    /// All connections together hold too many bytes of bodies: 503.
    case tooManyUploads
}

/// What happens on the connections of a server.
package enum HTTPEvent {
    /// A connection has begun or ended; so many are open now.
    case opened(connections: Int)
    case closed(connections: Int)
    /// Bytes of a body came, whether they are kept or thrown away.
    case content(bytes: Int)
    /// A connection ended inside a request, or the request broke off; nothing came of it.
    case incomplete
    /// The answer to a request is known. It leaves now, later, or never.
    case decided(HTTPAnswer, to: HTTPRequest?)
}
