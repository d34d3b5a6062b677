import APIClient
import Reactor
import Testing
import Wire

@testable import Log
@testable import Relay

@Suite struct TraceRulesTests {
    private func time(_ milliseconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 0).advanced(byMilliseconds: milliseconds)
    }

    private func hash(key: String) -> UInt64 {
        let bytes = Array(key.utf8)
        return APIKey.publicHash(of: bytes.span)
    }

    private func does(_ rules: TraceRules, match key: String) -> Bool {
        let bytes = Array(key.utf8)
        return rules.end(ofKey: bytes.span, at: time(0)) != nil
    }

    @Test func hashesAreThoseOfSha256sum() {
        // FIPS 180-2, appendix B.1.
        #expect(hash(key: "abc") == 0xBA78_16BF_8F01_CFEA)
        #expect(TraceRules.hash("ba7816bf8f01cfea") == 0xBA78_16BF_8F01_CFEA)
        #expect(
            TraceRules.hash("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD")
                == 0xBA78_16BF_8F01_CFEA)
        for text in [
            "", "ba7816bf8f01cfe", "ps_live_0123456789", "ba7816bf8f01cfeg", "+a7816bf8f01cfea",
        ] {
            #expect(TraceRules.hash(text) == nil)
        }
        #expect(TraceRules.hash(String(repeating: "a", count: 65)) == nil)
        let rules = TraceRules(keyHashes: [0xBA78_16BF_8F01_CFEA])
        #expect(does(rules, match: "abc"))
        #expect(!does(rules, match: "abd"))
        #expect(!does(TraceRules(), match: "abc"))
    }

    @Test func addresses() throws {
        let rules = TraceRules(blocks: [try #require(AddressBlock("192.0.2.0/24"))])
        #expect(rules.end(of: try #require(SocketAddress("192.0.2.77:1")), at: time(0)) == .never)
        #expect(rules.end(of: try #require(SocketAddress("192.0.3.77:1")), at: time(0)) == nil)
    }

    @Test func aKeyAndABlockAreFollowedForSomeMinutes() throws {
        let rules = TraceRules()
        let key = Array("abc".utf8)
        let peer = try #require(SocketAddress("192.0.2.77:1"))
        let block = try #require(AddressBlock("192.0.2.0/24"))
        #expect(rules.follow(.key(hash(key: "abc")), minutes: 2, at: time(0)) == time(120_000))
        #expect(rules.end(ofKey: key.span, at: time(119_999)) == time(120_000))
        #expect(rules.end(ofKey: key.span, at: time(120_000)) == nil)
        #expect(rules.end(of: peer, at: time(0)) == nil)
        #expect(rules.follow(.addresses(block), minutes: 1, at: time(0)) == time(60_000))
        #expect(rules.end(of: peer, at: time(0)) == time(60_000))
        #expect(rules.followedCount(at: time(0)) == 2)
        // Again: the new end counts, and it is one subject still.
        #expect(rules.follow(.addresses(block), minutes: 3, at: time(1)) == time(180_001))
        #expect(rules.followedCount(at: time(130_000)) == 1)
        #expect(rules.end(of: peer, at: time(180_001)) == nil)
    }

    @Test func whatIsFollowedIsBoundedInNumber() {
        let rules = TraceRules()
        for name in 0..<UInt64(TraceRules.passingMax) {
            #expect(rules.follow(.key(name), minutes: 1, at: time(0)) != nil)
        }
        #expect(rules.follow(.key(99), minutes: 1, at: time(1)) == nil)
        #expect(rules.follow(.key(3), minutes: 1, at: time(1)) != nil)
        // All but the one that was begun again have ended.
        #expect(rules.follow(.key(99), minutes: 1, at: time(60_000)) != nil)
        #expect(rules.followedCount(at: time(60_000)) == 2)
    }

    @Test func linesOfASecondAreBounded() {
        var window = TraceWindow()
        for _ in 0..<TraceRules.linesPerSecondMax {
            #expect(window.line(at: time(1_000)) == .write(suppressed: 0))
        }
        for _ in 0..<7 { #expect(window.line(at: time(1_999)) == .suppress) }
        #expect(window.line(at: time(2_000)) == .write(suppressed: 7))
        #expect(window.line(at: time(2_000)) == .write(suppressed: 0))
    }

    @Test func journalEntriesHoldOneFieldALine() {
        let entry = LineLogHandler.line(
            .journald, [], .warning, "api-uncertain",
            [("reason", "line\nPRIORITY=0"), ("request_id", "req 1")])
        let text = String(decoding: entry.dropFirst(LineEncoder.entryHeadBytes), as: UTF8.self)
        #expect(
            text == """
                MESSAGE=api-uncertain reason="line\\u000aPRIORITY=0" request_id="req 1"
                PRIORITY=4
                SYSLOG_IDENTIFIER=postscale-relay
                POSTSCALE_EVENT=api-uncertain
                POSTSCALE_REASON=line\\u000aPRIORITY=0
                POSTSCALE_REQUEST_ID=req 1

                """)
    }
}
