// The byte kernels, compared with naive computations and with each other, at every alignment and
// length. Memory is allocated exactly, so that AddressSanitizer sees a read or a write outside of
// it.

import CEpoll.Kernels
import TestSupport
import Testing

@testable import Wire

/// Every variant must keep the promises of its kernel.
private enum Variant: CaseIterable {
    case portable, narrow, wide, chosen

    static var here: [Variant] {
        #if arch(x86_64)
            ck_has_wide() != 0 ? allCases : [.portable, .narrow, .chosen]
        #else
            [.portable, .narrow, .chosen]
        #endif
    }
}

/// A kernel that transforms: input, its length, output, room.
private typealias Transform = (UnsafePointer<UInt8>, Int, UnsafeMutablePointer<UInt8>, Int) ->
    ck_progress

private func findPair(_ variant: Variant, _ p: UnsafePointer<UInt8>, _ n: Int) -> Int {
    switch variant {
    case .portable: return ck_find_pair_portable(p, n, 10, 46)
    case .narrow: return ck_find_pair_narrow(p, n, 10, 46)
    case .chosen: return ck_find_pair(p, n, 10, 46)
    case .wide:
        #if arch(x86_64)
            return ck_find_pair_wide(p, n, 10, 46)
        #else
            return ck_find_pair(p, n, 10, 46)
        #endif
    }
}

private func escape(_ variant: Variant, lineFeeds: Int32) -> Transform {
    switch variant {
    case .portable: return { ck_json_escape_portable($0, $1, $2, $3, lineFeeds) }
    case .narrow: return { ck_json_escape_narrow($0, $1, $2, $3, lineFeeds) }
    case .chosen: return { ck_json_escape($0, $1, $2, $3, lineFeeds) }
    case .wide:
        #if arch(x86_64)
            return { ck_json_escape_wide($0, $1, $2, $3, lineFeeds) }
        #else
            return { ck_json_escape($0, $1, $2, $3, lineFeeds) }
        #endif
    }
}

private func filter(_ variant: Variant) -> Transform {
    switch variant {
    case .portable: return ck_base64_filter_portable
    case .narrow: return ck_base64_filter_narrow
    case .chosen: return ck_base64_filter
    case .wide:
        #if arch(x86_64)
            return ck_base64_filter_wide
        #else
            return ck_base64_filter
        #endif
    }
}

private func encode(_ variant: Variant) -> Transform {
    switch variant {
    case .portable, .narrow: return ck_base64_encode_portable
    case .chosen: return ck_base64_encode
    case .wide:
        #if arch(x86_64)
            return ck_base64_encode_wide
        #else
            return ck_base64_encode
        #endif
    }
}

private func decode(_ variant: Variant) -> Transform {
    switch variant {
    case .portable, .narrow: return ck_base64_decode_portable
    case .chosen: return ck_base64_decode
    case .wide:
        #if arch(x86_64)
            return ck_base64_decode_wide
        #else
            return ck_base64_decode
        #endif
    }
}

/// Lends a copy of `bytes` that is allocated exactly.
private func withExact<R>(_ bytes: [UInt8], _ body: (UnsafePointer<UInt8>) -> R) -> R {
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, bytes.count))
    defer { memory.deallocate() }
    for (index, byte) in bytes.enumerated() { memory[index] = byte }
    return body(memory)
}

/// What a transform did with an input: all that was written, how far it was read, what was
/// replaced.
private struct Outcome: Equatable {
    var text: [UInt8] = []
    var taken = 0
    var replaced = 0
}

/// Runs a kernel with rooms of `room` bytes until it takes nothing more.
private func run(_ transform: Transform, _ input: [UInt8], room: Int) -> Outcome {
    var outcome = Outcome()
    while true {
        let rest = Array(input[outcome.taken...])
        let output = UnsafeMutablePointer<UInt8>.allocate(capacity: room)
        defer { output.deallocate() }
        let progress = withExact(rest) { transform($0, rest.count, output, room) }
        #expect(progress.taken <= rest.count && progress.written <= room)
        if progress.taken == 0 { return outcome }
        for index in 0..<progress.written { outcome.text.append(output[index]) }
        outcome.taken += progress.taken
        outcome.replaced += progress.replaced
    }
}

@Suite struct KernelsTests {
    @Test(arguments: [
        0, 1, 2, 15, 16, 17, 32, 33, 34, 63, 64, 65, 66, 100, 128, 129, 130, 200, 300,
    ])
    func `a pair is found at its first place and nowhere else`(count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        for round in 0..<100 {
            let alphabet: [UInt8] = round % 3 == 0 ? [10, 46] : [10, 46] + Array(65...125)
            let bytes = generator.bytes(count, from: alphabet)
            let naive = (0..<max(0, count - 1)).first { bytes[$0] == 10 && bytes[$0 + 1] == 46 }
            for variant in Variant.here {
                let found = withExact(bytes) { findPair(variant, $0, count) }
                #expect(found == naive ?? count)
            }
        }
    }

