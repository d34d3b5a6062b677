// Where receives end: after a few of them no record is cut, whatever the records' length and wherever the
// first receive has ended.

import Testing

@testable import Reactor

@Suite struct ReceiveSideTests {
    private static let most = Stream.receiveBytesMax

    /// What the engine says after `received` bytes of records of the same length.
    private static func cut(after received: Int, records: Int) -> TLSRecordCut {
        let missing = received % records == 0 ? 0 : records - received % records
        return TLSRecordCut(recordBytes: records, missingBytes: missing)
    }

    @Test(arguments: [23, 100, 1_046, 4_118, 8_214, 16_000, 16_406], [0, 1, 5, 4_000, 16_405])
    func `the second full receive ends where a record does`(_ records: Int, _ first: Int) {
        var side = ReceiveSide()
        var received = first
        for index in 0..<5 {
            let limit = side.limit
            #expect(limit > Self.most - records && limit <= Self.most)
            received += limit
            let cut = Self.cut(after: received, records: records)
            if index > 0 { #expect(cut.missingBytes == 0) }
            if let next = side.nextLimit(after: limit, in: cut, .known) {
                #expect(next != limit)
                side.limited(to: next)
            }
        }
    }

    @Test func `full records fill a receive that began with one`() {
        let side = ReceiveSide()
        let cut = Self.cut(after: Self.most, records: 16_406)
        #expect(cut.missingBytes == 0)
        #expect(side.nextLimit(after: Self.most, in: cut, .known) == nil)
    }

    @Test func `a receive that was not full changes nothing`() {
        let side = ReceiveSide()
        let cut = Self.cut(after: 20_000, records: 16_406)
        #expect(side.nextLimit(after: 20_000, in: cut, .known) == nil)
    }

    @Test func `records that are longer than a receive are cut`() {
        var side = ReceiveSide()
        side.limited(to: 4_096)
        let cut = TLSRecordCut(recordBytes: 16_406, missingBytes: 12_310)
        #expect(side.nextLimit(after: 4_096, in: cut, .stranger) == nil)
    }

    @Test func `without records of ours there is no other limit`() {
        let side = ReceiveSide()
        #expect(side.nextLimit(after: Self.most, in: nil, .known) == nil)
    }
}
