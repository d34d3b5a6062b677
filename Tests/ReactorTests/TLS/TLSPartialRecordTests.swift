// Records of TLS 1.2 that come in pieces: what OpenSSL gets is whole, complete and in order.

import TestSupport
import Testing

@testable import Reactor

@Suite("Records that come in pieces")
struct TLSPartialRecordTests {
    private static func record(_ bodyBytes: Int, _ random: inout SeededGenerator) -> [UInt8] {
        [23, 3, 3, UInt8(bodyBytes >> 8), UInt8(bodyBytes & 0xFF)] + random.bytes(bodyBytes)
    }

    /// What OpenSSL would get of `bytes`, piece by piece, by the rules of `TLSEngine.decrypt`.
    private static func feed(_ pieces: [ArraySlice<UInt8>]) -> (got: [[UInt8]], isKept: Bool) {
        var partial = TLSPartialRecord()
        var got: [[UInt8]] = []
        for piece in pieces {
            var input = Array(piece)
            while !input.isEmpty {
                let whole =
                    partial.isEmpty
                    ? input.withUnsafeBytes { TLSPartialRecord.wholeBytes($0) } : 0
                if whole > 0 {
                    got.append(Array(input[..<whole]))
                    input.removeFirst(whole)
                } else {
                    let (taken, record) = input.withUnsafeBytes { partial.take($0) }
                    if let record { got.append(record) }
                    input.removeFirst(taken)
                }
            }
        }
        return (got, !partial.isEmpty)
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `records are whole, however they are cut`(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var records: [[UInt8]] = []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let most = [0, 3, 300, 18_432].randomElement(using: &random) ?? 0
            records.append(Self.record(Int.random(in: 0...most, using: &random), &random))
        }
        let all = records.flatMap { $0 }
        var pieces: [ArraySlice<UInt8>] = []
        var start = 0
        while start < all.count {
            let most = [1, 7, 4_096].randomElement(using: &random) ?? 1
            let end = min(all.count, start + Int.random(in: 1...most, using: &random))
            pieces.append(all[start..<end])
            start = end
        }
        let (got, isKept) = Self.feed(pieces)
        #expect(got.flatMap { $0 } == all && !isKept)
        // Each piece that OpenSSL gets ends where a record ends.
        var ends: Set<Int> = []
        var end = 0
        for record in records {
            end += record.count
            ends.insert(end)
        }
        end = 0
        for piece in got {
            end += piece.count
            #expect(ends.contains(end))
        }
        let short = Self.feed([all[..<(all.count - 1)]])
        #expect(short.isKept, "the last record is kept back")
    }

    @Test func `a record that is too long goes on at once, to be refused`() {
        let header: [UInt8] = [23, 3, 3, 0xFF, 0xFF, 1, 2]
        #expect(header.withUnsafeBytes { TLSPartialRecord.wholeBytes($0) } == header.count)
        var partial = TLSPartialRecord()
        let first = header[..<3].withUnsafeBytes { partial.take($0) }
        #expect(first.taken == 3 && first.record == nil)
        let rest = header[3...].withUnsafeBytes { partial.take($0) }
        #expect(rest.taken == 2 && rest.record == Array(header[..<5]))
    }
}
