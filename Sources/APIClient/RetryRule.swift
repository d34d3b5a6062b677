// Whether a request may be sent again: the table of "When the answer is not certain".
//
// The API has no idempotency. A message is repeated only when the API provably did not act on it.
// Once the kernel may have its last byte, only the API knows what it did, and we don't send again. A
// read (the check of a key) changes nothing and may be repeated in any case (RFC 9110 9.2.2).

/// How far a request got before its connection failed.
enum RequestProgress: Hashable, Sendable {
    /// A connection was there, and the kernel has taken nothing of the request.
    case nothingWritten
    /// The kernel has taken some bytes, and not the last one: the API saw a part of the request at
    /// most.
    case partlyWritten(isBodyHeld: Bool)
    /// The kernel has taken all of it; then the API ended the connection in order, or answered 408
    /// as for an idle one, and its kernel had acknowledged nothing of the request. So the API ended
    /// before it could read any of it (RFC 9110 15.5.9, RFC 9112 9.5).
    case unacknowledged(isBodyHeld: Bool)
    /// HTTP/2 only: the API has said that it did not act on the request. It refused the stream
    /// (REFUSED_STREAM), or the stream is above the last one of its GOAWAY (RFC 9113 8.7). Or it reset
    /// the stream with HTTP_1_1_REQUIRED before any answer: it demands that the request be made over
    /// HTTP/1.1 instead (section 7), which it could not demand of one that it has acted on. A GOAWAY
    /// with that code says it of the streams above its last one only: the others may have been acted
    /// on before (section 6.8).
    case refused(isBodyHeld: Bool)
    /// The kernel has taken the last byte, or may have.
    case handedOver
}

/// What to do with a request whose connection failed.
enum RetryVerdict: Equatable, Sendable {
    /// Send it again on any connection.
    case retryNow
    /// It was not acted on, and we stop here.
    case notSent
    /// The API may have acted on it.
    case uncertain
}

/// The rule itself, a pure function.
enum RetryRule {
    /// How often a request is put on a connection at most.
    static let triesMax = 3

    /// - Parameters:
    ///   - tries: how often the request was put on a connection, with this time.
    ///   - isRead: the request changes nothing at the API.
    static func verdict(
        _ progress: RequestProgress, tries: Int, isRead: Bool
    ) -> RetryVerdict {
        switch progress {
        case .handedOver where isRead && tries < triesMax: .retryNow
        case .handedOver: .uncertain
        case .partlyWritten(isBodyHeld: false), .unacknowledged(isBodyHeld: false): .notSent
        case .refused(isBodyHeld: false): .notSent
        case _ where tries >= triesMax: .notSent
        case .nothingWritten, .partlyWritten(isBodyHeld: true), .unacknowledged(isBodyHeld: true),
            .refused(isBodyHeld: true):
            .retryNow
        }
    }
}
