// Which header fields of a message the API is told about.
//
// Everything passes except: what other fields of the request carry, what describes the MIME
// structure (which is not kept), traces and signatures (which would be wrong in the rebuilt
// message), and what the API writes itself. X-Postscale-* is for the relay alone.

import Wire

/// Decides what becomes of each header field.
struct HeaderPolicy {
    enum Verdict: Equatable {
        /// Into `headers`.
        case pass
        /// Into `headers`, as a list of mailboxes: decoding must not change what its commas mean.
        case passAddresses
        /// Another field of the request carries what it says.
        case carried
        /// Left out and counted.
        case dropped
        /// X-Postscale-*: mapped to a field of its own.
        case postscale
        /// An unknown X-Postscale-*: removed and counted.
        case postscaleUnknown
    }

    private let passedNames: [[UInt8]]

    /// - Parameter passedHeaders: lower-case names of `--pass-header`.
    init(passedHeaders: [String]) {
        passedNames = passedHeaders.map { Array($0.utf8) }
    }

    /// - Parameter name: the field's name as written.
    func verdict(on id: FieldName, name: Bytes) -> Verdict {
        switch id {
        case .from, .to, .cc, .bcc, .subject:
            .carried
        case .mimeVersion, .contentType, .contentTransferEncoding, .contentDisposition, .contentID:
            .carried
        case .contentOther:
            isAskedFor(name) ? .pass : .carried
        case .date, .messageID, .received, .returnPath, .deliveredTo, .dkimSignature, .arc:
            isAskedFor(name) ? .pass : .dropped
        case .sender, .replyTo:
            .passAddresses
        case .postscaleTags, .postscaleMetadata, .postscaleMetadataKey, .postscaleTemplate,
            .postscaleTemplateID, .postscaleVariables, .postscaleUnsubscribeScope:
            .postscale
        case .postscaleOther:
            .postscaleUnknown
        case .resent:
            // Resent-Bcc names people who must stay unknown to the other recipients
            // (RFC 5322 3.6.6).
            name.equalsIgnoringCase("Resent-Bcc") ? .dropped : .pass
        case .other:
            .pass
        }
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
