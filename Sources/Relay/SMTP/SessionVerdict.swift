// What a session's machine and its driver say to each other.
//
// The driver reports what happened and what only it can find out; the machine answers with one
// verdict, which the driver carries out in one `switch`. Everything here is a small value.

import Wire

/// What the driver is to do next.
enum SessionVerdict: Equatable {
    /// Nothing: go on, or go on waiting.
    case none
    case reply(Reply)
    /// Answer and close; nothing that still arrives is read.
    case close(Reply)
    /// Close without a word: the peer could not read one (no TLS yet).
    case hangUp
    /// 220 with the host name.
    case greet
    /// 250 with the host name, for EHLO with the extensions.
    case hello(isExtended: Bool)
    /// 220, then the handshake; `opened` follows.
    case startTLS
    /// Decode this range of the line and report it with `response`.
    case readResponse(Range<Int>, SASLExchange)
    /// Ask about the key that was just decoded; `keyChecked` follows.
    case checkKey
    /// 235; the key that was asked about is the session's from now on.
    case logIn
    /// Put the sender into a fresh envelope and answer 250.
    case beginMail(MailCommand)
    /// Put the recipient into the envelope, report it with `recipientAdded`, and answer 250.
    case addRecipient(Range<Int>)
    /// Reserve this many bytes; `budgetGranted` follows when they are there.
    case reserve(bytes: Int)
    /// 354; a submission begins.
    case beginData
    /// All of the message is in: ask the submission what became of it; `outcome` follows.
    case finishMessage
    /// Nothing is waited for any more and no submission goes on; then answer, if there is a reply.
    case giveUp(Reply?)
    /// QUIT: 221 and close.
    case quit
}

/// What is to be done with a piece of DATA.
enum ContentVerdict: Equatable {
    case feed
    /// Throw it away.
    case discard
    /// The message is over the limit: give the submission up, throw this and the rest away.
    case abandon
}

/// Which answer of an AUTH exchange a line is (RFC 4954 4).
enum SASLExchange: UInt8, Equatable {
    case plain, loginUsername, loginPassword
}

/// An AUTH response, decoded. A fingerprint stands for the credentials, so that the machine can
/// tell a repetition without ever seeing them.
enum SASLResponse: Equatable {
    /// `*`
    case cancelled
    case badBase64
    case badFormat
    /// LOGIN: the username is right.
    case username
    case wrongUsername(fingerprint: UInt64)
    /// Not a key that the API could be asked about, or for another identity.
    case unusableKey(fingerprint: UInt64)
    case key(fingerprint: UInt64)
}
