// What messages lose on the way to the API, by kind.
//
// A kind is declared in one place, `MappingLosses.Kind`: sums, log, metrics, `explain` and the words
// of verbose replies follow from it. To count is an index and an addition, and never allocates.

import Reactor

/// What one or more messages lost on the way, by kind.
package struct MappingLosses: Equatable, Sendable {
    package enum Kind: Int, CaseIterable, Sendable {
        case headersNotPassed, headersMalformed, postscaleHeadersUnknown
        case charactersReplaced, charsetsUnknown, encodingsIrregular, textTruncated
        case bodiesReplacedByTemplate
        /// Text in front of the first part of a multipart, or after the last one.
        case preambles
        case addressesNotInEnvelope, addressesMalformed
        /// Parts without a byte; the API refuses an attachment that is empty.
        case attachmentsEmpty
        /// Signed content: the API builds the message anew, so nobody can check the signature.
        case signature
        /// Encrypted content: it arrives as files, and mail programs do not decrypt it by themselves.
        case encryption
        /// Pieces of a message that the sender has split (RFC 2046 5.2.2): nobody joins them again.
        case partialMessages
        /// Bodies that are somewhere else (RFC 2046 5.2.3): only where they are is passed on.
        case externalBodies
        /// Pictures that HTML names by their Content-Location, where that could not be replaced.
        case picturesNotTied
        /// Parts of a multipart/alternative for which others stand.
        case alternativesNotShown
        /// What other services' headers say beside tags and metadata, and what of these could not be
        /// read; only with `mapsForeignHeaders`.
        case foreignSettings

        /// Its name in the log and in the metrics.
        package var name: StaticString {
            switch self {
            case .headersNotPassed: "headers_not_passed"
            case .headersMalformed: "headers_malformed"
            case .postscaleHeadersUnknown: "postscale_headers_unknown"
            case .charactersReplaced: "characters_replaced"
            case .charsetsUnknown: "charsets_unknown"
            case .encodingsIrregular: "encodings_irregular"
            case .textTruncated: "text_truncated"
            case .bodiesReplacedByTemplate: "bodies_replaced_by_template"
            case .preambles: "preambles"
            case .addressesNotInEnvelope: "addresses_not_in_envelope"
            case .addressesMalformed: "addresses_malformed"
            case .attachmentsEmpty: "attachments_empty"
            case .signature: "signature"
            case .encryption: "encryption"
            case .partialMessages: "partial_messages"
            case .externalBodies: "external_bodies"
            case .picturesNotTied: "pictures_not_tied"
            case .alternativesNotShown: "alternatives_not_shown"
            case .foreignSettings: "foreign_settings"
            }
        }

        /// The same for people: what happened to something of the message.
        package var phrase: StaticString {
            switch self {
            case .headersNotPassed: "header not passed on"
            case .headersMalformed: "malformed header left out"
            case .postscaleHeadersUnknown: "unknown X-Postscale header left out"
            case .charactersReplaced: "characters replaced"
            case .charsetsUnknown: "unknown charset guessed"
            case .encodingsIrregular: "irregular encoding repaired"
            case .textTruncated: "header text cut"
            case .bodiesReplacedByTemplate: "text replaced by the template"
            case .preambles: "text outside the parts left out"
            case .addressesNotInEnvelope: "address that is no recipient left out"
            case .addressesMalformed: "malformed address left out"
            case .attachmentsEmpty: "empty attachment left out"
            case .signature: "signature not kept"
            case .encryption: "encrypted content sent as a file"
            case .partialMessages: "piece of a split message sent as a file"
            case .externalBodies: "external content not included"
            case .picturesNotTied: "picture not tied to its place"
            case .alternativesNotShown: "alternative form left out"
            case .foreignSettings: "setting of another service left out"
            }
        }

        /// Whether the sender should hear of it in the reply, when replies are verbose. The others are
        /// usual in good mail, or what the sender wanted: most mail has a Date that is not passed on,
        /// list mail names people who are not its recipients, and old programs say in front of the
        /// first part that this is MIME.
        package var concernsSender: Bool {
            switch self {
            case .headersNotPassed, .encodingsIrregular, .bodiesReplacedByTemplate, .preambles,
                .addressesNotInEnvelope:
                false
            default: true
            }
        }
    }

    /// By the raw value of their kind.
    private var counts = InlineArray<19, Int>(repeating: 0)

    package init() {}

    package subscript(kind: Kind) -> Int {
        get { counts[kind.rawValue] }
        set { counts[kind.rawValue] = newValue }
    }

    /// All kinds together.
    package var sum: Int { Kind.allCases.reduce(0) { $0 + self[$1] } }

    /// "headers_not_passed=2 preambles=1"
    package var summary: String {
        Kind.allCases.filter { self[$0] > 0 }.map { "\($0.name)=\(self[$0])" }
            .joined(separator: " ")
    }

    /// "headers_not_passed=2 (header not passed on), signature=1 (signature not kept)"
    package var explanation: String {
        Kind.allCases.filter { self[$0] > 0 }
            .map { "\($0.name)=\(self[$0]) (\($0.phrase))" }.joined(separator: ", ")
    }

    /// The words of the kinds that were counted.
    package var phrases: [String] {
        Kind.allCases.filter { self[$0] > 0 }.map { "\($0.phrase)" }
    }

    /// What the sender should hear of: "signature not kept; characters replaced". Empty for nothing.
    package var wordsForSender: String {
        Kind.allCases.filter { self[$0] > 0 && $0.concernsSender }.map { "\($0.phrase)" }
            .joined(separator: "; ")
    }

    package mutating func add(_ other: MappingLosses) {
        for index in counts.indices { counts[index] += other.counts[index] }
    }

    package static func == (a: MappingLosses, b: MappingLosses) -> Bool {
        a.counts.indices.allSatisfy { a.counts[$0] == b.counts[$0] }
    }
}

extension MappingLosses: Countable {
    package var reading: CounterReading {
        .byKind(Kind.allCases.map { ("\($0.name)", self[$0]) })
    }
}
