// The mail transaction of a session: what decides whether RCPT, DATA and BDAT may come (RFC
// 5321 3.3, RFC 3030 2).
//
// A value without addresses: those are in the `Envelope`.

import Wire

/// What MAIL and RCPT have said so far (RFC 5321 3.3).
struct Transaction {
    private(set) var hasSender = false
    /// Recipients, each counted once.
    private(set) var recipientCount = 0
    private(set) var isSMTPUTF8 = false
    /// BODY=BINARYMIME: only BDAT can carry it (RFC 3030 3).
    private(set) var isBinary = false
    /// The first BDAT has come: no recipient and no DATA can follow (RFC 3030 2).
    private(set) var isChunked = false
    /// SIZE of MAIL (RFC 1870), in bytes.
    private(set) var announcedBytes: Int?

    mutating func begin(_ mail: MailCommand) {
        hasSender = true
        isSMTPUTF8 = mail.isSMTPUTF8
        isBinary = mail.isBinaryMIME
        announcedBytes = mail.size
    }

    mutating func addRecipient() { recipientCount += 1 }

    mutating func beginChunks() { isChunked = true }

    /// DATA may come.
    var mayHaveData: Bool { recipientCount > 0 && !isChunked && !isBinary }
}
