// What an HTTP/2 session tells its owner, as plain values, and what it asks the owner to write
// (RFC 9113).

/// One stream of a session: one request with its answer.
package struct HTTP2Stream: Hashable, Sendable {
    /// The number on the wire; never used twice on a connection.
    package let id: Int32
    /// The index of its slot: from 0, as small as it can be, free again after `.closed` was taken. So
    /// an owner can keep what it knows of its streams in an array.
    package let slot: Int
}

/// Why a stream or a connection ends (RFC 9113 section 7).
package struct HTTP2ErrorCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let noError = HTTP2ErrorCode(rawValue: 0)
    package static let protocolError = HTTP2ErrorCode(rawValue: 1)
    package static let internalError = HTTP2ErrorCode(rawValue: 2)
    /// The stream was not processed: the request may be sent again (section 8.7).
    package static let refusedStream = HTTP2ErrorCode(rawValue: 7)
    package static let cancel = HTTP2ErrorCode(rawValue: 8)
    package static let enhanceYourCalm = HTTP2ErrorCode(rawValue: 11)
    /// The request is to be made over HTTP/1.1 (section 7).
    package static let http11Required = HTTP2ErrorCode(rawValue: 13)

    private static let names = [
        "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
        "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
        "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
    ]

    /// The name that the RFC gives it, or its number.
    package var description: String {
        rawValue < UInt32(Self.names.count) ? Self.names[Int(rawValue)] : "error \(rawValue)"
    }
}

/// A header block that is complete. Its fields are the session's: see `HTTP2Session.find`.
package struct HTTP2Head: Equatable, Sendable {
    package enum Kind: Sendable {
        case request
        /// An answer with status 1xx; another head of the same stream follows.
        case interim
        case answer
        /// Fields after the body.
        case trailers
    }

    package let kind: Kind
    /// Of an answer, 100 to 999; 0 for the other kinds.
    package let status: Int
    /// Nothing follows: `.end` is the next event of the stream.
    package let isEnd: Bool
    /// Which fields of the session are this head's.
    let fields: Range<Int>
}

/// How a stream ended.
package struct HTTP2Ending: Equatable, Sendable {
    package let code: HTTP2ErrorCode
    /// Certainly nothing was done with the request: it never left, the peer has refused its stream,
    /// its number is above the last one of the peer's GOAWAY (RFC 9113 section 8.7), or the peer
    /// demands that it be made over HTTP/1.1 (section 7). False as soon as an answer has begun.
    package let isUnprocessed: Bool
}

/// What a peer sends too much of.
package enum HTTP2Flood: String, Sendable {
    case settings, ping, reset, emptyData, continuation, windowUpdate, headerList, invalid
    /// Frames that ask for nothing: PRIORITY, GOAWAY, unknown types, answers with status 1xx.
    case idle
    /// Answers of ours that it does not read.
    case unreadOutput
}

/// Why a session has ended by an error.
package struct HTTP2Failure: Equatable, Sendable {
    package let code: HTTP2ErrorCode
    /// Set when the peer sent too much of something.
    package let flood: HTTP2Flood?
    /// One printable line for the log.
    package let reason: String
}

/// What has happened.
package enum HTTP2Event: Equatable, Sendable {
    case head(HTTP2Stream, HTTP2Head)
    /// Bytes of a body: a range of the input of `receive`, never empty.
    case data(HTTP2Stream, Range<Int>)
    /// The peer has sent all of its request or answer.
    case end(HTTP2Stream)
    /// The peer takes more of a stream that has something to send. Nothing has to be done but to
    /// write on.
    case window(HTTP2Stream)
    /// The last event of a stream; its slot is free for another one.
    case closed(HTTP2Stream, HTTP2Ending)
    /// The peer's settings have come: so many streams of ours it takes at once.
    case settings(maxConcurrentStreams: Int)
    /// The peer takes no new streams. Those of ours above `lastID` are closed as not processed.
    case goaway(lastID: Int32, HTTP2ErrorCode)
    /// The answer to `ping`.
    case pong(UInt64)
    /// The session has ended by an error, which we have found: `HTTP2Session.failure`. What is still
    /// to be written is to be written, and the connection closed; its streams get no further events.
    case failed
}

/// What is to be written next.
package enum HTTP2Output: Equatable, Sendable {
    case nothing
    /// The bytes of `HTTP2Session.output`.
    /// - isSecret: they may hold a key.
    case bytes(isSecret: Bool)
    /// The head of this frame, then `count` bytes of the owner's.
    case data(HTTP2DataFrame)
}

/// A DATA frame whose content is the owner's (RFC 9113 section 6.1).
package struct HTTP2DataFrame: Equatable, Sendable {
    /// Bytes of a frame's head.
    package static let headBytes = 9
    /// Content of one frame at most. With its head that is more than one TLS record takes.
    package static let countMax = 16_384

    package let stream: HTTP2Stream
    /// Bytes of content; 0 only at the end of a body.
    package let count: Int
    /// The stream ends with this frame.
    package let isEnd: Bool
    /// All of the piece that was offered is used up: the next one may be offered.
    package let isPieceDone: Bool

    /// The head of the frame, for owners that copy.
    package var head: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.headBytes) { memory, count in
            if let place = memory.baseAddress { writeHead(to: place) }
            count = Self.headBytes
        }
    }

    /// Writes the head of the frame, `headBytes` long, to `place`.
    package func writeHead(to place: UnsafeMutablePointer<UInt8>) {
        place[0] = UInt8(truncatingIfNeeded: count >> 16)
        place[1] = UInt8(truncatingIfNeeded: count >> 8)
        place[2] = UInt8(truncatingIfNeeded: count)
        place[3] = 0
        place[4] = isEnd ? 1 : 0
        for index in 0..<4 {
            place[5 + index] = UInt8(truncatingIfNeeded: stream.id >> Int32(24 - 8 * index))
        }
    }
}
