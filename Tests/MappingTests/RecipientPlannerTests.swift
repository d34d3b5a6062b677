// Who is written into to, cc and bcc: a table of envelopes and headers.

import Testing
import Wire

@testable import Mapping

/// An envelope, headers, and who is shown where.
struct RecipientCase: CustomStringConvertible, Sendable {
    var name: String
    var envelope: [String]
    var to: [String] = []
    var cc: [String] = []
    var expected: [String]
    var description: String { name }
}

@Suite("Envelope against To and Cc")
struct RecipientPlannerTests {
    static let cases: [RecipientCase] = [
        RecipientCase(
            name: "named in To", envelope: ["a@x"], to: ["a@x"], expected: ["to a@x"]),
        RecipientCase(
            name: "To, Cc and hidden", envelope: ["c@x", "b@x", "a@x"], to: ["a@x"], cc: ["b@x"],
            expected: ["to a@x", "cc b@x", "bcc c@x"]),
        RecipientCase(
            name: "header addresses that are not in the envelope are never sent to",
            envelope: ["a@x"], to: ["z@x", "a@x"], cc: ["y@x"], expected: ["to a@x"]),
        RecipientCase(
            name: "the headers' order", envelope: ["a@x", "b@x", "c@x"], to: ["c@x", "a@x", "b@x"],
            expected: ["to c@x", "to a@x", "to b@x"]),
        RecipientCase(
            name: "nobody in To: Cc moves up", envelope: ["a@x", "b@x"], to: ["z@x"], cc: ["a@x"],
            expected: ["to a@x", "bcc b@x"]),
        RecipientCase(
            name: "one hidden is to", envelope: ["a@x"], to: ["z@x"], expected: ["to a@x"]),
        RecipientCase(
            name: "several hidden are a group", envelope: ["a@x", "b@x"], to: ["z@x"],
            expected: ["group a@x", "group b@x"]),
        RecipientCase(
            name: "in To and in Cc is in To", envelope: ["a@x"], to: ["a@x"], cc: ["a@x"],
            expected: ["to a@x"]),
        RecipientCase(
            name: "twice in To is there once", envelope: ["a@x"], to: ["a@x", "a@X", "A@x"],
            expected: ["to a@x"]),
        RecipientCase(
            name: "domains are compared without case; the envelope's spelling is sent",
            envelope: ["a@X.Org"],
            to: ["a@x.oRG"], expected: ["to a@X.Org"]),
        RecipientCase(
            name: "local parts are compared without case when none is the same",
            envelope: ["Bob@x"],
            to: ["bOB@x"], expected: ["to Bob@x"]),
        RecipientCase(
            name: "a local part in the same case comes first", envelope: ["a@x", "A@x"],
            to: ["A@x"],
            cc: ["a@x"], expected: ["to A@x", "cc a@x"]),
        RecipientCase(
            name: "one in another case is named too, if it is named nowhere else",
            envelope: ["a@x", "A@x", "b@x"], to: ["A@x", "b@x"],
            expected: ["to a@x", "to A@x", "to b@x"]),
        RecipientCase(
            name: "the same in Cc", envelope: ["a@x", "A@x", "b@x"], to: ["b@x"], cc: ["a@x"],
            expected: ["to b@x", "cc a@x", "cc A@x"]),
        RecipientCase(
            name: "of To and Cc, To comes first for the one in another case",
            envelope: ["ab@x", "AB@x", "Ab@x"], to: ["AB@x"], cc: ["ab@x"],
            expected: ["to AB@x", "to Ab@x", "cc ab@x"]),
        RecipientCase(
            name: "an address in a third case does not take one out of its place",
            envelope: ["ab@x", "AB@x"], to: ["AB@x"], cc: ["ab@x", "Ab@x"],
            expected: ["to AB@x", "cc ab@x"]),
        RecipientCase(
            name: "neither is in the same case: both are named", envelope: ["ab@x", "AB@x"],
            to: ["aB@x"],
            expected: ["to ab@x", "to AB@x"]),
        RecipientCase(
            name: "each envelope recipient once", envelope: ["a@x", "a@X"], to: ["a@x"],
            expected: ["to a@x"]),
    ]

    @Test("each recipient appears exactly once, where the headers show it", arguments: cases)
    func plan(example: RecipientCase) {
        var planner = RecipientPlanner()
        // With few recipients each is compared, with many they are hashed.
        for announced in [example.envelope.count, max(5, example.envelope.count)] {
            planner.begin(recipientCount: announced)
            for address in example.envelope { add(address, &planner) }
            for address in example.to { name(address, .to, &planner) }
            for address in example.cc { name(address, .cc, &planner) }
            planner.plan()
            #expect(lines(planner) == example.expected)
        }
    }

    private func add(_ address: String, _ planner: inout RecipientPlanner) {
        let bytes = Array(address.utf8)
        planner.add(bytes.span)
    }

    private func name(
        _ address: String, _ field: RecipientPlanner.Field, _ planner: inout RecipientPlanner
    ) {
        let bytes = Array(address.utf8)
        let display = Array("N \(address)".utf8)
        planner.name(bytes.span, displayName: display.span, in: field)
    }

    private func lines(_ planner: RecipientPlanner) -> [String] {
        var lines: [String] = []
        for (field, name) in [(RecipientPlanner.Field.to, "to"), (.cc, "cc"), (.bcc, "bcc")] {
            planner.list.forEach(in: field) { index in
                let place = planner.isGroup ? "group" : name
                lines.append("\(place) \(planner.list.address(index).copiedText())")
            }
        }
        return lines
    }

    @Test("the display name is that of the first header address that placed the recipient")
    func displayNames() {
        var planner = RecipientPlanner()
        planner.begin(recipientCount: 2)
        add("a@x", &planner)
        add("b@x", &planner)
        name("b@x", .cc, &planner)
        name("B@x", .to, &planner)
        name("a@x", .cc, &planner)
        planner.plan()
        #expect(planner.list.displayName(0).copiedText() == "N a@x")
        #expect(planner.list.displayName(1).copiedText() == "N B@x")
    }
}
