// Texts that wait: bounded memory, linear time, and what happens to those that memory can't hold.

import APIClient
import Foundation
import Reactor
import TestSupport
import Testing
import Wire

@testable import Mapping

@Suite("Texts that wait for the end of the message")
struct MapperBodiesTests {
    private let line = "0123456789 <abcdef> & \"quoted\" 0123456789 abcdefghijklmnopqrstuvwxyz\r\n"

    /// What mapping a message that arrives piece by piece needed.
    private struct Use {
        /// Slabs at once while it arrived, without those of the request.
        var slabsMax = 0
        var fileBytes = 0
        /// Bytes of the request; it is read all the time.
        var requestBytes = 0
        var textBytes = 0
        var nanoseconds: UInt64 = 0
        var failure: Outcome?
    }

    /// Maps `head`, `line` that often, and `tail`.
    private func use(
        _ head: String, lines: Int, _ tail: String = "",
        files: SpillBufferTests.CountedFiles? = SpillBufferTests.CountedFiles()
    ) -> Use {
        let slabs = SlabPool()
        let mapper = MessageMapper(
            options: MappingOptions(), charsets: CharsetCache(), scratch: MapperScratch(),
            pool: slabs, heldBytesMax: 262_144)
        let body = RequestBody(pool: slabs)
        let sender = Array("a@example.com".utf8)
        mapper.begin(sender: sender.span, recipientCount: 1, files: files, into: body)
        mapper.addRecipient(sender.span)
        var use = Use()
        let start = threadNanoseconds()
        func read() {
            while let slab = body.nextReady { body.handedOver(slab, isHeld: false) }
            use.slabsMax = max(use.slabsMax, slabs.outstanding)
            use.fileBytes = max(use.fileBytes, files?.taken ?? 0)
        }
        func feed(_ text: String) {
            let bytes = Array(text.utf8)
            mapper.feed(bytes.span)
            read()
        }
        feed(crlf(head))
        let block = String(repeating: line, count: 100)
        for _ in 0..<lines / 100 where mapper.failure == nil {
            feed(block)
            use.textBytes += block.utf8.count
        }
        feed(crlf(tail))
        if mapper.failure == nil { mapper.finish() }
        while mapper.failure == nil && !mapper.drain(upTo: 16_384) { read() }
        use.failure = mapper.failure
        body.complete()
        read()
        use.requestBytes = body.byteCount
        use.nanoseconds = threadNanoseconds() - start
        mapper.end()
        body.discard()
        #expect(slabs.outstanding == 0 && files?.taken ?? 0 == 0)
        return use
    }

    /// CPU time of this thread, so that a busy machine changes little.
    private func threadNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private let mixed = "Content-Type: multipart/mixed; boundary=m\n\n--m\n\n"
    private let attachment =
        "--m\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0x\n"

    @Test("50 MB of text inside a mixed take no more memory than 256 KB")
    func constantMemory() {
        let small = use(mixed, lines: 3_600, "\n" + attachment + "--m--\n")
        let large = use(mixed, lines: 750_000, "\n" + attachment + "--m--\n")
        #expect(small.failure == nil && large.failure == nil)
        #expect(large.textBytes > 50_000_000 && large.requestBytes > 50_000_000)
        #expect(small.fileBytes == 0 && large.fileBytes < large.textBytes)
        // One slab gathers what goes to the file, and one more is written.
        #expect(large.slabsMax <= small.slabsMax + 3)
    }

    @Test("the same for a text that is in both bodies, and for many texts")
    func constantMemoryOfBoth() {
        let footer =
            "Content-Type: multipart/mixed; boundary=m\n\n--m\n"
            + "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nx\n--a\n"
            + "Content-Type: text/html\n\n<p>x</p>\n--a--\n--m\n\n"
        let both = use(footer, lines: 70_000, "\n--m--\n")
        #expect(both.failure == nil && both.requestBytes > 2 * both.textBytes)
        #expect(both.slabsMax <= 22)
    }

    @Test("a text in an alternative that memory can't hold goes on at once, without a file")
    func streams() {
        let alternative =
            "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nshort\n--a\n"
            + "Content-Type: text/html\n\n"
        let large = use(alternative, lines: 200_000, "\n--a--\n", files: nil)
        #expect(large.failure == nil)
        #expect(large.requestBytes > large.textBytes && large.slabsMax <= 60)
        let none = use(mixed, lines: 200_000, "\n--m--\n", files: nil)
        #expect(none.failure == .noRoom, "a mixed needs a file")
    }

    @Test("what was streamed and what waited are one request")
    func streamedRequest() throws {
        let long = String(repeating: "word ", count: 70_000)
        let bench = MapperBench()
        func object(_ parts: [(type: String, text: String)]) -> NSDictionary? {
            var content = "Content-Type: multipart/alternative; boundary=a\n\n"
            for (type, text) in parts { content += "--a\nContent-Type: \(type)\n\n\(text)\n" }
            return bench.map(MappedMessage(crlf(content + "--a--\n"))).object
        }
        let first = try #require(object([("text/plain", long), ("text/html", "<p>a</p>")]))
        #expect(first["text_body"] as? String == long)
        #expect(first["html_body"] as? String == "<p>a</p>")
        let second = try #require(object([("text/plain", "a"), ("text/html", long)]))
        #expect(second["text_body"] as? String == "a")
        #expect(second["html_body"] as? String == long)
        let third = try #require(object([("text/plain", long), ("text/html", long)]))
        #expect(third["text_body"] as? String == long && third["html_body"] as? String == long)
        let fourth = try #require(object([("text/plain", long), ("text/plain", "b")]))
        #expect(fourth["text_body"] as? String == long)
        let fifth = try #require(
            object([("application/pdf", "x"), ("text/plain", "a"), ("text/html", long)]))
        #expect(fifth["text_body"] as? String == "a" && fifth["html_body"] as? String == long)
        #expect((fifth["attachments"] as? [Any])?.count == 1)
    }

    @Test("time is linear in the number of texts and in their length")
    func linearTime() {
        func time(_ texts: Int, _ lines: Int) -> UInt64 {
            var head = "Content-Type: multipart/mixed; boundary=m\n\n"
            for index in 0..<texts {
                head += "--m\nContent-Type: text/\(index % 2 == 0 ? "plain" : "html")\n\n<b>x\n"
            }
            return (0..<3).map { _ in use(head + "--m\n\n", lines: lines).nanoseconds }.min() ?? 0
        }
        #expect(time(900, 100) < 12 * time(225, 100) + 20_000_000)
        #expect(time(1, 40_000) < 8 * time(1, 10_000) + 20_000_000)
    }
}
