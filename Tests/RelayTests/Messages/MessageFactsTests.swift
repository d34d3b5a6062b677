// What the log says of a message: the API's words, the ledger, the calls of a group.

import TestSupport
import Testing

@testable import APIClient
@testable import Reactor
@testable import Relay

@Suite("What the log says of a message")
struct MessageFactsTests {
    private let key = APIKey(text: "ps_live_0123456789abcdef")

    private func response(_ status: Int, _ body: String) -> APIResponse {
        APIResponse(
            status: status, requestIDBytes: [], retryAfterSeconds: nil, body: Array(body.utf8))
    }

    private func text(_ answers: [(Int, String)]) -> String {
        var facts = MessageFacts()
        for (status, body) in answers { facts.note(response(status, body), key: key) }
        return facts.apiText
    }

    @Test("The API's words are read from each shape, cleaned and cut")
    func words() {
        let long = String(repeating: "x", count: 300)
        for (body, wanted) in [
            (#"{"error":"bad from"}"#, "400 bad from"),
            (#"{"error":"code","message":"bad from"}"#, "400 bad from"),
            (#"{"error":{"code":"c","message":"bad from"}}"#, "400 bad from"),
            (#"{"error":"a\r\nb\u001b[31m\u00e9"}"#, "400 ab[31m"),
            (#"{"error":"\#(long)"}"#, "400 " + long.prefix(MessageFacts.wordsMax)),
            ("<html>Forbidden</html>", "400"), ("", "400"), ("{}", "400"),
        ] {
            #expect(text([(400, body)]) == wanted)
        }
    }

    @Test("Words that repeat the key are not shown, wherever they are cut")
    func hidden() {
        let secret = "ps_live_0123456789abcdef"
        let filler = String(repeating: "x", count: MessageFacts.wordsMax - 4)
        for words in [
            "key \(secret) is revoked", secret, filler + secret,
            #"ps_live_0123456789abcde\u0066"#,
        ] {
            #expect(text([(401, #"{"error":"\#(words)"}"#)]) == "401 " + MessageFacts.hiddenWords)
        }
        #expect(text([(401, #"{"error":"ps_live_0123456789abcdeg"}"#)]).hasSuffix("abcdeg"))
    }

    @Test("Different refusals of a group are all named, up to a bound, each once")
    func several() {
        #expect(
            text([
                (429, #"{"error":"daily"}"#), (422, "{}"), (429, #"{"error":"daily"}"#),
            ]) == "429 daily; 422")
        let many = (0..<10).map { (400, #"{"error":"no \#($0)"}"#) }
        #expect(text(many) == "400 no 0; 400 no 1; 400 no 2; 400 no 3")
    }

    @Test("A group tells how many have the message, with every message id")
    func group() {
        var facts = MessageFacts()
        #expect(facts.isEmpty && facts.acceptedText.isEmpty && facts.messageIDsText.isEmpty)
        let ids = ["a@x", "b@x"].map { Array($0.utf8) }
        facts.note(MessageFacts.Group(recipientCount: 6, messageIDs: ids, knownCount: 0))
        #expect(facts.acceptedText == "2/6" && facts.messageIDsText == "a@x b@x")
        #expect(facts.ledgerText.isEmpty && !facts.isEmpty)
        facts.note(MessageFacts.Group(recipientCount: 6, messageIDs: ids, knownCount: 1))
        #expect(facts.ledgerText == "1 recipient")
        facts.note(MessageFacts.Group(recipientCount: 6, messageIDs: ids, knownCount: 2))
        #expect(facts.ledgerText == "2 recipients")
    }

    @Test("Message ids of a hostile API are bounded, one by one and together")
    func bounded() {
        var facts = MessageFacts()
        let ids = (0..<1_000).map { _ in [UInt8](repeating: 0x41, count: 60_000) }
        facts.note(MessageFacts.Group(recipientCount: 1_000, messageIDs: ids, knownCount: 0))
        #expect(facts.messageIDsText.utf8.count < MessageFacts.idsBytesMax + 32)
        #expect(facts.messageIDsText.hasSuffix(" and 745 more"))
    }

    @Test("A reply from the ledger says so")
    func ledger() {
        var facts = MessageFacts()
        facts.noteLedger()
        #expect(facts.ledgerText == "message" && !facts.isEmpty)
    }

    @Test("Recipients in a line are bounded, and the rest is counted")
    func recipients() throws {
        let loop = try Loop(index: 0, backend: testBackend)
        let windows = Ledger.Windows(duplicateMilliseconds: 1_000, groupMilliseconds: 1_000)
        let ledger = Ledger(home: MemoryLedger(), windows: windows, loop: loop)
        var messages = SessionMessages()
        messages.begin(
            sender: "s@x".utf8.span, isSMTPUTF8: false, account: nil, ledger: ledger)
        #expect(messages.senderText == "s@x" && messages.recipientsText(bytesMax: 20).isEmpty)
        for name in ["one@x", "two@x", "three@x", "four@x"] {
            _ = messages.addRecipient(name.utf8.span)
        }
        #expect(messages.recipientsText(bytesMax: 100) == "one@x two@x three@x four@x")
        #expect(messages.recipientsText(bytesMax: 20) == "one@x two@x three@x and 1 more")
    }
}
