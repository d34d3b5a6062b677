// Filter, encoder and decoder, compared with base64 by arithmetic and with each other.

import TestSupport
import Testing

@testable import Wire

private let regionSizes = [1, 9, 1_000]

private func filtered(
    _ bytes: [UInt8], _ plan: [Int], _ regionBytes: Int
) -> (text: String?, strays: Int, decoded: Int) {
    var filter = Base64Filter()
    let text = transformed(
        bytes, plan: plan, regionBytes: regionBytes,
        feed: { filter.feed($0, into: &$1) }, finish: { filter.finish(into: &$0) })
    return (text?.text, filter.strayCount, filter.decodedCount)
}

private func encoded(_ bytes: [UInt8], _ plan: [Int], _ regionBytes: Int) -> String? {
    var encoder = Base64Encoder()
    return transformed(
        bytes, plan: plan, regionBytes: regionBytes,
        feed: { encoder.feed($0, into: &$1) }, finish: { encoder.finish(into: &$0) })?.text
}

private func decoded(
    _ bytes: [UInt8], _ plan: [Int], _ regionBytes: Int
) -> (bytes: [UInt8]?, strays: Int) {
    var decoder = Base64Decoder()
    let result = transformed(
        bytes, plan: plan, regionBytes: regionBytes,
        feed: { decoder.feed($0, into: &$1) }, finish: { decoder.finish(into: &$0) })
    return (result, decoder.strayCount)
}

/// `text` in lines of `width` characters.
private func wrapped(_ text: String, _ width: Int, _ lineEnd: String = "\r\n") -> [UInt8] {
    let bytes = text.bytes
    return stride(from: 0, to: bytes.count, by: width).flatMap {
        Array(bytes[$0..<min($0 + width, bytes.count)]) + lineEnd.bytes
    }
}

@Suite struct Base64Tests {
    @Test(arguments: [0, 1, 2, 3, 57, 58, 113, 302])
    func `wrapped base64 passes without its line ends`(count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let content = generator.bytes(count)
        let text = naiveBase64(content)
        for input in [
            wrapped(text, 76), wrapped(text, 60, "\n"), wrapped(text, 5, " \t"), text.bytes,
        ] {
            for plan in Splits.plans(for: input.count, random: 4) {
                for regionBytes in regionSizes {
                    let result = filtered(input, plan, regionBytes)
                    #expect(result == (text, 0, count))
                    #expect(decoded(input, plan, regionBytes) == (content, 0))
                }
            }
        }
    }

    @Test(arguments: [0, 1, 2, 3, 4, 5, 47, 48, 49, 200])
    func `bytes are encoded as RFC 4648 says`(count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let content = generator.bytes(count)
        for plan in Splits.plans(for: count) {
            for regionBytes in regionSizes {
                #expect(encoded(content, plan, regionBytes) == naiveBase64(content))
            }
        }
    }

    @Test(arguments: [
        ("YQ", "YQ==", 0), ("YQ=", "YQ==", 0), ("YWI", "YWI=", 0), ("YR==", "YQ==", 0),
        ("YWJ=", "YWI=", 0), ("YWJj=", "YWJj", 1), ("YQ===", "YQ==", 1), ("=", "", 1),
        ("Y", "", 1), ("YWJjZ", "YWJj", 1), ("YW*Jj", "YWJj", 1), ("Y\u{0}Q=\"=", "YQ==", 2),
        ("Y=WJj", "YWJj", 1), ("\r\n \t", "", 0), ("YQ=\r\n=", "YQ==", 0), ("é", "", 2),
        ("YQ==YQ==", "YWE=", 0), ("YWI=YWI=", "YWJhYg==", 0), ("YQ==YWI=", "YWFi", 0),
        ("YQ==YWJj", "YWFiYw==", 0), ("YQ==Y", "YQ==", 1), ("YQ==YQ==YQ==YWJj", "YWFhYWJj", 0),
    ])
    func `padding and strays are corrected`(input: String, expected: String, strays: Int) {
        for plan in Splits.plans(for: input.utf8.count) {
            for regionBytes in regionSizes {
                let result = filtered(input.bytes, plan, regionBytes)
                #expect(result.text == expected)
                #expect(result.strays == strays)
                let content = decoded(input.bytes, plan, regionBytes)
                #expect(content.bytes.map(naiveBase64) == expected)
                #expect(content.strays == strays)
                #expect(result.decoded == content.bytes?.count)
            }
        }
    }

