// Which descriptions of a part are names of files.

import Testing

@testable import Wire

@Suite("A file's name in Content-Description")
struct DescribedNameTests {
    private func name(_ text: String) -> String {
        let bytes = text.bytes
        return AttachmentName.inDescription(bytes.span).text
    }

    @Test(
        "Names",
        arguments: [
            "offer 12.pdf", "photo.JPG", "a.b.tar.gz", "Übersicht 2026.xlsx", "x.7z", "song.mp3",
            " blanks.docx ", "report (final).odt", "notes.pages",
        ])
    func names(text: String) {
        #expect(name(text) == text.trimmingPrefix(" ").split(separator: " ").joined(separator: " "))
    }

    @Test("Quotes around a name are not of it")
    func quoted() {
        #expect(name(" \"offer.pdf\" ") == "offer.pdf")
        #expect(name("\"").isEmpty && name("\"\"").isEmpty && name("\"a.pdf") == "\"a.pdf")
    }

    @Test("A path's last part is the name")
    func path() {
        #expect(name("C:\\x\\a.pdf").isEmpty)
        #expect(name("folder/a.pdf") == "a.pdf")
    }

    @Test(
        "No names",
        arguments: [
            "", "x", "PGP/MIME version identification", "OpenPGP digital signature", "Version 2.0",
            "A sentence.", "see www.example.com", "www.example.de", "https://example.com/a.pdf",
            "ada@example.com", ".profile", "the end . pdf", "a.longending", "x.1", "S/MIME 3.2",
            "Mail transport unavailable for host a.example.org",
        ])
    func noNames(text: String) {
        #expect(name(text).isEmpty)
    }
}
