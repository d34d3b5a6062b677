// Answers whole, byte by byte and cut at random, good and bad.

import TestSupport
import Testing

@testable import APIClient

@Suite("Response reader")
struct ResponseReaderTests {
    /// The result of reading an answer: the verdict, and what was read.
    struct Reading: Equatable {
        var verdict: ResponseReader.Verdict
        var status: Int
        var requestID: String
        var retryAfter: [UInt8]
        var body: [UInt8]
    }

    private func read(_ input: [UInt8], cuts: [Int], isClosed: Bool) -> Reading {
        let fresh = read(input, cuts: cuts, isClosed: isClosed, with: ResponseReader())
        #expect(read(input, cuts: cuts, isClosed: isClosed, with: used()) == fresh)
        return fresh
    }

    /// A reader that is ready for its second answer.
    private func used() -> ResponseReader {
        var reader = ResponseReader()
        let answer =
            "HTTP/1.1 429 No\r\nX-Request-ID: old\r\nRetry-After: 9\r\nContent-Length: 3\r\n\r\nold"
        let bytes = Array(answer.utf8)
        #expect(reader.feed(bytes.span) == .complete(isReusable: true))
        reader.reset()
        #expect(reader.requestID.isEmpty && reader.status == 0 && !reader.hasBegun)
        return reader
    }

    private func read(
        _ input: [UInt8], cuts: [Int], isClosed: Bool, with unused: ResponseReader
    ) -> Reading {
        var reader = unused
        var verdict = ResponseReader.Verdict.needMore
        var at = 0
        for length in cuts {
            let piece = Array(input[at..<at + length])
            at += length
            verdict = reader.feed(piece.span)
        }
        if isClosed { verdict = reader.peerClosed() }
        return Reading(
            verdict: verdict, status: reader.status, requestID: reader.requestID,
            retryAfter: reader.retryAfter, body: reader.body)
    }

    /// Reads it whole, byte by byte and in random pieces; all must agree.
    private func read(_ text: String, isClosed: Bool = false) -> Reading {
        let input = Array(text.utf8)
        let whole = read(input, cuts: [input.count], isClosed: isClosed)
        for plan in Splits.plans(for: input.count) {
            #expect(read(input, cuts: plan, isClosed: isClosed) == whole)
        }
        return whole
    }

    @Test("Content-Length, chunked, no body, until close")
    func framings() {
        let length = read(
            "HTTP/1.1 202 Accepted\r\nX-Request-ID: r-1\r\nContent-Length: 5\r\n\r\nhello")
        #expect(length.verdict == .complete(isReusable: true))
        #expect(length.status == 202 && length.requestID == "r-1")
        #expect(length.body == Array("hello".utf8))
        let chunked = read(
            "HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nT: x\r\n\r\n")
        #expect(chunked.verdict == .complete(isReusable: true))
        #expect(chunked.body == Array("hello".utf8) && chunked.retryAfter == Array("7".utf8))
        #expect(read("HTTP/1.1 204 None\r\n\r\n").verdict == .complete(isReusable: true))
        let close = read("HTTP/1.1 200 OK\r\n\r\nhello", isClosed: true)
        #expect(close.verdict == .complete(isReusable: false))
        #expect(close.body == Array("hello".utf8))
        #expect(read("HTTP/1.1 200 OK\r\n\r\nhello").verdict == .needMore)
    }

    @Test("A connection that closes, or sends more than the answer, is not used again")
    func notReusable() {
        let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
        #expect(read(close).verdict == .complete(isReusable: false))
        let more = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1".utf8)
        #expect(
            read(more, cuts: [more.count], isClosed: false).verdict
                == .complete(isReusable: false))
        let old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        #expect(read(old).verdict == .complete(isReusable: false))
    }

    @Test("A connection is used for as many more requests as the API says")
    func requestsLeft() {
        func answers(_ fields: [String]) -> [Bool] {
            var reader = ResponseReader()
            return fields.map { field in
                let text = "HTTP/1.1 202 OK\r\n\(field)Content-Length: 0\r\n\r\n"
                let verdict = reader.feed(Array(text.utf8).span)
                reader.reset()
                return verdict == .complete(isReusable: true)
            }
        }
        let max = { (count: Int) in "Keep-Alive: timeout=5, max=\(count)\r\n" }
        #expect(answers([max(2), max(1), max(0)]) == [true, true, false])
        // Some say the same number each time, or only once.
        #expect(answers([max(2), max(2), max(2)]) == [true, true, false])
        #expect(answers([max(2), "", ""]) == [true, true, false])
        #expect(answers([max(0)]) == [false])
        #expect(answers(["", "", "Keep-Alive: timeout=5\r\n"]) == [true, true, true])
    }

    @Test("Interim responses are skipped, up to a bound")
    func interim() {
        let interim = "HTTP/1.1 100 Continue\r\n\r\n"
        let answer = "HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n"
        let twenty = String(repeating: interim, count: ResponseReader.interimMax)
        #expect(read(twenty + answer).verdict == .complete(isReusable: true))
        #expect(read(twenty + interim + answer).verdict == .broken("too many interim responses"))
        guard case .broken = read("HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n").verdict else {
            Issue.record("101 was accepted")
            return
        }
    }

    @Test(
        "What is not a readable answer is refused",
        arguments: [
            "SSH-2.0-OpenSSH_9.9\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 99 Low\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        ])
    func invalid(_ text: String) {
        guard case .broken = read(text).verdict else {
            Issue.record("accepted")
            return
        }
    }

    @Test("A connection that closes within the answer leaves no answer")
    func truncated() {
        for text in [
            "", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ] {
            guard case .broken = read(text, isClosed: true).verdict else {
                Issue.record("accepted: \(text)")
                return
            }
        }
    }

    @Test("A head has a bound")
    func headBound() {
        let long = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 20_000)
        let input = Array(long.utf8)
        for cuts in [[input.count], [10_000, input.count - 10_000]] {
            guard case .broken = read(input, cuts: cuts, isClosed: false).verdict else {
                Issue.record("accepted")
                return
            }
        }
    }

    @Test("A body has a bound: an error is cut, a success is refused")
    func bodyBound() {
        let body = String(repeating: "x", count: ResponseReader.bodyBytesMax + 1)
        let framings = [
            "Content-Length: \(body.utf8.count)\r\n\r\n\(body)", "\r\n\(body)",
            "Transfer-Encoding: chunked\r\n\r\n"
                + "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n",
        ]
        for framing in framings {
            let failure = Array("HTTP/1.1 400 Bad\r\n\(framing)".utf8)
            let cut = read(failure, cuts: [failure.count], isClosed: false)
            #expect(cut.verdict == .complete(isReusable: false))
            #expect(cut.body.count == ResponseReader.bodyBytesMax)
            let success = Array("HTTP/1.1 202 OK\r\n\(framing)".utf8)
            #expect(
                read(success, cuts: [success.count], isClosed: false).verdict
                    == .broken("the answer is too large"))
        }
    }

    @Test("The request id is printable and short")
    func requestID() {
        let id = String(repeating: "ä1", count: 200)
        let reading = read("HTTP/1.1 200 OK\r\nX-Request-ID: \(id)\r\nContent-Length: 0\r\n\r\n")
        #expect(reading.requestID == String(repeating: "1", count: 128))
    }
}
