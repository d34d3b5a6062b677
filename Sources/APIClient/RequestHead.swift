// The head of a request to the API (RFC 9112 3, RFC 9110): fixed text, the key, the framing.
//
// Written backwards, so that it ends where the payload of the first slab begins, and head and body
// of a small message are one record. Everything but the key is the relay's own text or its
// configuration; nothing from a message can reach it. `Connection: keep-alive` says nothing new (RFC
// 9112 9.3), but Apache and Tomcat tell their idle limit only when asked in this way.

import Log
import Reactor
import Wire

/// Writes request heads for one endpoint.
struct RequestHead {
    /// How the end of the body is marked.
    enum Framing: Equatable {
        /// No body (GET).
        case none
        case length(Int)
        case chunked
    }

    static let userAgent = "postscale-relay/\(RelayVersion.current) (+https://postscale.io)"

    private let sendPrefix: [UInt8]
    private let checkPrefix: [UInt8]

    init(options: APIOptions) {
        let endpoint = options.endpoint
        let common =
            " HTTP/1.1\r\nHost: \(RequestHead.visible(endpoint.authority))\r\n"
            + "User-Agent: \(RequestHead.userAgent)\r\n"
            + "Connection: keep-alive\r\n"
            + "Accept: application/json\r\n"
        let base = RequestHead.visible(endpoint.basePath)
        sendPrefix = Array(
            ("POST \(base)/v1/send\(common)Content-Type: application/json\r\n"
                + "Authorization: Bearer ").utf8)
        let path = RequestHead.visible(options.keyCheckPath)
        checkPrefix = Array("GET \(base)\(path)\(common)Authorization: Bearer ".utf8)
    }

    /// Whether a head with this key fits into `RequestBody.headRoom` bytes.
    func fits(_ key: APIKey) -> Bool {
        let framingBytesMax = 64
        let prefixBytes = max(sendPrefix.count, checkPrefix.count)
        return key.isWellFormed
            && prefixBytes + key.byteCount + framingBytesMax <= RequestBody.headRoom
    }

    /// Writes a head that ends at `end`.
    /// - Parameters:
    ///   - key: one that `fits`.
    ///   - end: one past the last byte of the head; the `room` bytes in front of it are writable.
    /// - Returns: its length in bytes; nil when it does not fit or the key can't stand in a header.
    func write(
        _ kind: APICall.Kind, key: APIKey, framing: Framing,
        before end: UnsafeMutablePointer<UInt8>, room: Int
    ) -> Int? {
        var writer = BackwardWriter(end: end, room: room)
        writer.prepend("\r\n\r\n")
        switch framing {
        case .none: break
        case .length(let bytes):
            writer.prepend(decimal: bytes)
            writer.prepend("\r\nContent-Length: ")
        case .chunked: writer.prepend("\r\nTransfer-Encoding: chunked")
        }
        writer.prepend(key)
        writer.prepend((kind == .send ? sendPrefix : checkPrefix).span)
        return writer.hasFailed ? nil : writer.count
    }

    /// Configuration text without anything that could end a line or a word of the head.
    static func visible(_ text: String) -> String {
        String(decoding: text.utf8.filter { (0x21...0x7E).contains($0) }, as: UTF8.self)
    }
}

/// Fills memory from its end to its front.
private struct BackwardWriter: ~Copyable {
    private let end: UnsafeMutablePointer<UInt8>
    private let room: Int
    private(set) var count = 0
    private(set) var hasFailed = false

    init(end: UnsafeMutablePointer<UInt8>, room: Int) {
        self.end = end
        self.room = room
    }

    mutating func prepend(_ bytes: Bytes) {
        guard let place = reserve(bytes.count) else { return }
        bytes.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { place.update(from: base, count: source.count) }
        }
    }

    mutating func prepend(_ text: StaticString) {
        text.withUTF8Buffer { prepend($0.span) }
    }

    mutating func prepend(_ key: APIKey) {
        guard let place = reserve(key.byteCount) else { return }
        var region = Region(UnsafeMutableBufferPointer(start: place, count: key.byteCount))
        if !key.write(into: &region) { hasFailed = true }
    }

    mutating func prepend(decimal number: Int) {
        var rest = max(number, 0)
        repeat {
            if let place = reserve(1) { place.pointee = UInt8(0x30 + rest % 10) }
            rest /= 10
        } while rest > 0
    }

    private mutating func reserve(_ bytes: Int) -> UnsafeMutablePointer<UInt8>? {
        guard !hasFailed, bytes <= room - count else {
            hasFailed = true
            return nil
        }
        count += bytes
        return end - count
    }
}
