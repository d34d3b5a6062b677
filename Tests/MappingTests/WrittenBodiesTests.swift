// Texts that are in the request before the message is complete: written at once, cut out, taken back.

import APIClient
import Foundation
import Reactor
import TestSupport
import Testing
import Wire

@testable import Mapping

@Suite("Texts that go into the request at once")
struct WrittenBodiesTests {
    let bench = MapperBench()

    // MARK: - What is written comes out again

    @Test("what the escaper wrote is undone, wherever it is cut")
    func escapes() {
        var generator = SeededGenerator(seed: 3)
        let alphabet = Array("ab\"\\\n\r\t\u{8}\u{C}\u{1}\u{1F}\u{7F}é\u{2028}😀u0".utf8)
        for _ in 0..<200 {
            let count = Int.random(in: 0...60, using: &generator)
            let text = Array(
                String(decoding: generator.bytes(count, from: alphabet), as: UTF8.self).utf8)
            let escaped = written(capacity: 6 * text.count + 16) { region in
                var escaper = JSONEscaper()
                _ = escaper.feed(text.span, into: &region)
                _ = escaper.finish(into: &region)
            }
            for plan in Splits.plans(for: escaped.count, seed: UInt64(count), random: 3) {
                var remover = EscapeRemover()
                let undone = written(capacity: escaped.count + 1) { region in
                    var at = 0
                    for length in plan {
                        remover.feed(escaped.span.extracting(at..<at + length), into: &region)
                        at += length
                    }
                }
                #expect(undone == text)
            }
        }
    }

