// The head of a request to the API over HTTP/2 (RFC 9113 section 8.3): fixed fields, the key, the length.
//
// What all requests share is made once. The key is added for one request, never indexed by HPACK (RFC
// 7541 section 7.1.3) because keys of several customers share a connection, and wiped when the head is
// written.

import Glibc
import HTTP2
import Reactor
import Wire

/// Makes request heads for one endpoint.
struct RequestFields {
    private static let scheme: StaticString = "Bearer "

    private var send: HTTP2Fields
    private var check: HTTP2Fields

    init(options: APIOptions) {
        let endpoint = options.endpoint
        let base = RequestHead.visible(endpoint.basePath)
        func fixed(_ method: StaticString, _ path: String) -> HTTP2Fields {
            var fields = HTTP2Fields()
            fields.add(":method", method)
            fields.add(":scheme", endpoint.isTLS ? "https" : "http")
            fields.add(":authority", text: RequestHead.visible(endpoint.authority))
            fields.add(":path", text: base + path)
            fields.add("user-agent", text: RequestHead.userAgent)
            fields.add("accept", "application/json")
            return fields
        }
        send = fixed("POST", "/v1/send")
        send.add("content-type", "application/json")
        check = fixed("GET", RequestHead.visible(options.keyCheckPath))
    }

    /// Lends the fields of one request for a call of `body`.
    /// - Parameters:
    ///   - key: one that `RequestHead.fits`.
    ///   - length: bytes of the body, when they are known.
    mutating func with<R>(
        _ kind: APICall.Kind, key: APIKey, length: Int?, _ body: (HTTP2Fields) -> R
    ) -> R {
        switch kind {
        case .send: Self.with(&send, key, length, body)
        case .checkKey: Self.with(&check, key, length, body)
        }
    }

    private static func with<R>(
        _ fields: inout HTTP2Fields, _ key: APIKey, _ length: Int?, _ body: (HTTP2Fields) -> R
    ) -> R {
        let fixedCount = fields.count
        if let length { addLength(length, to: &fields) }
        // Last, because a field after it might move it to other memory.
        addKey(key, to: &fields)
        defer { fields.truncate(to: fixedCount) }
        return body(fields)
    }

    private static func addKey(_ key: APIKey, to fields: inout HTTP2Fields) {
        let capacity = scheme.utf8CodeUnitCount + APIKey.bytesMax
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) { memory in
            var region = Region(memory)
            scheme.withUTF8Buffer { _ = region.append($0.span) }
            // The pool asked `fits` when the call came.
            guard key.write(into: &region) else { preconditionFailure("the key does not fit") }
            fields.add(
                "authorization", UnsafeBufferPointer(rebasing: memory[..<region.count]).span,
                isSecret: true)
            if let base = memory.baseAddress { explicit_bzero(base, region.count) }
        }
    }

    private static func addLength(_ length: Int, to fields: inout HTTP2Fields) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { memory in
            var place = memory.count
            var rest = max(length, 0)
            repeat {
                place -= 1
                memory[place] = UInt8(0x30 + rest % 10)
                rest /= 10
            } while rest > 0
            fields.add("content-length", UnsafeBufferPointer(rebasing: memory[place...]).span)
        }
    }
}
