// The envelope: it contains each address once, and its memory is reused without a trace.

import Testing
import Wire

@testable import Relay

@Suite("Envelope")
struct EnvelopeTests {
    private func add(_ text: String, to envelope: inout Envelope) -> Bool {
        let bytes = Array(text.utf8)
        return envelope.addRecipient(bytes.span)
    }

    private func begin(_ sender: String, _ envelope: inout Envelope) {
        let bytes = Array(sender.utf8)
        envelope.setSender(bytes.span, isSMTPUTF8: false)
    }

    @Test("Sender and recipients are as the client gave them")
    func holds() {
        var envelope = Envelope()
        begin("Sender@Example.org", &envelope)
        #expect(add("One@Example.org", to: &envelope))
        #expect(add("\"a@b\"@Example.org", to: &envelope))
        #expect(envelope.recipientCount == 2)
        #expect(envelope.bytes(envelope.sender).copiedText() == "Sender@Example.org")
        #expect(envelope.bytes(envelope.recipient(0)).copiedText() == "One@Example.org")
        #expect(envelope.bytes(envelope.recipient(1)).copiedText() == "\"a@b\"@Example.org")
    }

    @Test(
        "The domain is compared without case, the local part exactly",
        arguments: [
            ("a@b.example", "a@B.Example", true),
            ("a@b.example", "A@b.example", false),
            ("a@b.example", "a@b.exampl", false),
            ("ab@c", "a@bc", false),
            ("\"x@Y\"@z", "\"x@y\"@z", false),
            ("\"x@y\"@z", "\"x@y\"@Z", true),
            ("ö@ü.example", "ö@ü.example", true),
        ])
    func dedupes(_ one: String, _ other: String, _ isSame: Bool) {
        var envelope = Envelope()
        begin("", &envelope)
        #expect(add(one, to: &envelope))
        #expect(add(other, to: &envelope) == !isSame)
        #expect(envelope.recipientCount == (isSame ? 1 : 2))
    }

    @Test("A new sender begins a new envelope")
    func resets() {
        var envelope = Envelope()
        begin("a@b", &envelope)
        _ = add("c@d", to: &envelope)
        begin("", &envelope)
        #expect(envelope.sender.isEmpty)
        #expect(envelope.recipientCount == 0)
        #expect(add("c@d", to: &envelope))
    }
}
