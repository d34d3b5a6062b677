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
        let first = try #require(keys.rotate(now: Self.begin))
        #expect(first.name.count == 16 && first.cipherKey.count == 32 && first.macKey.count == 32)
        #expect(keys.rotate(now: Self.after(lifetimes: 0.9))?.name == first.name)
        let second = try #require(keys.rotate(now: Self.after(lifetimes: 1)))
        #expect(second.name != first.name && second.cipherKey != first.cipherKey)
        #expect(keys.previous?.name == first.name)
        let third = try #require(keys.rotate(now: Self.after(lifetimes: 2)))
        #expect(keys.previous?.name == second.name && third.name != second.name)
    }

    @Test func `after a long silence no old key opens anything`() throws {
        var keys = TLSTicketKeys()
        _ = keys.rotate(now: Self.begin)
        _ = keys.rotate(now: Self.after(lifetimes: 5))
        #expect(keys.previous == nil)
    }
}
