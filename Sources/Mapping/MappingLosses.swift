// What messages lost on the way, by kind, and the sums of it.

import Reactor

/// What messages lost on the way, by kind ("Nothing is dropped in silence").
package struct MappingLosses: Equatable, Sendable {
    package var headersNotPassed = 0
    package var headersMalformed = 0
    package var postscaleHeadersUnknown = 0
    package var charactersReplaced = 0
    package var charsetsUnknown = 0
    package var encodingsIrregular = 0
    package var textTruncated = 0
    package var bodiesReplacedByTemplate = 0
    package var preambles = 0
    package var addressesNotInEnvelope = 0
    package var addressesMalformed = 0
    /// Parts without a byte; the API refuses an attachment that is empty.
    package var attachmentsEmpty = 0

    package init() {}
}

extension MappingLosses {
    /// Every kind with its name and place, for sums, the log and the metrics.
    package static let kinds:
        [(name: StaticString, count: WritableKeyPath<MappingLosses, Int> & Sendable)] =
            [
                ("headers_not_passed", \.headersNotPassed),
                ("headers_malformed", \.headersMalformed),
                ("postscale_headers_unknown", \.postscaleHeadersUnknown),
                ("characters_replaced", \.charactersReplaced),
                ("charsets_unknown", \.charsetsUnknown),
                ("encodings_irregular", \.encodingsIrregular),
                ("text_truncated", \.textTruncated),
                ("bodies_replaced_by_template", \.bodiesReplacedByTemplate),
                ("preambles", \.preambles),
                ("addresses_not_in_envelope", \.addressesNotInEnvelope),
                ("addresses_malformed", \.addressesMalformed),
                ("attachments_empty", \.attachmentsEmpty),
            ]

    /// All kinds together.
    package var sum: Int { Self.kinds.reduce(0) { $0 + self[keyPath: $1.count] } }

    /// "headers_not_passed=2 preambles=1"
    package var summary: String {
        Self.kinds.filter { self[keyPath: $0.count] > 0 }
            .map { "\($0.name)=\(self[keyPath: $0.count])" }.joined(separator: " ")
    }

    /// Written out: through key paths it cost 10,000 instructions a message.
    package mutating func add(_ other: MappingLosses) {
        headersNotPassed += other.headersNotPassed
        headersMalformed += other.headersMalformed
        postscaleHeadersUnknown += other.postscaleHeadersUnknown
        charactersReplaced += other.charactersReplaced
        charsetsUnknown += other.charsetsUnknown
        encodingsIrregular += other.encodingsIrregular
        textTruncated += other.textTruncated
        bodiesReplacedByTemplate += other.bodiesReplacedByTemplate
        preambles += other.preambles
        addressesNotInEnvelope += other.addressesNotInEnvelope
        addressesMalformed += other.addressesMalformed
        attachmentsEmpty += other.attachmentsEmpty
    }
}

extension MappingLosses: Countable {
    package var reading: CounterReading {
        .byKind(Self.kinds.map { ("\($0.name)", self[keyPath: $0.count]) })
    }
}
