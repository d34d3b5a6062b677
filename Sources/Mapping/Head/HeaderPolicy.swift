// Which header fields of a message the API is told about.
//
// Everything passes except: what other fields of the request carry, what describes the MIME
// structure (which is not kept), traces and signatures (which would be wrong in the rebuilt
// message), and what the API writes itself. X-Postscale-* is for the relay alone. A header that may
// stand once (RFC 5322 3.6, RFC 2369, RFC 8058, RFC 3834, RFC 2156 and custom) is not joined.

import Wire

/// How fields of one name are written into `headers`.
enum HeaderStyle: UInt8 {
    /// As text; repeats are joined with a comma.
    case text
    /// As text; repeats are joined with a blank (message ids).
    case words
    /// As text; the first one counts.
    case once
    /// As URLs in angle brackets, where folding leaves no blank; the first one counts.
    case onceURLs
    /// As a list of mailboxes: decoding must not change what its commas mean. Repeats are joined.
    case addresses
    /// As a list of mailboxes; the first one counts.
    case onceAddresses

    var isAddresses: Bool { self == .addresses || self == .onceAddresses }
    var isOnce: Bool { self == .once || self == .onceURLs || self == .onceAddresses }
}

/// Decides what becomes of each header field.
struct HeaderPolicy {
    enum Verdict: Equatable {
        /// Into `headers`.
        case pass(HeaderStyle)
        /// Another field of the request carries what it says.
        case carried
        /// Left out and counted.
        case dropped
        /// Steers another service: its tags and metadata become ours, with `mapsForeignHeaders`.
        case foreign
        /// X-Postscale-*: mapped to a field of its own.
        case postscale
        /// An unknown X-Postscale-*: removed and counted.
        case postscaleUnknown
    }

    private let passedNames: [[UInt8]]
    private let mapsForeignHeaders: Bool

    /// - Parameter passedHeaders: lower-case names of `--pass-header`.
    init(passedHeaders: [String], mapsForeignHeaders: Bool = false) {
        passedNames = passedHeaders.map { Array($0.utf8) }
        self.mapsForeignHeaders = mapsForeignHeaders
    }

    /// - Parameter name: the field's name as written.
    func verdict(on id: FieldName, name: Bytes) -> Verdict {
        switch id {
        case .from, .to, .cc, .bcc, .subject:
            .carried
        case .mimeVersion, .contentType, .contentTransferEncoding, .contentDisposition, .contentID:
            .carried
        case .contentOther, .contentDescription, .contentLocation, .contentBase:
            isAskedFor(name) ? .pass(.text) : .carried
        case .date, .messageID:
            isAskedFor(name) ? .pass(.once) : .dropped
        case .received, .returnPath, .deliveredTo, .dkimSignature, .arc, .trace:
            isAskedFor(name) ? .pass(.text) : .dropped
        case .sender, .replyTo, .addresses:
            .pass(.onceAddresses)
        case .references, .inReplyTo:
            .pass(.words)
        case .once:
            .pass(.once)
        case .listURLs:
            .pass(.onceURLs)
        case .smtpAPI, .mailgunTag, .mailgunVariables, .postmarkTag, .postmarkMetadataKey,
            .mandrillTags, .mandrillMetadata, .sesTags, .sesConfigurationSet, .mailjetCustomID,
            .brevoTag:
            mapsForeignHeaders ? .foreign : .pass(.text)
        case .postscaleTags, .postscaleMetadata, .postscaleMetadataKey, .postscaleTemplate,
            .postscaleTemplateID, .postscaleVariables, .postscaleUnsubscribeScope:
            .postscale
        case .postscaleOther:
            .postscaleUnknown
        case .resent:
            // Resent-Bcc names people who must stay unknown to the other recipients
            // (RFC 5322 3.6.6).
            name.equalsIgnoringCase("Resent-Bcc") ? .dropped : .pass(Self.resentStyle(name))
        case .other:
            .pass(.text)
        }
    }

    /// A message may be sent again several times, so these may be repeated (RFC 5322 3.6.6).
    private static func resentStyle(_ name: Bytes) -> HeaderStyle {
        let isText =
            name.equalsIgnoringCase("Resent-Date") || name.equalsIgnoringCase("Resent-Message-ID")
        return isText ? .text : .addresses
    }

    private func isAskedFor(_ name: Bytes) -> Bool {
        for passed in passedNames where passed.count == name.count {
            var isSame = true
            for index in 0..<name.count where name[index].asciiLowercased != passed[index] {
                isSame = false
                break
            }
            if isSame { return true }
        }
        return false
    }
}
