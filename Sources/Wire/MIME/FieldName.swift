// Which header fields the relay treats specially.
//
// A name is compared by its length first, so an ordinary field costs one or two comparisons and no
// string.

/// Header fields that the relay treats specially; every other one is `.other`.
package enum FieldName: UInt8, Sendable {
    case from, to, cc, bcc, subject, date, messageID, sender, replyTo
    case mimeVersion, contentType, contentTransferEncoding, contentDisposition, contentID
    /// Any other Content-*.
    case contentOther
    case received, returnPath, deliveredTo, dkimSignature
    /// ARC-*
    case arc
    case postscaleTags, postscaleMetadata
    /// X-Postscale-Metadata-NAME
    case postscaleMetadataKey
    case postscaleTemplate, postscaleTemplateID, postscaleVariables, postscaleUnsubscribeScope
    /// Any other X-Postscale-*
    case postscaleOther
    /// Resent-*
    case resent
    case other

    /// The field that `name` names, without case; `name` has no blanks around it.
    package init(_ name: Bytes) { self = Self.exact(name) ?? Self.family(name) }

    private static func exact(_ name: Bytes) -> FieldName? {
        switch name.count {
        case 2: match(name, "to", .to) ?? match(name, "cc", .cc)
        case 3: match(name, "bcc", .bcc)
        case 4: match(name, "from", .from) ?? match(name, "date", .date)
        case 6: match(name, "sender", .sender)
        case 7: match(name, "subject", .subject)
        case 8: match(name, "reply-to", .replyTo) ?? match(name, "received", .received)
        case 10: match(name, "message-id", .messageID) ?? match(name, "content-id", .contentID)
        case 11: match(name, "return-path", .returnPath)
        case 12:
            match(name, "content-type", .contentType) ?? match(name, "mime-version", .mimeVersion)
                ?? match(name, "delivered-to", .deliveredTo)
        case 14: match(name, "dkim-signature", .dkimSignature)
        case 19: match(name, "content-disposition", .contentDisposition)
        case 25: match(name, "content-transfer-encoding", .contentTransferEncoding)
        default: postscale(name)
        }
    }

    private static func postscale(_ name: Bytes) -> FieldName? {
        switch name.count {
        case 16: match(name, "x-postscale-tags", .postscaleTags)
        case 20:
            match(name, "x-postscale-metadata", .postscaleMetadata)
                ?? match(name, "x-postscale-template", .postscaleTemplate)
        case 21: match(name, "x-postscale-variables", .postscaleVariables)
        case 23: match(name, "x-postscale-template-id", .postscaleTemplateID)
        case 29: match(name, "x-postscale-unsubscribe-scope", .postscaleUnsubscribeScope)
        default: nil
        }
    }

    private static func family(_ name: Bytes) -> FieldName {
        if name.startsIgnoringCase("x-postscale-") {
            let prefix: StaticString = "x-postscale-metadata-"
            let hasKey =
                name.count > prefix.utf8CodeUnitCount && name.startsIgnoringCase(prefix)
            return hasKey ? .postscaleMetadataKey : .postscaleOther
        }
        if name.startsIgnoringCase("content-") { return .contentOther }
        if name.startsIgnoringCase("resent-") { return .resent }
        if name.startsIgnoringCase("arc-") { return .arc }
        return .other
    }

    private static func match(
        _ name: Bytes, _ text: StaticString, _ field: FieldName
    ) -> FieldName? {
        name.equalsIgnoringCase(text) ? field : nil
    }
}

/// Which names a header block has, so that questions about absent ones can be skipped.
package struct FieldNameSet: Sendable {
    private var bits: UInt64 = 0

    package init() {}

    package mutating func insert(_ name: FieldName) { bits |= 1 << UInt64(name.rawValue) }

    package func contains(_ name: FieldName) -> Bool { bits >> UInt64(name.rawValue) & 1 != 0 }
}
