// The search for keys in logs finds them: a search that finds nothing would prove nothing.

import Foundation
import Testing

@testable import Relay

@Suite("Key search")
struct KeySearchTests {
    @Test(
        "A key is found in the clear and in base64, whatever stands around it",
        arguments: ["", "k", "ke", "key"], ["", "\r\n", "xyz"])
    func finds(_ before: String, _ after: String) {
        let key = before + KeySearch.mark + after
        #expect(KeySearch.finds(in: "a \(key) b"))
        #expect(KeySearch.finds(in: Data(key.utf8).base64EncodedString()))
        #expect(KeySearch.finds(in: Data("\0postscale\0\(key)".utf8).base64EncodedString()))
    }

    @Test("Nothing else is")
    func findsNothingElse() {
        #expect(!KeySearch.finds(in: "login-refused peer=192.0.2.1 reason=key"))
        #expect(KeySearch.forms.allSatisfy { $0.utf8.count >= 16 })
    }
}
