// The mail transaction of a session: what decides whether RCPT and DATA may come (RFC 5321 3.3).
//
// A value without addresses: those are in the `Envelope`.

import Wire

/// What MAIL and RCPT have said so far (RFC 5321 3.3).
struct Transaction {
    private(set) var hasSender = false
    /// Recipients, each counted once.
    private(set) var recipientCount = 0
    private(set) var isSMTPUTF8 = false
    /// SIZE of MAIL (RFC 1870), in bytes.
    private(set) var announcedBytes: Int?

    mutating func begin(_ mail: MailCommand) {
        hasSender = true
        isSMTPUTF8 = mail.isSMTPUTF8
        announcedBytes = mail.size
    }

    mutating func addRecipient() { recipientCount += 1 }
}
