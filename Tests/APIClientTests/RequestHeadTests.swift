// The head of a request, byte for byte.

import Testing
import Wire

@testable import APIClient

@Suite("Request head")
struct RequestHeadTests {
    private func written(
        _ kind: APICall.Kind, _ framing: RequestHead.Framing, options: APIOptions,
        room: Int = RequestBody.headRoom
    ) -> String? {
        let head = RequestHead(options: options)
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2_048) { memory in
            let end = memory.baseAddress! + 2_048
            let key = APIKey(text: "ps_test_1")
            guard let length = head.write(kind, key: key, framing: framing, before: end, room: room)
            else { return nil }
            let bytes = UnsafeBufferPointer(start: end - length, count: length)
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    @Test("A send has every header that the API asks for")
    func send() {
        var options = APIOptions.plain(port: 8_080)
        options.endpoint.basePath = "/api"
        let expected =
            "POST /api/v1/send HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
            + "User-Agent: postscale-relay/0.1.0 (+https://postscale.io)\r\n"
            + "Connection: keep-alive\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
            + "Authorization: Bearer ps_test_1\r\n"
        #expect(
            written(.send, .length(12_345), options: options)
                == expected + "Content-Length: 12345\r\n\r\n")
        #expect(
            written(.send, .chunked, options: options)
                == expected + "Transfer-Encoding: chunked\r\n\r\n")
    }

    @Test("A key check is a GET without a body")
    func check() {
        #expect(
            written(.checkKey, .none, options: .plain(port: 1))
                == "GET /v1/emails?limit=1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"
                + "User-Agent: postscale-relay/0.1.0 (+https://postscale.io)\r\n"
                + "Connection: keep-alive\r\nAccept: application/json\r\nAuthorization: Bearer ps_test_1\r\n\r\n"
        )
    }

    @Test("Configuration can't break a line, and what does not fit is refused")
    func bounds() {
        var options = APIOptions.plain(port: 1)
        options.keyCheckPath = "/x\r\nEvil: 1"
        #expect(written(.checkKey, .none, options: options)?.hasPrefix("GET /xEvil:1 HTTP") == true)
        #expect(written(.send, .chunked, options: options, room: 64) == nil)
        let head = RequestHead(options: options)
        #expect(head.fits(APIKey(text: String(repeating: "k", count: 512))))
        #expect(!head.fits(APIKey(text: String(repeating: "k", count: 513))))
        options.endpoint.basePath = "/" + String(repeating: "p", count: 1_500)
        #expect(!RequestHead(options: options).fits(APIKey(text: "k")))
    }
}
