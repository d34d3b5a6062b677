// No part of a request may pass for the whole: a proxy may end what the relay abandoned in order, and then
// only the body's own form protects. Over HTTP/1.1 and HTTP/2, cut at every byte.

import HTTP2
import Reactor
import TestSupport
import Testing
import Wire

@testable import APIClient

@Suite("Prefixes of requests")
struct RequestPrefixTests {
    private let bench = Bench()
    /// One JSON object, as the mapper writes it: closed by its very last byte.
    private static let content = Array(
        #"{"from":"a@b.c","to":["d@e.f"],"headers":{"x":"}"},"text_body":"{} [1] \"}\"\n"}"#.utf8)

    /// Sends the content as an upload that is completed late, and cuts what came at every byte.
    /// - Parameter body: what a server makes of the first bytes of the connection; nil: the request is
    ///   not complete.
    private func check(_ raw: [UInt8], _ body: (ArraySlice<UInt8>) -> [UInt8]?) {
        let complete = (0...raw.count).filter { body(raw[..<$0]) != nil }
        #expect(complete.first.map { $0 > raw.count - 32 } == true, "\(complete.first ?? -1)")
        for count in complete { #expect(body(raw[..<count]) == Self.content) }
    }

    @Test("A request of HTTP/1.1 is complete at its very last byte")
    func http11() throws {
        for isUpload in [false, true] {
            let server = try ScriptedServer(bench.loop, script: ScriptedServer.accepting)
            send(to: bench.pool([server.address]), isUpload)
            check(server.peers[0].received) { bytes in
                let bytes = Array(bytes)
                guard case .head(let head) = HTTPRequestHead.parse(bytes.span) else { return nil }
                let rest = Array(bytes[head.headBytes...])
                switch head.framing {
                case .length(let count): return rest.count >= count ? rest : nil
                case .chunked: return Self.unchunked(rest)
                case .none, .untilClose: return nil
                }
            }
        }
    }

    private static func unchunked(_ bytes: [UInt8]) -> [UInt8]? {
        var decoder = ChunkedDecoder()
        var offset = 0
        var body: [UInt8] = []
        while true {
            switch decoder.next(bytes.span, &offset) {
            case .content(let range): body += bytes[range]
            case .end: return body
            case .needInput, .invalid: return nil
            }
        }
    }

    @Test("A request of HTTP/2 is complete at its very last byte")
    func http2() throws {
        for isUpload in [false, true] {
            let server = try HTTP2ScriptedServer(
                bench.loop, script: HTTP2ScriptedServer.accepting)
            send(to: bench.pool([server.address]) { $0.http = .http2 }, isUpload)
            check(server.peers[0].raw) { bytes in
                let session = HTTP2Session(.server)
                let bytes = Array(bytes)
                session.receive(bytes.span, now: 0)
                var body: [UInt8] = []
                var isComplete = false
                while let event = session.nextEvent() {
                    if case .data(_, let range) = event { body += bytes[range] }
                    if case .end = event { isComplete = true }
                }
                return isComplete ? body : nil
            }
        }
    }

    private func send(to pool: ConnectionPool, _ isUpload: Bool) {
        let owner = TestOwner()
        if isUpload {
            let call = bench.upload(to: pool, owner: owner)
            call.body?.append(Self.content.span)
            bench.turn(milliseconds: 20)
            bench.act {
                call.body?.complete()
                call.bodyCompleted(deadline: .never)
            }
        } else {
            _ = bench.send(Self.content, to: pool, owner: owner)
        }
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary.allSatisfy { $0.hasPrefix("202") })
    }

    @Test("No prefix of a body is valid JSON")
    func json() {
        for count in 0..<Self.content.count {
            #expect(APIAnswer(Self.content.span.extracting(0..<count)) == nil)
        }
        #expect(APIAnswer(Self.content.span) != nil)
    }
}
