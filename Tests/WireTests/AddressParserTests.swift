// Address lists: RFC 5322's examples, what is seen in the wild, and hostile ones.

import Testing

@testable import Wire

/// All mailboxes of a list as `Name<address>`.
func parsedAddresses(_ value: [UInt8]) -> (
    mailboxes: [String], losses: DecodeLosses, isTooLong: Bool
) {
    var losses = DecodeLosses()
    var mailboxes: [String] = []
    var isTooLong = false
    let cache = CharsetCache()
    _ = written(capacity: 4 * value.count + 64) { region in
        var parser = AddressParser()
        while true {
            switch parser.next(value.span, charsets: cache, into: &region, losses: &losses) {
            case .end: return
            case .tooManyTokens:
                isTooLong = true
                return
            case .mailbox(let mailbox):
                let name = region.bytes.extracting(mailbox.displayName).copied()
                let address = region.bytes.extracting(mailbox.address).copied()
                let text = String(validating: name + [0x3C] + address + [0x3E], as: UTF8.self)
                mailboxes.append(text ?? "(not UTF-8)")
            }
        }
    }
    return (mailboxes, losses, isTooLong)
}
