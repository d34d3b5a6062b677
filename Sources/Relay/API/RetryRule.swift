// Whether a request may be sent again: the table of "When the answer is not certain".
//
// The API has no idempotency. A request is repeated only when it provably was not acted on; once
// its last byte was handed over, only the API knows what it did, and we do not ask twice.

/// How far a request got before its connection failed.
enum RequestProgress: Equatable, Sendable {
    /// TCP did not connect.
    case noConnection
    /// TCP connected, TLS did not finish: no byte of the request can have been read.
    case tlsUnfinished
    /// A connection was there, and nothing was written to it.
    case nothingWritten
    /// Some bytes were written, the last one of the body was not: the API saw half a request.
    case partlyWritten(isBodyHeld: Bool)
    /// The last byte was handed to the connection.
    case handedOver
}

/// What to do with a request whose connection failed.
enum RetryVerdict: Equatable, Sendable {
    /// Send it again on any connection.
    case retryNow
    /// Send it again, on another address: this one rests.
    case retryElsewhere
    /// It was not acted on, and we stop here.
    case notSent
    /// The API may have acted on it.
    case uncertain
}

/// The rule itself.
enum RetryRule {
    /// A request is put on a connection at most so often.
    static let triesMax = 3

    /// - Parameter tries: how often the request was put on a connection, this time included.
    static func verdict(_ progress: RequestProgress, tries: Int) -> RetryVerdict {
        switch progress {
        case .handedOver: .uncertain
        case .partlyWritten(isBodyHeld: false): .notSent
        case _ where tries >= triesMax: .notSent
        case .noConnection, .tlsUnfinished: .retryElsewhere
        case .nothingWritten, .partlyWritten(isBodyHeld: true): .retryNow
        }
    }
}
