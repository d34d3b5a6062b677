// What `SessionMachine` tells `Session` to do: one verdict for each event.

import Reactor
import Wire

/// What the driver does next.
enum SessionVerdict: Equatable {
    /// Nothing: go on, or go on waiting.
    case none
    case reply(Reply)
    /// The same reply again as the outcome of the message had when it was told.
    case repeatRefusal
    /// Answer and close; nothing that still arrives is read.
    case close(Reply)
    /// Count and log that the client has ended its message with a dot that ends none; then answer and
    /// close.
    case closeUnended
    /// Close without a word: the peer could not read one (no TLS yet).
    case hangUp
    /// 220 with the host name.
    case greet
    /// 250 with the host name, for EHLO with the extensions.
    case hello(isExtended: Bool)
    /// May the address of the client begin a TLS handshake? `handshakeAnswered` follows at once.
    case admitHandshake
    /// 220, then the handshake; `opened` follows.
    case startTLS
    /// Decode this range of the line; `response` follows at once.
    case readResponse(Range<Int>, SASLExchange)
    /// Ask about the key that was just decoded; `keyChecked` or `loginTurnedAway` follows.
    case checkKey
    /// A login is refused. If it counts, count it for the address of the client. May that address
    /// try again? `refusalNoted` follows at once.
    case noteRefusal(LoginFault, isCounted: Bool)
    /// 235; the key that was asked about is the session's from now on.
    case logIn
    /// Has the API told the key, or the domain of this sender, to wait for long? `rateLimitAnswered`
    /// follows at once.
    case askRateLimit(sender: Range<Int>)
    /// RSET: 250, and what was refused, if that was the last reply.
    case reset
    /// Put the sender into a fresh envelope and answer 250.
    case beginMail(MailCommand)
    /// The message is too large for so many recipients: count it and answer 552.
    case refuseForGroup
    /// Put the recipient into the envelope, report it with `recipientAdded`, and answer 250.
    case addRecipient(Range<Int>)
    /// Reserve this many bytes of memory; `budgetGranted` follows when they are there.
    case reserve(bytes: Int)
    /// 354; a submission begins.
    case beginData
    /// A submission begins; its content is on the way, by BDAT.
    case beginChunks
    /// All of the message is in: ask the submission for its outcome, which is due by this time;
    /// `outcome` follows.
    case finishMessage(by: MonotonicTime)
    /// Nothing is waited for any more and no submission goes on; then answer, if there is a reply.
    case giveUp(Reply?)
    /// QUIT: 221 and close.
    case quit
}
