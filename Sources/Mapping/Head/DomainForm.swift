// The form of a domain by which it is compared: ASCII, lower case, without a trailing dot.
//
// The tables of IDNA 2008 (RFC 5891, UTS #46) are libidn2's. Only domains that have more than one
// form get here; a domain that libidn2 refuses is compared as it is written.

import CIDN2
import Wire

/// Addresses by the form of their domain.
enum DomainForm {
    /// Whether the domain of `address` may be written in another form too: it is not ASCII, or ends
    /// with a dot.
    static func hasOther(_ address: Bytes) -> Bool {
        guard let last = address.indices.last else { return false }
        if address[last] == UInt8(ascii: ".") { return true }
        var index = address.count
        while index > 0, address[index - 1] != UInt8(ascii: "@") {
            index -= 1
            if address[index] >= 0x80 { return true }
        }
        return false
    }

    /// A key that is the same for two addresses exactly if they are one: local part without quoting
    /// that changes nothing, domain in its ASCII form.
    static func key(_ address: Bytes, ignoringLocalCase: Bool) -> [UInt8] {
        var mark = address.count
        while mark > 0, address[mark - 1] != UInt8(ascii: "@") { mark -= 1 }
        var key: [UInt8] = []
        key.reserveCapacity(address.count + 16)
        for index in 0..<mark where address[index] != 0x22 && address[index] != 0x5C {
            key.append(ignoringLocalCase ? address[index].asciiLowercased : address[index])
        }
        key += ascii(address.extracting(mark..<address.count))
        return key
    }

    /// The ASCII form of a domain in UTF-8.
    static func ascii(_ domain: Bytes) -> [UInt8] {
        var end = domain.count
        if end > 1, domain[end - 1] == UInt8(ascii: ".") { end -= 1 }
        var text = domain.extracting(0..<end).copied()
        for index in text.indices { text[index] = text[index].asciiLowercased }
        guard text.contains(where: { $0 >= 0x80 }), text.count <= domainBytesMax else {
            return text
        }
        return lookedUp(text) ?? text
    }

    /// A domain has 253 letters at most, and a letter has 4 bytes of UTF-8.
    private static let domainBytesMax = 1_012

    private static func lookedUp(_ domain: [UInt8]) -> [UInt8]? {
        guard !domain.contains(0) else { return nil }
        var result: UnsafeMutablePointer<UInt8>?
        let flags = Int32(IDN2_NFC_INPUT.rawValue | IDN2_NONTRANSITIONAL.rawValue)
        guard idn2_lookup_u8(domain + [0], &result, flags) == Int32(IDN2_OK.rawValue),
            let result
        else { return nil }
        defer { idn2_free(result) }
        var length = 0
        while result[length] != 0 { length += 1 }
        return UnsafeBufferPointer(start: result, count: length).map { $0.asciiLowercased }
    }
}

/// Finds recipients whose domain a header writes in another form than the envelope. Made for a
/// message in which that is possible; linear in the addresses of both.
struct RecipientForms {
    private var exact: [[UInt8]: Int32] = [:]
    private var folded: [[UInt8]: Int32] = [:]
    /// Addresses of `list` that are in the tables.
    private var count = 0
    private var hasOtherForms = false
    /// Names that may still be asked for: each may cost a look into the tables of IDNA.
    private var asksLeft = Self.asksMax

    private static let asksMax = 2_000

    /// Whether `address` may be one of `addresses` in another form.
    /// - Parameter addresses: those of the message so far, more at each call.
    mutating func mayHold(_ address: Bytes, _ addresses: AddressArena) -> Bool {
        while !hasOtherForms, count < addresses.count {
            hasOtherForms = DomainForm.hasOther(addresses.bytes(count))
            count += 1
        }
        return hasOtherForms || DomainForm.hasOther(address)
    }

    /// The recipient that is `address`; with `isExact` in the case of the local part too.
    mutating func find(
        _ address: Bytes, in addresses: AddressArena
    ) -> (index: Int32, isExact: Bool)? {
        guard asksLeft > 0 else { return nil }
        asksLeft -= 1
        fill(addresses)
        if let index = exact[DomainForm.key(address, ignoringLocalCase: false)] {
            return (index, true)
        }
        return folded[DomainForm.key(address, ignoringLocalCase: true)].map { ($0, false) }
    }

    private var filled = 0

    private mutating func fill(_ addresses: AddressArena) {
        while filled < addresses.count {
            let address = addresses.bytes(filled)
            let index = Int32(filled)
            let key = DomainForm.key(address, ignoringLocalCase: false)
            if exact[key] == nil { exact[key] = index }
            let foldedKey = DomainForm.key(address, ignoringLocalCase: true)
            if folded[foldedKey] == nil { folded[foldedKey] = index }
            filled += 1
        }
    }
}
