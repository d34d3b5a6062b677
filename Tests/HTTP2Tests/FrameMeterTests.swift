import TestSupport
import Testing

@testable import HTTP2

@Suite struct FrameMeterTests {
    @Test("The frame that is too much is the same one, however the bytes are cut")
    func cutAnywhere() {
        var bytes = [UInt8](repeating: 0x50, count: 24)
        for number in 0..<130 {
            bytes += [0, 0, UInt8(number % 7), 0, 1, 0, 0, 0, 1]
            bytes += [UInt8](repeating: 9, count: number % 7)
            bytes += [0, 0, 0, 0, 0, 0, 0, 0, 1]
        }
        func fault(_ plan: [Int]) -> (HTTP2Flood, Int)? {
            var meter = FrameMeter(readsPreface: true)
            var offset = 0
            for length in plan {
                let piece = bytes.span.extracting(offset..<offset + length)
                if let fault = meter.take(piece, now: 0) {
                    // A head that was cut began before the input.
                    return (fault.flood, max(offset + fault.offset, 0))
                }
                offset += length
            }
            return nil
        }
        let whole = fault([bytes.count])
        #expect(whole?.0 == .emptyData)
        for plan in Splits.plans(for: bytes.count) {
            let found = fault(plan)
            #expect(found?.0 == .emptyData)
            // Within the nine bytes of the same head.
            #expect(found.map { (0...8).contains($0.1 - (whole?.1 ?? 0)) } == true)
        }
    }

    @Test(
        "A few frames that bring nothing may come with each stream, however many streams there are")
    func earned() {
        let ping: [UInt8] = [0, 0, 8, 6, 0, 0, 0, 0, 0] + [UInt8](repeating: 1, count: 8)
        let reserved: [UInt8] = [0, 0, 1, 0x7E, 0, 0, 0, 0, 1, 7]
        let empty: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 1]
        let padded: [UInt8] = [0, 0, 3, 0, 8, 0, 0, 0, 1, 1, 7, 0]
        let answer = ping + reserved + empty + padded + padded
        var meter = FrameMeter(readsPreface: false)
        for _ in 0..<5_000 {
            meter.earnStream()
            for _ in 0..<20 { #expect(meter.countInterim(now: 0) == nil) }
            #expect(meter.take(answer.span, now: 0) == nil)
        }
        // What was earned is not kept beyond what is allowed at once.
        var count = 0
        while count < 5_000, meter.take(ping.span, now: 0) == nil { count += 1 }
        #expect((900...1_000).contains(count))
    }

    @Test("So many at once, so many a second, and what is earned")
    func allowance() {
        var allowance = Allowance(most: 10, perSecond: 2)
        let second: UInt64 = 1_000_000_000
        func take(_ now: UInt64) -> Bool { allowance.take(now: now) }
        for _ in 0..<10 { #expect(take(second)) }
        #expect(!take(second))
        #expect(!take(second + second / 2 - 1))
        #expect(take(second + second / 2))
        #expect(!take(second + second / 2))
        allowance.earn(2)
        #expect(take(0) && take(0))
        #expect(!take(0), "a clock that goes back brings nothing")
        for _ in 0..<10 { #expect(take(1_000 * second)) }
        #expect(!take(1_000 * second))
        #expect(take(.max))
    }
}
