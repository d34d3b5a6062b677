// Which header fields the relay treats specially.
//
// A name is compared by its length first, and the rare names by their first letter too, so an ordinary
// field costs a few comparisons and no string.

/// Header fields that the relay treats specially; every other one is `.other`.
package enum FieldName: UInt8, Sendable {
    case from, to, cc, bcc, subject, date, messageID, sender, replyTo
    case mimeVersion, contentType, contentTransferEncoding, contentDisposition, contentID
    case contentDescription, contentLocation, contentBase
    /// Any other Content-*.
    case contentOther
    case received, returnPath, deliveredTo, dkimSignature
    /// ARC-*
    case arc
    /// Any other trace of the way here: Authentication-Results, X-Original-To and the like.
    case trace
    case references, inReplyTo
    /// Holds addresses and may stand once, as Disposition-Notification-To.
    case addresses
    /// May stand once: Importance, X-Priority and the like.
    case once
    /// May stand once and holds URLs in angle brackets: List-Unsubscribe and the like (RFC 2369).
    case listURLs
    /// What steers other services: SendGrid, Mailgun, Postmark, Mandrill, Amazon SES, Mailjet, Brevo.
    case smtpAPI, mailgunTag, mailgunVariables, postmarkTag
    /// X-PM-Metadata-NAME
    case postmarkMetadataKey
    case mandrillTags, mandrillMetadata, sesTags, sesConfigurationSet, mailjetCustomID, brevoTag
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
                ?? match(name, "content-base", .contentBase)
        case 14: match(name, "dkim-signature", .dkimSignature)
        case 16:
            match(name, "x-postscale-tags", .postscaleTags)
                ?? match(name, "content-location", .contentLocation)
        case 19:
            match(name, "content-disposition", .contentDisposition)
                ?? match(name, "content-description", .contentDescription)
        case 25: match(name, "content-transfer-encoding", .contentTransferEncoding)
        default: postscale(name)
        }
    }

    private static func postscale(_ name: Bytes) -> FieldName? {
        switch name.count {
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
        return rare(name) ?? .other
    }

    private static func rare(_ name: Bytes) -> FieldName? {
        guard name.count >= 7 else { return nil }
        switch name[0].asciiLowercased {
        case UInt8(ascii: "x"): return extended(name) ?? postmarkKey(name)
        case UInt8(ascii: "l"): return list(name)
        case UInt8(ascii: "r"):
            return match(name, "references", .references) ?? match(name, "reply-by", .once)
                ?? match(name, "received-spf", .trace)
                ?? match(name, "return-receipt-to", .addresses)
                ?? match(name, "read-receipt-to", .addresses)
        case UInt8(ascii: "i"):
            return match(name, "in-reply-to", .inReplyTo) ?? match(name, "importance", .once)
        case UInt8(ascii: "d"):
            return match(name, "disposition-notification-to", .addresses)
                ?? match(name, "domainkey-signature", .trace)
        case UInt8(ascii: "a"):
            return match(name, "authentication-results", .trace)
                ?? match(name, "apparently-to", .trace) ?? match(name, "auto-submitted", .once)
        case UInt8(ascii: "m"):
            return match(name, "mail-followup-to", .addresses)
                ?? match(name, "mail-reply-to", .addresses)
                ?? match(name, "mail-copies-to", .addresses)
        case UInt8(ascii: "e"):
            return match(name, "errors-to", .addresses) ?? match(name, "envelope-to", .trace)
                ?? match(name, "expiry-date", .once)
        case UInt8(ascii: "p"):
            return match(name, "priority", .once) ?? match(name, "precedence", .once)
        case UInt8(ascii: "s"): return match(name, "sensitivity", .once)
        case UInt8(ascii: "o"): return match(name, "organization", .once)
        case UInt8(ascii: "t"):
            return match(name, "thread-topic", .once) ?? match(name, "thread-index", .once)
        case UInt8(ascii: "f"): return match(name, "feedback-id", .once)
        default: return nil
        }
    }

    private static func list(_ name: Bytes) -> FieldName? {
        match(name, "list-unsubscribe", .listURLs)
            ?? match(name, "list-unsubscribe-post", .once) ?? match(name, "list-id", .once)
            ?? match(name, "list-help", .listURLs) ?? match(name, "list-subscribe", .listURLs)
            ?? match(name, "list-post", .listURLs) ?? match(name, "list-owner", .listURLs)
            ?? match(name, "list-archive", .listURLs)
    }

    private static func extended(_ name: Bytes) -> FieldName? {
        switch name.count {
        case 8: match(name, "x-pm-tag", .postmarkTag)
        case 9: match(name, "x-mc-tags", .mandrillTags) ?? match(name, "x-smtpapi", .smtpAPI)
        case 10:
            match(name, "x-priority", .once) ?? match(name, "x-received", .trace)
                ?? match(name, "x-reply-to", .addresses)
        case 11: match(name, "x-errors-to", .addresses)
        case 12: match(name, "x-mailin-tag", .brevoTag)
        case 13:
            match(name, "x-mailgun-tag", .mailgunTag) ?? match(
                name, "x-mc-metadata", .mandrillMetadata)
                ?? match(name, "x-mj-customid", .mailjetCustomID)
                ?? match(name, "x-envelope-to", .trace) ?? match(name, "x-original-to", .trace)
        case 17: match(name, "x-msmail-priority", .once)
        case 18: match(name, "x-ses-message-tags", .sesTags)
        case 19: match(name, "x-mailgun-variables", .mailgunVariables)
        case 20: match(name, "x-confirm-reading-to", .addresses)
        case 23:
            match(name, "x-ses-configuration-set", .sesConfigurationSet)
                ?? match(name, "x-google-dkim-signature", .trace)
        default: nil
        }
    }

    private static func postmarkKey(_ name: Bytes) -> FieldName? {
        let prefix: StaticString = "x-pm-metadata-"
        let hasKey = name.count > prefix.utf8CodeUnitCount && name.startsIgnoringCase(prefix)
        return hasKey ? .postmarkMetadataKey : nil
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
