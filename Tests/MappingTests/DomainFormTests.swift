// Recipients whose domain a header writes in another form than the envelope.

import Testing
import Wire

@testable import Mapping

@Suite("Forms of a domain")
struct DomainFormTests {
    @Test(
        "a domain has one form to be compared by",
        arguments: [
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.Example", "xn--bcher-kva.example"),
            ("b\u{75}\u{308}cher.example", "xn--bcher-kva.example"),
            ("XN--Bcher-KVA.example.", "xn--bcher-kva.example"), ("Example.COM.", "example.com"),
            ("straße.example", "xn--strae-oqa.example"), ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"), ("[192.0.2.1]", "[192.0.2.1]"), ("", ""),
            (".", "."),
        ])
    func forms(domain: String, expected: String) {
        let bytes = Array(domain.utf8)
        #expect(String(decoding: DomainForm.ascii(bytes.span), as: UTF8.self) == expected)
    }

    @Test("what libidn2 refuses is compared as it is written")
    func refused() {
        for domain in [
            "-é-.example", "é_x.example", String(repeating: "é", count: 400), "\u{FFFD}.example",
        ] {
            let bytes = Array(domain.utf8)
            let form = DomainForm.ascii(bytes.span)
            #expect(!form.isEmpty)
            #expect(form == DomainForm.ascii(bytes.span))
        }
    }

    @Test("only domains with other forms are asked about")
    func other() {
        for (address, hasOther) in [
            ("a@example.com", false), ("ä@example.com", false), ("a@exämple.com", true),
            ("a@example.com.", true), ("a@xn--bcher-kva.example", false), ("", false),
        ] {
            let bytes = Array(address.utf8)
            #expect(DomainForm.hasOther(bytes.span) == hasOther, "\(address)")
        }
    }

    private func plan(_ envelope: [String], to names: [String]) -> (to: [String], strangers: Int) {
        var planner = RecipientPlanner()
        planner.begin(recipientCount: envelope.count)
        for address in envelope { planner.add(Array(address.utf8).span) }
        for name in names { planner.name(Array(name.utf8).span, displayName: Bytes(), in: .to) }
        planner.plan()
        var to: [String] = []
        planner.list.forEach(in: .to) { to.append(planner.list.address($0).copiedText()) }
        return (to, planner.strangerCount)
    }

    @Test("a recipient is found by each form, and sent to by the envelope's")
    func planned() {
        let forms = [
            "b@bücher.example", "b@xn--bcher-kva.example", "b@BÜCHER.example.", "B@Bücher.example",
        ]
        for envelope in forms {
            for header in forms {
                let plan = plan(
                    [envelope, "e@example.com"], to: ["x@example.com", header, "e@example.com."])
                #expect(plan.to == [envelope, "e@example.com"])
                #expect(plan.strangers == 1)
            }
        }
        #expect(plan(["b@example.org."], to: ["b@example.org"]).to == ["b@example.org."])
        #expect(plan(["b@straße.example"], to: ["b@strasse.example"]).strangers == 1)
    }

    @Test("two forms in the envelope are one recipient")
    func envelope() {
        let plan = plan(
            ["b@bücher.example", "b@xn--bcher-kva.example", "c@bücher.example"],
            to: ["c@bücher.example", "b@bücher.example."])
        #expect(plan.to == ["c@bücher.example", "b@bücher.example"])
    }
}
