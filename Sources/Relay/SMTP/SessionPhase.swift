// What a session can be doing, what it can have asked, and the settings of its machine.

import APIClient
import Mapping
import Wire

extension SessionMachine {
    /// What the session is doing. A phase that reads owns its reader, so that content is never read
    /// as commands, nor commands as content.
    enum Phase {
        /// TLS is being set up: at once (implicit) or after STARTTLS.
        case handshake
        case commands(LineReader)
        /// The next line is an answer of an AUTH exchange.
        case response(LineReader)
        /// The driver has been asked what it can answer within the same event.
        case asking(Question)
        case keyCheck
        /// A refused login is answered a little later.
        case loginDelay
        /// DATA, or the first chunk, waits for its share of the memory.
        case budget
        /// The content of a message arrives.
        case data(ContentReader)
        /// The message is in; the API's answer is awaited.
        case outcome
        /// The process ends, and the client is just about to say something: it hears 421 in reply,
        /// and QUIT is still answered.
        case lastWord(LineReader)
        case closed
    }

    /// What finds the content of a message, and its end.
    enum ContentReader {
        /// DATA.
        case dots(DotReader)
        /// BDAT: one chunk.
        case chunk(ChunkReader)

        /// The client may take the message for ended, and it is not.
        var endsInBareDot: Bool {
            if case .dots(let dots) = self { dots.endsInBareDot } else { false }
        }

        /// The next piece of `input`; `offset` is moved to what comes after it.
        mutating func next(_ input: Bytes, _ offset: inout Int) -> SessionPiece {
            switch self {
            case .dots(var dots):
                let verdict = dots.next(input, &offset)
                self = .dots(dots)
                switch verdict {
                case .content(let range): return .content(range)
                case .literalCR: return .literalCR
                case .needInput: return .needInput
                case .end: return .endOfData
                }
            case .chunk(var chunk):
                let verdict = chunk.next(input, &offset)
                self = .chunk(chunk)
                switch verdict {
                case .content(let range): return .content(range)
                case .needInput: return .needInput
                case .end: return .endOfData
                }
            }
        }
    }

    /// What the driver answers within the same event.
    enum Question {
        /// `admitHandshake`
        case handshake
        /// `readResponse`
        case response
        /// `noteRefusal`
        case refusal
        /// `askRateLimit`, and the MAIL that waits for it.
        case rateLimit(MailCommand)
    }

    /// Settings that the machine needs besides the limits.
    struct Options {
        var limits = SessionLimits()
        /// The announced size times the recipients, at most.
        var groupBytesMax = MappingOptions().groupBytesMax
        /// The most that a message holds in memory, so the most that DATA reserves.
        var bufferThresholdBytes = MessageOptions().bufferThresholdBytes
        /// When the API's answer is due, from the final dot or from the question about a key.
        var apiTimeoutMilliseconds = APIOptions().timeoutMilliseconds
    }
}

extension SessionMachine {
    /// The stream's own handshake goes on.
    var isHandshaking: Bool { if case .handshake = phase { true } else { false } }

    /// The message is in, and its outcome is not there.
    var awaitsOutcome: Bool { if case .outcome = phase { true } else { false } }

    /// The content of a message is being read.
    var isReadingContent: Bool { if case .data = phase { true } else { false } }

    /// The content so far ends in a dot that a client may take for the end of its message.
    var endsInBareDot: Bool {
        if case .data(let reader) = phase { reader.endsInBareDot } else { false }
    }

    var isClosed: Bool { if case .closed = phase { true } else { false } }
}
