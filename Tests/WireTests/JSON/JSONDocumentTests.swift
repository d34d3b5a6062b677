// Documents built key by key: commas, quotes, nesting.

import Testing

@testable import Wire

@Suite struct JSONDocumentTests {
    @Test("Commas and quotes come by themselves")
    func document() {
        let bytes = JSONDocument.object {
            $0.field("a\"b", "x\ny")
            $0.array("list") {
                $0.element(1)
                $0.object { $0.field("empty", false) }
                $0.array { _ in }
                $0.element("two")
            }
            $0.null("nothing")
            $0.field("texts", ["1", "\\"])
            $0.field("json", json: Array(#"{"a":[]}"#.utf8))
            $0.field("large", UInt64.max)
        }
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"a\"b":"x\ny","list":[1,{"empty":false},[],"two"],"nothing":null,"#
                + #""texts":["1","\\"],"json":{"a":[]},"large":18446744073709551615}"#)
    }
}
