// API keys: which ones may reach a header, and that nothing shows them.

import TestSupport
import Testing
import Wire

@testable import APIClient

@Suite("API key")
struct APIKeyTests {
    @Test("Only visible ASCII of 1 to 512 characters may reach a header")
    func wellFormed() {
        for good in ["a", "ps_live_abc-DEF.~", String(repeating: "k", count: 512)] {
            #expect(APIKey(text: good).isWellFormed)
        }
        for bad in [
            "", " a", "a b", "a\r\nX: y", "ä", "\u{7F}", String(repeating: "k", count: 513),
        ] {
            let key = APIKey(text: bad)
            #expect(!key.isWellFormed)
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1_024) { memory in
                var region = Region(memory)
                #expect(!key.write(into: &region) && region.count == 0)
            }
        }
    }

    @Test("No description shows the key")
    func hidden() {
        let key = APIKey(text: "ps_live_secret")
        var dumped = ""
        dump(key, to: &dumped)
        for text in ["\(key)", String(reflecting: key), String(describing: key), dumped] {
            #expect(!text.contains("secret") && !text.contains("hash"))
        }
    }

    @Test("The hash names the key and nothing else")
    func hash() {
        #expect(APIKey(text: "a").hash == APIKey(text: "a").hash)
        #expect(APIKey(text: "a").hash != APIKey(text: "b").hash)
    }
}
