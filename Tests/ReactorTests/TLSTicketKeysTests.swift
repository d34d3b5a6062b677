import Testing

@testable import Reactor

@Suite struct TLSTicketKeysTests {
    private static let begin = MonotonicTime(nanoseconds: 1_000_000_000)

    private static func after(lifetimes: Double) -> MonotonicTime {
        begin.advanced(
            byMilliseconds: Int(Double(TLSTicketKeys.lifetimeMilliseconds) * lifetimes))
    }

    @Test func `a key seals for one lifetime and opens for another`() throws {
        var keys = TLSTicketKeys()
        let firstKey = keys.rotate(now: Self.begin)
        let first = try #require(firstKey)
        #expect(first.name.count == 16 && first.cipherKey.count == 32 && first.macKey.count == 32)
        let same = keys.rotate(now: Self.after(lifetimes: 0.9))
        #expect(same?.name == first.name)
        let secondKey = keys.rotate(now: Self.after(lifetimes: 1))
        let second = try #require(secondKey)
        #expect(second.name != first.name && second.cipherKey != first.cipherKey)
        #expect(keys.previous?.name == first.name)
        let thirdKey = keys.rotate(now: Self.after(lifetimes: 2))
        let third = try #require(thirdKey)
        #expect(keys.previous?.name == second.name && third.name != second.name)
    }

    @Test func `after a long silence no old key opens anything`() throws {
        var keys = TLSTicketKeys()
        _ = keys.rotate(now: Self.begin)
        _ = keys.rotate(now: Self.after(lifetimes: 5))
        #expect(keys.previous == nil)
    }
}
