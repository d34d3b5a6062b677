// A property of the whole mapper: golden messages with random damage still become valid JSON with
// unique keys, the same however they are cut, or are refused.

import Foundation
import TestSupport
import Testing
import Wire

@testable import Mapping

@Suite("Any input becomes valid JSON with unique keys")
struct MapperDamageTests {
    let bench = MapperBench()

    @Test("randomly damaged messages", arguments: 0..<40)
    func damaged(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed) + 1)
        let pairs = GoldenPairs.plain + GoldenPairs.parts
        for _ in 0..<12 {
            let pair = pairs.randomElement(using: &generator)!
            var message = pair.mapped
            damage(&message.content, using: &generator)
            if Bool.random(using: &generator) { message.recipients.append("second@example.com") }
            check(message, using: &generator)
        }
    }

    private func check(_ message: MappedMessage, using generator: inout SeededGenerator) {
        let whole = bench.map(message)
        let plans = Splits.plans(for: message.content.count, seed: generator.next(), random: 7)
        let plan = plans.dropFirst().randomElement(using: &generator)!
        let cut = bench.map(message, cut: plan)
        let text = String(decoding: message.content, as: UTF8.self)
        #expect(cut.failure == whole.failure, "\(text)")
        guard whole.failure == nil else { return }
        #expect(cut.json == whole.json, "\(text)")
        #expect(whole.object != nil, "\(text)")
        #expect(hasUniqueKeys((whole.isGroup ? [0x7B] : []) + whole.json), "\(text)")
        #expect(whole.object?["from"] is String)
        #expect(whole.isGroup || whole.object?["to"] is [String])
        #expect(bench.slabs.outstanding == 0)
    }

    private func damage(_ bytes: inout [UInt8], using generator: inout SeededGenerator) {
        let specials: [[UInt8]] = [
            [0], [0x0D], [0x0A], [0x22], [0x5C], [0xFF], [0xC3], [0xE2, 0x82], [0x2D, 0x2D],
            Array("\r\n\r\n".utf8), Array("\r\n--m\r\n".utf8), Array("\r\n--m--\r\n".utf8),
            Array("=?utf-8?q?=".utf8), Array("{\"a\":1,\"a\":2}".utf8), Array("boundary=".utf8),
        ]
        for _ in 0..<Int.random(in: 1...8, using: &generator) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.remove(at: at)
            case 2: bytes.insert(contentsOf: specials.randomElement(using: &generator)!, at: at)
            case 3:
                let end = min(bytes.count, at + Int.random(in: 0...200, using: &generator))
                bytes.insert(contentsOf: bytes[at..<end], at: at)
            default:
                let end = min(bytes.count, at + Int.random(in: 0...100, using: &generator))
                bytes.removeSubrange(at..<end)
            }
        }
    }

    /// Whether no object but `variables`, which is the sender's own, has a key twice.
    private func hasUniqueKeys(_ json: [UInt8]) -> Bool {
        var reader = JSONReader()
        var keys: [Set<[UInt8]>] = []
        while true {
            switch reader.next(json.span) {
            case .objectStart: keys.append([])
            case .objectEnd: keys.removeLast()
            case .key(let range):
                let key = Array(JSONReader.unescaped(json.span, range).utf8)
                guard keys[keys.count - 1].insert(key).inserted else { return false }
                if key == Array("variables".utf8) { _ = reader.skipValue(json.span) }
            case .end: return true
            case .invalid: return false
            default: continue
            }
        }
    }
}
