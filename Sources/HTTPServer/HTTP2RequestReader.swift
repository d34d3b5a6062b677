// From the fields of an HTTP/2 head to a request (RFC 9113 section 8.3.1). nghttp2 has checked that the
// pseudo-header fields are there, once each and in front, and that names and values are well-formed.

import HTTP2
import Wire

enum HTTP2RequestReader {
    enum Result {
        case request(HTTPRequest)
        case invalid(String)
    }

    static func read(_ head: HTTP2Head, of session: HTTP2Session) -> Result {
        func value(_ name: StaticString) -> [UInt8]? {
            session.find(name, in: head).map { session.headBytes.extracting($0).copied() }
        }
        func text(_ name: StaticString) -> String? {
            value(name).map { String(decoding: $0, as: UTF8.self) }
        }
        guard let method = text(":method"), let target = text(":path"), target.hasPrefix("/") else {
            return .invalid("no path")
        }
        guard target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return .invalid("bad path")
        }
        for name: StaticString in ["authorization", "content-type", "host"] {
            let count = session.fields(of: head).count {
                session.headBytes.extracting($0.name).equalsIgnoringCase(name)
            }
            if count > 1 { return .invalid("repeated header field") }
        }
        let callField = HTTPRequestHead.callField
        return .request(
            HTTPRequest(
                method: method, target: target, host: text(":authority") ?? text("host"),
                authorization: value("authorization"),
                contentType: text("content-type") ?? "",
                hasCallField: session.find(callField, in: head).map { !$0.isEmpty } ?? false,
                framing: framing(text("content-length"), endsWithHead: head.isEnd), keepAlive: true,
                expectsContinue: text("expect")?.lowercased() == "100-continue"))
    }

    private static func framing(_ length: String?, endsWithHead: Bool) -> HTTPBodyFraming {
        if endsWithHead { return .none }
        return length.flatMap(Int.init).map(HTTPBodyFraming.length) ?? .chunked
    }
}
