// Fields of header blocks, and the names that the relay knows.

import Testing

@testable import Wire

@Suite("Header fields")
struct HeaderScannerTests {
    private func fields(_ block: String) -> (fields: [String], malformed: Int) {
        let bytes = block.bytes
        var scanner = HeaderScanner()
        var found: [String] = []
        while let field = scanner.next(bytes.span) {
            found.append(Array(bytes[field.name]).text + "=" + Array(bytes[field.value]).text)
        }
        #expect(scanner.next(bytes.span) == nil)
        return (found, scanner.malformedCount)
    }

    @Test(
        "Fields come one by one, values without leading blanks and without their line end",
        arguments: [
            ("From: a\r\nTo: b\r\n\r\nbody: x", ["From=a", "To=b"], 0),
            ("From: a\nTo: b\n\nbody: x", ["From=a", "To=b"], 0),
            ("From: a", ["From=a"], 0),
            ("From:a\r\n", ["From=a"], 0),
            ("From : a\r\n", ["From=a"], 0),
            ("Subject:\r\n folded\r\n\tmore\r\nTo: b", ["Subject=folded\r\n\tmore", "To=b"], 0),
            ("Subject: a \r\nTo:\r\n\r\n", ["Subject=a ", "To="], 0),
            ("A: 1\r\n \r\n b\r\nC: 2", ["A=1\r\n \r\n b", "C=2"], 0),
            ("A: lone\rCR\r\nB: 2", ["A=lone\rCR", "B=2"], 0),
            ("A: x:y\r\n", ["A=x:y"], 0),
            ("A: x;\r\nb=c\r", ["A=x;\r\nb=c\r"], 0),
            ("A: x;\r\nb=\r", ["A=x;\r\nb=\r"], 0),
            ("", [], 0), ("\r\n", [], 0), ("\n\nA: b", [], 0),
        ] as [(String, [String], Int)])
    func blocks(block: String, expected: [String], malformed: Int) {
        let found = fields(block)
        #expect(found.fields == expected)
        #expect(found.malformed == malformed)
    }

    @Test(
        "Lines that are no fields are skipped with their folds and counted",
        arguments: [
            ("From me@x Mon Jan 1 10:00:00\r\nA: b", ["A=b"], 1),
            ("no colon\r\n folded\r\nA: b", ["A=b"], 1),
            (": empty\r\nA: b", ["A=b"], 1),
            (" folds nothing\r\nA: b", ["A=b"], 1),
            ("b\u{e9}d: x\r\nA: b\r\nbad", ["A=b"], 2),
            (" \r\nA: b", ["A=b"], 1),
        ] as [(String, [String], Int)])
    func malformedLines(block: String, expected: [String], malformed: Int) {
        let found = fields(block)
        #expect(found.fields == expected)
        #expect(found.malformed == malformed)
    }

    @Test(
        "Known names are recognised in any case",
        arguments: [
            ("from", .from), ("to", .to), ("cc", .cc), ("bcc", .bcc), ("subject", .subject),
            ("date", .date), ("message-id", .messageID), ("sender", .sender),
            ("reply-to", .replyTo), ("mime-version", .mimeVersion),
            ("content-type", .contentType),
            ("content-transfer-encoding", .contentTransferEncoding),
            ("content-disposition", .contentDisposition), ("content-id", .contentID),
            ("content-language", .contentOther), ("content-", .contentOther),
            ("received", .received), ("return-path", .returnPath),
            ("delivered-to", .deliveredTo), ("dkim-signature", .dkimSignature),
            ("arc-seal", .arc), ("arc-authentication-results", .arc),
            ("x-postscale-tags", .postscaleTags), ("x-postscale-metadata", .postscaleMetadata),
            ("x-postscale-metadata-user_id", .postscaleMetadataKey),
            ("x-postscale-metadata-", .postscaleOther),
            ("x-postscale-template", .postscaleTemplate),
            ("x-postscale-template-id", .postscaleTemplateID),
            ("x-postscale-variables", .postscaleVariables),
            ("x-postscale-unsubscribe-scope", .postscaleUnsubscribeScope),
            ("x-postscale-anything", .postscaleOther), ("x-postscale-", .postscaleOther),
            ("resent-from", .resent), ("x-mailer", .other), ("fro", .other), ("arc", .other),
            ("subjects", .other), ("x-postscale", .other), ("c", .other),
            ("content-description", .contentDescription),
            ("content-location", .contentLocation), ("references", .references),
            ("in-reply-to", .inReplyTo), ("x-mailgun", .other), ("precedence", .once),
        ] as [(String, FieldName)])
    func knownNames(name: String, expected: FieldName) {
        #expect(FieldName(name.bytes.span) == expected)
        #expect(FieldName(name.uppercased().bytes.span) == expected)
    }

    @Test(
        "Names of one kind are recognised in any case",
        arguments: [
            (
                .trace,
                """
                x-received x-original-to envelope-to x-envelope-to apparently-to \
                authentication-results received-spf domainkey-signature x-google-dkim-signature
                """
            ),
            (
                .addresses,
                """
                disposition-notification-to return-receipt-to mail-followup-to errors-to \
                x-confirm-reading-to mail-reply-to mail-copies-to x-reply-to x-errors-to \
                read-receipt-to
                """
            ),
            (
                .once,
                """
                importance x-priority priority sensitivity x-msmail-priority auto-submitted \
                list-unsubscribe-post list-id organization reply-by expiry-date thread-topic \
                thread-index feedback-id
                """
            ),
            (
                .listURLs,
                """
                list-unsubscribe list-subscribe list-help list-post list-owner list-archive
                """
            ),
            (.smtpAPI, "x-smtpapi"), (.mailgunTag, "x-mailgun-tag"),
            (.mailgunVariables, "x-mailgun-variables"), (.postmarkTag, "x-pm-tag"),
            (.postmarkMetadataKey, "x-pm-metadata-a x-pm-metadata-order-id"),
            (.mandrillTags, "x-mc-tags"), (.mandrillMetadata, "x-mc-metadata"),
            (.sesTags, "x-ses-message-tags"), (.sesConfigurationSet, "x-ses-configuration-set"),
            (.mailjetCustomID, "x-mj-customid"), (.brevoTag, "x-mailin-tag"),
            (.other, "x-pm-metadata- x-pm-tags x-mc-tag x-smtpap importanc expires x-receiver"),
            (.other, "x-sender x-mailgun-tags"),
        ] as [(FieldName, String)])
    func kindsOfNames(expected: FieldName, names: String) {
        for name in names.split(separator: " ") {
            #expect(FieldName(String(name).bytes.span) == expected, "\(name)")
            #expect(FieldName(name.uppercased().bytes.span) == expected, "\(name)")
            #expect(
                FieldName((name + "x").bytes.span) != expected || expected == .other
                    || name.contains("metadata-"))
        }
    }

    @Test(
        "A block of many short lines takes linear time",
        arguments: ["a\n", "a:\n ", ":\n", "\r", "a: b\n"])
    func linearTime(part: String) {
        let isLinear = growsLinearly(from: 16_384, make: { repeated(part, $0) }) { block in
            var scanner = HeaderScanner()
            while scanner.next(block.span) != nil {}
        }
        #expect(isLinear)
    }
}
