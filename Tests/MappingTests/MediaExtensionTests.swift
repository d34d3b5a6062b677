// What nameless attachments are called.

import Testing

@testable import Mapping

@Suite("Names of nameless attachments")
struct MediaExtensionTests {
    @Test(
        "An extension of the media type",
        arguments: [
            ("application/pdf", "pdf"), ("image/jpeg", "jpg"), ("image/svg+xml", "svg"),
            ("image/tiff", "tiff"), ("audio/mpeg", "mp3"), ("video/mpeg", "mpeg"),
            ("video/mp4", "mp4"), ("audio/mp4", "m4a"), ("video/quicktime", "mov"),
            ("text/csv", "csv"), ("text/vcard", "vcf"), ("text/markdown", "md"),
            ("text/unknown", "txt"), ("message/rfc822", "eml"), ("message/delivery-status", "txt"),
            ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
            ("application/vnd.ms-excel.sheet.macroenabled.12", "xlsm"),
            ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
            ("application/x-7z-compressed", "7z"), ("application/zip", "zip"),
            ("application/pgp-signature", "asc"), ("application/ms-tnef", "dat"),
            ("application/json", "json"), ("application/x-own", "bin"), ("font/woff2", "woff2"),
            ("image/x-own", "bin"), ("x", "bin"), ("", "bin"),
        ])
    func extensions(type: String, suffix: String) {
        #expect("\(MediaExtension.of(Array(type.utf8)))" == suffix)
    }

    @Test("A whole name where programs look for one")
    func wholeNames() {
        func name(_ type: String) -> String? {
            MediaExtension.wholeName(Array(type.utf8)).map { "\($0)" }
        }
        #expect(name("text/calendar") == "invite.ics")
        #expect(name("application/pkcs7-mime") == "smime.p7m")
        #expect(name("application/x-pkcs7-signature") == "smime.p7s")
        #expect(name("application/pdf") == nil)
    }
}
