// What the parts of a message are, besides where they go: signed or encrypted, pieces of something
// larger, or named by their place. Each loses something on the way, which is counted here.
//
// Sees multiparts and attachments only, so a message of one text costs nothing.

import APIClient
import Wire

/// The parts of one message after the other.
struct PartSurvey {
    private let refusesProtected: Bool
    /// Parts that HTML names by their place.
    private(set) var ties = LocationTies()

    init(options: MappingOptions) { refusesProtected = options.refusesProtected }

    /// A new message.
    mutating func begin() { ties.begin() }

    /// A multipart begins.
    /// - Parameter depth: multiparts around its parts, itself counted.
    mutating func multipartStart(_ head: EntityHead, depth: Int, _ findings: inout Findings) {
        ties.multipartStart(head, depth: depth)
        if let protection = Protection(multipart: head) { lose(protection, &findings) }
    }

    /// An attachment begins.
    /// - Parameters:
    ///   - depth: multiparts around it.
    ///   - isFirst: no leaf came before it.
    /// - Returns: the Content-ID to send with it when it has none of its own; empty when none is
    ///   needed.
    mutating func attachmentStart(
        _ head: EntityHead, depth: Int, isFirst: Bool, _ findings: inout Findings
    ) -> [UInt8] {
        let type = head.mediaType.span
        if type.startsIgnoringCase("message/") {
            if type.equalsIgnoringCase("message/partial") { findings.count(.partialMessages) }
            if type.equalsIgnoringCase("message/external-body") { findings.count(.externalBodies) }
        } else if let protection = Protection(leaf: head, isFirst: isFirst) {
            lose(protection, &findings)
        }
        return head.location.isEmpty ? [] : ties.tie(head, depth: depth)
    }

    private func lose(_ protection: Protection, _ findings: inout Findings) {
        guard !refusesProtected else {
            return findings.refuse(.protected(isEncrypted: protection == .encryption))
        }
        findings.count(protection.loss)
    }
}
