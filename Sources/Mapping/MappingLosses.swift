// What messages lose on the way to the API, by kind.
//
// A kind is declared in one place, `MappingLosses.Kind`: sums, log, metrics and `explain` follow
// from it. To count is an index and an addition, and never allocates.

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
            }
        }
    }

    /// By the raw value of their kind.
    private var counts = InlineArray<12, Int>(repeating: 0)

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