    @Test(arguments: 0..<40)
    func `the filter's text encodes what the decoder makes of the input`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var input: [UInt8] = []
        for _ in 0..<8 {
            let piece = generator.bytes(Int(generator.next() % 120))
            input += wrapped(naiveBase64(piece), seed % 2 == 0 ? 76 : 64)
            if seed % 3 == 0 { input += generator.bytes(2, from: "=*A\r\n=".bytes) }
        }
        let content = decoded(input, [input.count], 4_000)
        for plan in Splits.plans(for: input.count, seed: UInt64(seed)) {
            for regionBytes in [1, 7, 100, 4_000] {
                let result = filtered(input, plan, regionBytes)
                #expect(decoded(input, plan, regionBytes) == content)
                // Where a line is more like words, the decoder goes on with text.
                let all = content.bytes ?? []
                #expect(result.text == naiveBase64(Array(all.prefix(result.decoded))))
                #expect(result.strays == content.strays - (result.decoded == all.count ? 0 : 1))
            }
        }
    }

    @Test(arguments: [
        ("VGhl\nThis was sent to the list.\n", "The\r\nThis was sent to the list.\n"),
        ("VGhl\r\n\r\n  Virus checked\r\nBye", "The\r\nVirus checked\r\nBye"),
        ("VGhl\nVGhl\nÜberprüft durch Prüfer", "TheThe\r\nÜberprüft durch Prüfer"),
        ("VGhl\nCHECKED: by the Scanner", "The\r\nCHECKED: by the Scanner"),
        ("VGhl\nVGhl IHBs\n", "TheThe pl"), ("VGhl\nVG hlIHB s\n", "TheThe pl"),
        ("VGhl\nVGhl \nIHBs\n", "TheThe pl"), ("VGhl\nVGhlIHBs\t\n\tIHBs", "TheThe pl pl"),
        ("VGhl\n\n\n-- \nA b", "The\r\n-- \nA b"),
    ])
    func `a text ends where words begin a line`(input: String, expected: String) {
        for plan in Splits.plans(for: input.utf8.count, random: 6) {
            for regionBytes in regionSizes {
                #expect(decoded(input.bytes, plan, regionBytes).bytes?.text == expected)
            }
        }
    }

    @Test(arguments: 0..<60)
    func `lines with blanks and words are read alike in any cut`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let pieces = [
            "VGhl", "VGhlIHBs", "VG", "hl", " ", "\t", "\n", "\r\n", "\n\n", "The list ", "-", "==",
        ]
        var input: [UInt8] = "VGhlIHBs\n".bytes
        for _ in 0..<12 { input += pieces[Int(generator.next() % 12)].bytes }
        let content = decoded(input, [input.count], 4_000)
        for plan in Splits.plans(for: input.count, seed: UInt64(seed)) {
            for regionBytes in [1, 7, 100] {
                #expect(decoded(input, plan, regionBytes) == content, "\(input.text)")
            }
        }
    }

    @Test func `every byte is either in the alphabet, blank or stray, at every place in a line`() {
        let alphabet = Set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".bytes)
        for byte in UInt8.min...UInt8.max where byte != 61 {
            for place in [0, 1, 15, 16, 17, 40, 63, 64, 70, 79] {
                var input = [UInt8](repeating: 65, count: 80)
                input[place] = byte
                let result = filtered(input, [80], 1_000)
                let isBlank = [9, 10, 13, 32].contains(byte)
                #expect(result.strays == (alphabet.contains(byte) || isBlank ? 0 : 1))
                if alphabet.contains(byte) { #expect(result.text == input.text) }
            }
        }
    }
}