    private func written(capacity: Int, _ write: (inout Region) -> Void) -> [UInt8] {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) { memory in
            var region = Region(memory)
            write(&region)
            return region.bytes.copied()
        }
    }

    // MARK: - At once

    /// Mapped as it arrives.
    private struct Arrival {
        let slabs = SlabPool()
        let body: RequestBody
        let mapper: MessageMapper

        init(heldBytesMax: Int = 262_144) {
            mapper = MessageMapper(
                options: MappingOptions(), charsets: CharsetCache(), scratch: MapperScratch(),
                pool: slabs, heldBytesMax: heldBytesMax)
            body = RequestBody(pool: slabs)
            let address = Array("a@example.com".utf8)
            mapper.begin(sender: address.span, recipientCount: 1, files: nil, into: body)
            mapper.addRecipient(address.span)
        }

        func feed(_ text: String) {
            let bytes = Array(crlf(text).utf8)
            mapper.feed(bytes.span)
        }

        func end() -> NSDictionary? {
            mapper.finish()
            while mapper.failure == nil, !mapper.drain(upTo: 10_000) {}
            let text = String(decoding: body.contents(), as: UTF8.self)
            mapper.end()
            body.discard()
            #expect(slabs.outstanding == 0)
            return parsed(text)
        }
    }

    private let alternative = "Content-Type: multipart/alternative; boundary=a\n\n"
    private let plain = "--a\nContent-Type: text/plain\n\n"
    private let html = "--a\nContent-Type: text/html\n\n"

    @Test("each text of an alternative is in the request while it arrives")
    func atOnce() {
        let long = String(repeating: "0123456789abcde\n", count: 1_000)
        for prefix in ["", "Content-Type: multipart/related; boundary=r\n\n--r\n"] {
            let arrival = Arrival()
            arrival.feed(prefix + alternative + plain + "\n \n")
            let start = arrival.body.byteCount
            arrival.feed(long)
            // In a related, parts beside it may come that are joined with it, and pictures that the
            // HTML names by their places.
            let isWaiting = !prefix.isEmpty
            #expect((arrival.body.byteCount > start + 16_000) == !isWaiting)
            #expect((arrival.mapper.waitingBytes > 16_000) == isWaiting)
            arrival.feed(html + "<p>\n")
            let middle = arrival.body.byteCount
            arrival.feed(long)
            #expect((arrival.body.byteCount > middle + 16_000) == !isWaiting)
            #expect((arrival.mapper.waitingBytes > 32_000) == isWaiting)
            arrival.feed("--a--\n")
            let object = arrival.end()
            #expect((object?["text_body"] as? String)?.count == long.count + 2)
            #expect((object?["html_body"] as? String)?.count == long.count + 3)
        }
    }

    @Test("a text of 200 KB that another one replaces leaves no memory in use")
    func memoryOfReplaced() {
        let arrival = Arrival()
        arrival.feed(alternative)
        let before = arrival.slabs.outstanding
        let line = String(repeating: "0123456789abcde", count: 64) + "\n"
        arrival.feed(plain)
        for _ in 0..<200 { arrival.feed(line) }
        #expect(arrival.slabs.outstanding >= before + 11)
        arrival.feed(plain + "the last one\n")
        #expect(arrival.slabs.outstanding <= before + 1)
        #expect(arrival.body.byteCount < 1_000)
        arrival.feed("--a--\n")
        #expect(arrival.end()?["text_body"] as? String == "the last one")
    }

    @Test(
        "what can have left the relay stays, and later texts are counted", arguments: [1, 2, 997])
    func aboveThreshold(times: Int) {
        let long = String(repeating: "0123456789abcde\n", count: 20_000)
        for (first, heldBytesMax) in [(long, 262_144), ("short", 10)] {
            var content = alternative + plain + first + "\n" + html + "<p>a\n"
            for number in 0..<times { content += plain + "text \(number)\n" }
            var message = MappedMessage(crlf(content + "--a--\n"))
            message.heldBytesMax = heldBytesMax
            let bytes = [Int](repeating: 1, count: message.content.count)
            for plan in times > 2 || first == long ? [nil] : [nil, bytes] {
                let result = bench.map(message, cut: plan)
                #expect(result.object?["text_body"] as? String == first)
                #expect(result.object?["html_body"] as? String == "<p>a")
                #expect(result.losses[.alternativesNotShown] == times)
            }
        }
    }

    @Test(
        "a blank text beside one that has left is not counted as left out",
        arguments: [true, false])
    func blankAboveThreshold(isBlank: Bool) {
        // Its bytes are no UTF-8; what nobody gets has no characters that were replaced.
        let blank =
            "--a\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
            + (isBlank ? "IA0K" : "IP9K") + "\n"
        let emptyHTML = html + "<html><body>" + (isBlank ? "" : "b") + "</body></html>\n"
        let content =
            alternative + html + "<p>a\n" + plain + "short\n" + blank + emptyHTML + "--a--\n"
        var message = MappedMessage(crlf(content))
        message.heldBytesMax = 10
        for plan in Splits.plans(for: message.content.count) {
            let result = bench.map(message, cut: plan)
            #expect(result.object?["text_body"] as? String == "short")
            #expect(result.object?["html_body"] as? String == "<p>a")
            #expect(result.losses[.alternativesNotShown] == (isBlank ? 0 : 2))
            #expect(result.losses[.charactersReplaced] == 0)
        }
    }

    @Test("a long file between texts takes nothing from either body")
    func longFile() {
        let file =
            "--m\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n"
            + String(repeating: "QUJDREVGR0hJSktM\n", count: 20_000)
        let content =
            alternative + plain + "p\n--a\nContent-Type: multipart/mixed; boundary=m\n\n"
            + "--m\nContent-Type: text/html\n\n<p>h\n" + file + "--m\n\nfooter\n--m--\n--a--\n"
        let result = bench.map(MappedMessage(crlf(content)))
        #expect(result.object?["text_body"] as? String == "p")
        let html = result.object?["html_body"] as? String
        #expect(html == "<p>h<div style='white-space: pre-wrap'>footer</div>")
        #expect(result.losses[.alternativesNotShown] == 0)
    }

    @Test("a blank text takes nobody's place, also when memory is full")
    func blankWithoutMemory() {
        let amp = "--a\nContent-Type: text/x-amp-html\n\n" + String(repeating: "a", count: 249_600)
        for (isHTML, part, words, blank) in [
            (false, plain, "words", " "), (true, html, "<p>words</p>", "<p> </p>"),
        ] {
            let content = amp + "\n" + part + words + "\n" + part + blank + "\n--a--\n"
            let result = bench.map(MappedMessage(crlf(alternative + content)))
            #expect(result.object?[isHTML ? "html_body" : "text_body"] as? String == words)
        }
        let blanks = String(repeating: String(repeating: " ", count: 900) + "\n", count: 300)
        let result = bench.map(
            MappedMessage(crlf(alternative + plain + "hello\n" + plain + blanks + "--a--\n")))
        #expect(result.object?["text_body"] as? String == "hello")
        #expect(result.losses[.alternativesNotShown] == 0)
    }

    @Test("what a multipart/related shows is joined, however large the picture between is")
    func joinedInRelated() {
        let inner = "Content-Type: multipart/alternative; boundary=a\n\n" + plain + "hello\n"
        let picture =
            "--r\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n"
            + String(repeating: "QUJDREVGR0hJSktM\n", count: 20_000)
        let footer = "--r\nContent-Type: multipart/mixed; boundary=m\n\n--m\n\nfooter\n--m--\n"
        let content =
            "Content-Type: multipart/related; boundary=r\n\n--r\n" + inner + html
            + "<p>hello</p>\n--a--\n" + picture + footer + "--r--\n"
        let result = bench.map(MappedMessage(crlf(content)))
        #expect(result.object?["text_body"] as? String == "hello\nfooter")
        #expect((result.object?["attachments"] as? [Any])?.count == 1)
    }

    @Test("a text that only some programs show is no file beside a form that was left out")
    func limitedBesideLeftOut() {
        let picture =
            "--a\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n"
            + String(repeating: "QUJDREVGR0hJSktM\n", count: 20_000)
        for enriched in ["three\n--r\n\ntwo\n", "three\n"] {
            let inner =
                "--a\nContent-Type: multipart/alternative; boundary=r\n\n--r\n\ntwo\n"
                + "--r\nContent-Type: text/enriched\n\n" + enriched + "--r--\n"
            let result = bench.map(
                MappedMessage(crlf(alternative + plain + "one\n" + picture + inner + "--a--\n")))
            #expect(result.object?["text_body"] as? String == "one")
            #expect((result.object?["attachments"] as? [Any])?.count == 1)
            #expect(result.losses[.alternativesNotShown] >= 2)
        }
    }

    // MARK: - One kind again and again

    @Test(
        "the last text to see of each kind counts",
        arguments: [1, 2, 998], [false, true])
    func again(times: Int, isLastBlank: Bool) {
        for isHTML in [false, true] {
            let part = isHTML ? html : plain
            var content = alternative
            for number in 0..<times { content += part + "text \(number)\n" }
            content += part + (isLastBlank ? " \n\n" : "last\n") + "--a--\n"
            let message = MappedMessage(crlf(content))
            let plans =
                times > 2
                ? [[message.content.count]]
                : Splits.plans(for: message.content.count)
                    + Splits.everyCut(of: message.content.count)
            for plan in plans {
                let result = bench.map(message, cut: plan)
                let body = result.object?[isHTML ? "html_body" : "text_body"] as? String
                #expect(body == (isLastBlank ? "text \(times - 1)" : "last"))
                #expect(result.object?.count == 4)
                #expect(result.losses[.alternativesNotShown] == (isLastBlank ? times - 1 : times))
            }
        }
    }

    @Test("replaced characters of a text that is cut out are not counted")
    func replacedCharacters() {
        let bad: [UInt8] = [0x61, 0x00, 0x62]
        let rows: [([[UInt8]], Int)] = [
            ([bad], 1), ([bad, Array("b".utf8)], 0), ([bad, bad], 1), ([Array("b".utf8), bad], 1),
        ]
        for (texts, count) in rows {
            var content = Array(crlf(alternative).utf8)
            for text in texts { content += Array(crlf(plain).utf8) + text + [0x0D, 0x0A] }
            let result = bench.map(MappedMessage(bytes: content + Array("--a--\r\n".utf8)))
            #expect(result.losses[.charactersReplaced] == count)
        }
    }

    @Test("time is linear in the number of texts that replace one another")
    func linearTime() {
        /// Short and long texts by turns, so that there is always one behind the one that goes.
        func nanoseconds(_ count: Int, _ bytes: Int) -> UInt64 {
            var content = alternative
            let long = String(repeating: "x", count: bytes)
            for number in 0..<count {
                content += plain + "p\(number)\n" + html + long + "\n" + html + "h\n" + plain + long
                content += "\n"
            }
            let message = MappedMessage(crlf(content + "--a--\n"))
            return (0..<3).map { _ in
                let start = threadNanoseconds()
                #expect(bench.map(message).failure == nil)
                return threadNanoseconds() - start
            }.min() ?? 0
        }
        #expect(nanoseconds(240, 15_000) < 12 * nanoseconds(60, 15_000) + 20_000_000)
        #expect(nanoseconds(2, 100_000) < 12 * nanoseconds(2, 25_000) + 20_000_000)
    }

    /// CPU time of this thread, so that a busy machine changes little.
    private func threadNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    // MARK: - Taken back

    @Test("HTML waits for pictures after all, when one has a place")
    func places() {
        let picture =
            "--a\nContent-Type: image/png\nContent-Location: a.png\n"
            + "Content-Transfer-Encoding: base64\n\nAAAA\n"
        let content = alternative + plain + "p\n" + html + "<img src=\"a.png\">\n" + picture
        let result = bench.map(MappedMessage(crlf(content + "--a--\n")))
        #expect(
            result.object?["html_body"] as? String
                == "<img src=\"cid:part1@content-location\">")
        #expect(result.object?["text_body"] as? String == "p")
        #expect(result.losses[.picturesNotTied] == 0)
    }

    /// A message of one tree of parts. All of its texts differ.
    private struct Tree {
        var generator: SeededGenerator
        var content: [UInt8] = []
        private var count = 0

        init(seed: UInt64) {
            generator = SeededGenerator(seed: seed)
            add("From: a@example.com\nMIME-Version: 1.0\n")
            part(depth: 0)
        }

        private mutating func add(_ text: String) { content += Array(crlf(text).utf8) }

        private mutating func pick<T>(_ values: [T]) -> T {
            values[Int.random(in: 0..<values.count, using: &generator)]
        }

        private mutating func part(depth: Int) {
            count += 1
            if depth == 0 || depth < 4 && pick([true, false, false]) {
                multipart(depth: depth)
            } else {
                leaf()
            }
        }

        private mutating func multipart(depth: Int) {
            let boundary = "b\(count)"
            let kind = pick(["alternative", "alternative", "related", "mixed"])
            let root = kind == "related" && pick([true, false, false]) ? "; start=\"<r@x>\"" : ""
            add("Content-Type: multipart/\(kind); boundary=\(boundary)\(root)\n")
            identify()
            for _ in 0..<Int.random(in: 1...5, using: &generator) {
                add("\n--\(boundary)\n")
                part(depth: depth + 1)
            }
            add("\n--\(boundary)--\n")
        }

        private mutating func identify() {
            if pick([true, false, false, false]) { add("Content-ID: <r@x>\n") }
            add("\n")
        }

        private mutating func leaf() {
            let type = pick([
                "text/plain", "text/plain", "text/plain; charset=utf-8", "text/html", "text/html",
                "text/html; charset=iso-8859-1", "text/x-amp-html", "text/calendar; method=REQUEST",
                "image/png", "text/plain; format=flowed", "text/plain; name=n.txt",
            ])
            add("Content-Type: \(type)\n")
            if pick([true] + [Bool](repeating: false, count: 9)) {
                add("Content-Disposition: attachment\n")
            }
            if pick([true, false, false, false, false]) { add("Content-Location: a\(count)\n") }
            let isQuoted = pick([true, false, false])
            if isQuoted { add("Content-Transfer-Encoding: quoted-printable\n") }
            identify()
            guard pick([true, true, true, true, false]) else { return add(" \n\n") }
            text(isHTML: type.hasPrefix("text/html"))
        }

        private mutating func text(isHTML: Bool) {
            add(isHTML ? "<b>word\(count)</b><img src=\"a\(count + 1)\"><i>" : "word\(count)")
            let pieces: [[UInt8]] = [
                Array("\r\n".utf8), Array("\n".utf8), [0x0D], [0x00], [0xFF], Array("é".utf8),
                Array("\"\\ <&>\t\u{1} =41".utf8), Array(" \r\n> quoted".utf8),
            ]
            for _ in 0..<pick([0, 3, 3, 10, 40]) { content += pick(pieces) }
            if pick([true] + [Bool](repeating: false, count: 7)) {
                let count = Int.random(in: 0..<40_000, using: &generator)
                content += [UInt8](repeating: 0x78, count: count)
            }
            add("end\(count)")
        }
    }

    @Test("the request is what it is when all texts wait", arguments: 0..<8)
    func sameBodies(block: Int) {
        for seed in 0..<150 {
            var tree = Tree(seed: UInt64(1_000 * block + seed))
            var message = MappedMessage(bytes: tree.content)
            message.options.attachmentsMax = 1_000
            let plan = Splits.plan(
                for: tree.content.count, longest: [40, 5_000][seed % 2], using: &tree.generator)
            let early = bench.map(message, cut: plan)
            // A request to several hidden recipients is written elsewhere, where nothing is cut out.
            message.recipients = ["a@example.com", "b@example.com"]
            let waiting = bench.map(message)
            #expect(waiting.isGroup && !early.isGroup)
            #expect(early.failure == nil && waiting.failure == nil)
            let object = early.object?.mutableCopy() as? NSMutableDictionary
            object?.removeObject(forKey: "to")
            #expect(waiting.object.map { object?.isEqual($0) == true } == true, "seed \(seed)")
            #expect(early.losses == waiting.losses, "seed \(seed)")
        }
    }
}