    @Test func `a pair is found alone at every place`() {
        for count in 2...300 {
            for place in stride(from: count % 7, to: count - 1, by: 7) {
                var bytes = [UInt8](repeating: 65, count: count)
                bytes[place] = 10
                bytes[place + 1] = 46
                for variant in Variant.here {
                    #expect(withExact(bytes) { findPair(variant, $0, count) } == place)
                }
            }
        }
    }

    @Test(arguments: 0..<40)
    func `the variants of the escaper agree for any text and any room`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let runs: [[UInt8]] = [
            "a line of plain text, longer than thirty-two bytes or so\r\n".bytes, "\r\n".bytes,
            "\r".bytes, "\n".bytes, "\"\\\t".bytes, "Привет, мир и все остальные".bytes,
            "日本語のテキストです。".bytes, "😀".bytes, [0x80], [0xC3], [0xE2, 0x82], [0x01], [0xFF],
            "short".bytes,
        ]
        let kinds = seed % 2 == 0 ? 2 : runs.count
        var input: [UInt8] = []
        for _ in 0..<10 { input += runs[Int(generator.next() % UInt64(kinds))] }
        for lineFeeds: Int32 in [0, 1] {
            for room in [24, 40, 56, 57, 100, 2_000] {
                let expected = run(escape(.portable, lineFeeds: lineFeeds), input, room: room)
                for variant in Variant.here {
                    #expect(
                        run(escape(variant, lineFeeds: lineFeeds), input, room: room) == expected)
                }
            }
        }
    }

    @Test(arguments: 0..<40)
    func `the variants of the base64 filter agree for any lines and any room`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        let width = [76, 76, 64, 60, 96, 97, 65, 10, 200][seed % 9]
        var input: [UInt8] = []
        for line in 0..<6 {
            input += generator.bytes(seed % 5 == 4 && line == 3 ? 41 : width, from: alphabet)
            input += seed % 4 == 3 ? [10] : [13, 10]
        }
        if seed % 3 == 0 {
            let stray = UInt8(truncatingIfNeeded: generator.next())
            input[Int(generator.next() % UInt64(input.count))] = stray
        }
        for start in [0, 1, 40] {
            let rest = Array(input[start...])
            for room in [1, 31, 32, 76, 77, 100, 2_000] {
                let expected = run(filter(.portable), rest, room: room)
                for variant in Variant.here {
                    #expect(run(filter(variant), rest, room: room) == expected)
                }
            }
        }
    }

    @Test func `the filter stops after an empty line, and at no other line end`() {
        let line = String(repeating: "YWJj", count: 19)
        for end in ["\r\n", "\n"] {
            for count in 1...4 {
                let front = String(repeating: line + end, count: count)
                for gap in [end, end + end, end + " ", " " + end] {
                    let input = Array((front + gap + line + end + line).utf8)
                    for variant in Variant.here {
                        var output = [UInt8](repeating: 0, count: 2_000)
                        let progress = withExact(input) {
                            filter(variant)($0, input.count, &output, output.count)
                        }
                        #expect(progress.taken == front.utf8.count + gap.utf8.count)
                        #expect(progress.written == 76 * count)
                    }
                }
            }
        }
    }

    @Test func `a byte outside the alphabet stops the filter at every place of a known line`() {
        let line = [UInt8](repeating: 65, count: 76) + [13, 10]
        for byte in UInt8.min...UInt8.max {
            for place in [78, 79, 109, 110, 111, 141, 142, 145, 153] {
                var input = line + line + line
                input[place] = byte
                let expected = run(filter(.portable), input, room: 400)
                for variant in Variant.here {
                    #expect(run(filter(variant), input, room: 400) == expected)
                }
            }
        }
    }

    @Test(arguments: Array(0...70) + [95, 96, 97, 200, 1_000])
    func `the variants encode and decode the same, in any room`(count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let bytes = generator.bytes(count)
        for room in [4, 31, 32, 33, 64, 2_000] {
            let text = run(encode(.portable), bytes, room: room)
            #expect(text.text == Array(naiveBase64(bytes).utf8.prefix(count / 3 * 4)))
            for variant in Variant.here {
                #expect(run(encode(variant), bytes, room: room) == text)
                #expect(
                    run(decode(variant), text.text, room: room).text == bytes.dropLast(count % 3))
            }
        }
    }

    @Test(arguments: 0..<40)
    func `the variants of the decoder stop at the same byte`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var input: [UInt8] = []
        for _ in 0..<4 {
            input += Array(naiveBase64(generator.bytes(57)).utf8)
            input += seed % 2 == 0 ? [13, 10] : []
        }
        input[Int(generator.next() % UInt64(input.count))] =
            UInt8(truncatingIfNeeded: generator.next())
        for room in [3, 24, 32, 40, 2_000] {
            let expected = run(decode(.portable), input, room: room)
            for variant in Variant.here {
                #expect(run(decode(variant), input, room: room) == expected)
            }
        }
    }
}
