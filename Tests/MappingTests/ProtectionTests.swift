// Which parts are signed or encrypted.

import TestSupport
import Testing

@testable import Mapping
@testable import Wire

@Suite("Signed and encrypted content")
struct ProtectionTests {
    private func head(_ fields: String) -> EntityHead {
        var head = EntityHead()
        var losses = DecodeLosses()
        let block = Array(crlf(fields + "\n\n").utf8)
        head.read(block.span, isInDigest: false, charsets: CharsetCache(), losses: &losses)
        return head
    }

    @Test("Multiparts")
    func multiparts() {
        let rows: [(String, Protection?)] = [
            ("multipart/signed; micalg=sha-256", .signature), ("Multipart/SIGNED", .signature),
            ("multipart/encrypted", .encryption), ("multipart/mixed", nil),
            ("multipart/report; report-type=disposition-notification", nil),
        ]
        for (type, wanted) in rows {
            let head = head("Content-Type: \(type); boundary=b")
            #expect(Protection(multipart: head) == wanted, "\(type)")
        }
    }

    @Test("S/MIME in one part")
    func smime() {
        let rows: [(String, Protection?)] = [
            ("application/pkcs7-mime; smime-type=signed-data", .signature),
            ("application/x-pkcs7-mime; name=smime.p7m; smime-type=\"Signed-Data\"", .signature),
            ("application/pkcs7-mime; smime-type=enveloped-data", .encryption),
            ("application/pkcs7-mime; smime-type=authEnveloped-data", .encryption),
            ("application/pkcs7-mime; smime-type=certs-only; name=smime.p7c", nil),
            ("application/pkcs7-mime; smime-type=compressed-data", nil),
            ("application/pkcs7-mime", .encryption),
            ("application/pkcs7-mime; name=smime.p7m", .encryption),
            ("application/pkcs7-mime; name=smime.p7s", .signature),
            ("application/pkcs7-mime; name=smime.p7c", nil),
            ("application/pkcs7-mime; name=smime.p7z", nil),
            ("application/pkcs7-signature; name=smime.p7s", nil),
            ("application/pgp-signature", nil), ("application/pdf", nil),
        ]
        for (type, wanted) in rows {
            let head = head("Content-Type: \(type)")
            #expect(Protection(leaf: head, isFirst: true) == wanted, "\(type)")
            #expect(Protection(leaf: head, isFirst: false) == wanted, "\(type)")
        }
    }

    @Test("S/MIME of a gateway that does not know the type: by the name, as the first part only")
    func octets() {
        let rows: [(String, Protection?)] = [
            ("application/octet-stream; name=smime.p7m", .encryption),
            ("Application/Octet-Stream; name=\"Mail.P7M\"", .encryption),
            ("application/octet-stream; name=smime.p7s", nil),
            ("application/octet-stream", nil), ("application/pdf; name=smime.p7m", nil),
        ]
        for (type, wanted) in rows {
            let head = head("Content-Type: \(type)")
            #expect(Protection(leaf: head, isFirst: true) == wanted, "\(type)")
            #expect(Protection(leaf: head, isFirst: false) == nil, "\(type)")
        }
    }

    @Test("A file with a name of its own, after other parts, is a file")
    func files() {
        let type = "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n"
        let named = head(type + "Content-Disposition: attachment; filename=archive.p7m")
        #expect(Protection(leaf: named, isFirst: false) == nil)
        #expect(Protection(leaf: named, isFirst: true) == .encryption)
        let usual = head(type + "Content-Disposition: attachment; filename=smime.p7m")
        #expect(Protection(leaf: usual, isFirst: false) == .encryption)
    }
}
