// Which header passes, as a table; and the grouping of headers of the same name.

import Testing
import Wire

@testable import Mapping

@Suite("Which headers pass")
struct HeaderPolicyTests {
    static let cases: [(FieldName, String, HeaderPolicy.Verdict)] = [
        (.from, "From", .carried), (.to, "To", .carried), (.cc, "Cc", .carried),
        (.bcc, "Bcc", .carried), (.subject, "Subject", .carried),
        (.mimeVersion, "MIME-Version", .carried), (.contentType, "Content-Type", .carried),
        (.contentOther, "Content-Language", .carried),
        (.contentOther, "Content-Base", .pass(.text)),
        (.received, "Received", .dropped), (.returnPath, "Return-Path", .dropped),
        (.deliveredTo, "Delivered-To", .dropped), (.dkimSignature, "DKIM-Signature", .dropped),
        (.arc, "ARC-Seal", .dropped), (.date, "DATE", .pass(.once)),
        (.messageID, "Message-ID", .dropped),
        (.replyTo, "Reply-To", .pass(.onceAddresses)), (.sender, "Sender", .pass(.onceAddresses)),
        (.trace, "X-Received", .dropped), (.references, "References", .pass(.words)),
        (.inReplyTo, "In-Reply-To", .pass(.words)), (.once, "Importance", .pass(.once)),
        (.listURLs, "List-Unsubscribe", .pass(.onceURLs)), (.smtpAPI, "X-SMTPAPI", .pass(.text)),
        (.addresses, "Errors-To", .pass(.onceAddresses)),
        (.postscaleTags, "X-Postscale-Tags", .postscale),
        (.postscaleOther, "X-Postscale-Odd", .postscaleUnknown),
        (.resent, "Resent-From", .pass(.addresses)), (.resent, "Resent-Date", .pass(.text)),
        (.resent, "resent-bcc", .dropped),
        (.other, "X-Anything", .pass(.text)),
    ]

    @Test("each kind of header has its verdict", arguments: cases)
    func verdicts(id: FieldName, name: String, expected: HeaderPolicy.Verdict) {
        let policy = HeaderPolicy(passedHeaders: ["date", "content-base", "bcc", "from"])
        let bytes = Array(name.utf8)
        #expect(policy.verdict(on: id, name: bytes.span) == expected)
    }

    @Test("other services' headers are mapped only when that is asked for")
    func foreign() {
        let policy = HeaderPolicy(passedHeaders: [], mapsForeignHeaders: true)
        let ids: [FieldName] = [
            .smtpAPI, .mailgunTag, .mailgunVariables, .postmarkTag, .postmarkMetadataKey,
            .mandrillTags, .mandrillMetadata, .sesTags, .sesConfigurationSet, .mailjetCustomID,
            .brevoTag,
        ]
        let name = Array("X".utf8)
        for id in ids { #expect(policy.verdict(on: id, name: name.span) == .foreign) }
        #expect(policy.verdict(on: .other, name: name.span) == .pass(.text))
    }

    @Test("a thousand names, each twice, are joined in linear time")
    func groups() {
        var text = ""
        for number in 0..<1_000 { text += "X-\(number): 1\r\n" }
        for number in 0..<1_000 { text += "x-\(number): 2\r\n" }
        let block = Array(text.utf8)
        var scanner = HeaderScanner()
        var fields: [HeaderField] = []
        while let field = scanner.next(block.span) { fields.append(field) }
        #expect(fields.count == 2_000)
        var groups = HeaderGroups()
        groups.reset(forCount: fields.count)
        for field in fields { groups.add(field, .text, in: block.span) }
        #expect((0..<groups.count).filter { groups.isFirst($0) } == Array(0..<1_000))
        #expect((0..<1_000).allSatisfy { groups.next($0) == $0 + 1_000 })
    }
}
