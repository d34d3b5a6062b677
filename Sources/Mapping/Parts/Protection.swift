// Signed and encrypted content: S/MIME (RFC 8551), PGP/MIME (RFC 3156), RFC 1847.
//
// The API builds each message anew. A signature cannot be checked any more then, and what is
// encrypted arrives as files that no mail program decrypts by itself.

import Wire

/// What a part of a message is protected by; that is lost on the way.
enum Protection: Equatable {
    case signature, encryption

    var loss: MappingLosses.Kind { self == .signature ? .signature : .encryption }

    /// Of a multipart; nil for nearly all.
    init?(multipart head: EntityHead) {
        let type = head.mediaType.span
        if type.equalsIgnoringCase("multipart/signed") {
            self = .signature
        } else if type.equalsIgnoringCase("multipart/encrypted") {
            self = .encryption
        } else {
            return nil
        }
    }

    /// Of a leaf; nil for nearly all. S/MIME has one type for what is signed, encrypted, compressed,
    /// or nothing but certificates, and a parameter that says which; old programs leave that out.
    /// Gateways that do not know the type write application/octet-stream; the name says it then (RFC
    /// 8551 3.9).
    /// - Parameter isFirst: no leaf came before it. A file with a name of its own that came after
    ///   other parts is only a file.
    init?(leaf head: EntityHead, isFirst: Bool) {
        let type = head.mediaType.span
        let name = head.filename.span
        guard
            type.equalsIgnoringCase("application/pkcs7-mime")
                || type.equalsIgnoringCase("application/x-pkcs7-mime")
                || isFirst && type.equalsIgnoringCase("application/octet-stream")
                    && Self.ends(name, ".p7m")
        else { return nil }
        guard isFirst || !head.isAttachment || name.isEmpty || name.startsIgnoringCase("smime.")
        else { return nil }
        switch Self.smimeType(head.typeParameters) {
        case "signed-data", "signed-receipt": self = .signature
        case "certs-only", "compressed-data": return nil
        case "":
            if Self.ends(name, ".p7c") || Self.ends(name, ".p7z") { return nil }
            self = Self.ends(name, ".p7s") ? .signature : .encryption
        default: self = .encryption
        }
    }

    private static func ends(_ name: Bytes, _ suffix: StaticString) -> Bool {
        let count = suffix.utf8CodeUnitCount
        return name.count >= count
            && name.extracting((name.count - count)...).equalsIgnoringCase(suffix)
    }

    /// The value of `smime-type`, lower case; empty when there is none.
    private static func smimeType(_ parameters: [UInt8]) -> String {
        let text = String(decoding: parameters, as: UTF8.self).lowercased()
        guard let start = text.firstRange(of: "smime-type=")?.upperBound else { return "" }
        let value = text[start...].prefix { $0 != ";" }
        return value.filter { $0 != "\"" && $0 != " " }
    }
}
