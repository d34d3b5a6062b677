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

    @Test func `after a long silence no old key opens a ticket`() throws {
        var keys = TLSTicketKeys()
        _ = keys.rotate(now: Self.begin)
        _ = keys.rotate(now: Self.after(lifetimes: 5))
        #expect(keys.previous == nil)
    }

    @Test func `the first key of a file seals for an unlimited time`() throws {
        let bytes = (0..<160).map { UInt8($0) }
        var keys = TLSTicketKeys()
        let ownKey = keys.rotate(now: Self.begin)
        let own = try #require(ownKey)
        keys.use(try TLSTicketKeys.read(bytes))
        #expect(keys.given.map { Int($0.name[0]) } == [0, 80])
        #expect(
            keys.given[1].macKey == Array(96..<128) && keys.given[1].cipherKey == Array(128..<160))
        let sealing = keys.rotate(now: Self.after(lifetimes: 9))
        #expect(sealing?.name == Array(0..<16))
        keys.use([])
        let again = keys.rotate(now: Self.begin)
        #expect(again?.name == own.name)
    }

    @Test(arguments: [0, 1, 79, 81, 159, 17 * 80])
    func `a file of any other size is refused, and nothing changes`(_ count: Int) throws {
        let tickets = TLSTickets()
        try tickets.use([UInt8](repeating: 7, count: 80))
        #expect(throws: TLSError.self) { try tickets.use([UInt8](repeating: 8, count: count)) }
        #expect(tickets.keys.withLock { $0.given.map { $0.name[0] } } == [7])
    }
}
