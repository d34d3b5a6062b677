// How old an idle connection may be: what the API says, what it does, and what connections show.

import Testing

@testable import APIClient

@Suite("Idle limit")
struct IdleLimitTests {
    private static let second: UInt64 = 1_000_000_000

    enum Event {
        case said(Int)
        case closed(UInt64)
        case outlived(UInt64)
        case lived
    }

    static let rows: [(events: [Event], milliseconds: UInt64?, isKnown: Bool)] = [
        ([], 2_000, false),
        ([.said(60)], 59_000, true),
        ([.said(1)], 500, true),
        ([.said(0)], 0, true),
        ([.said(60), .said(5)], 4_000, true),
        ([.closed(10 * second)], 9_000, true),
        ([.closed(second / 2)], 250, true),
        ([.said(60), .closed(10 * second)], 9_000, true),
        // A restart closes young connections; one that grows older counts more.
        ([.closed(second / 100), .outlived(4 * second)], 3_000, true),
        ([.closed(4 * second), .outlived(second)], 3_000, true),
        ([.closed(4 * second), .closed(6 * second)], 5_000, true),
        // An API that looks once a second closes at its limit or up to a second later.
        ([.closed(2_900 * second / 1_000), .closed(2 * second)], 1_000, true),
        ([.closed(2 * second), .closed(2_900 * second / 1_000)], 1_000, true),
        ([.closed(2 * second), .outlived(2_900 * second / 1_000)], 1_000, true),
        ([.closed(2 * second), .outlived(3_100 * second / 1_000)], 2_100, true),
        ([.closed(second), .lived], nil, true),
        ([.lived, .closed(10 * second)], 9_000, true),
        ([.said(5), .lived], 4_000, true),
        ([.outlived(10 * second)], 2_000, false),
    ]

    @Test("The limit is the shortest that is known, less a margin", arguments: rows)
    func table(_ row: (events: [Event], milliseconds: UInt64?, isKnown: Bool)) {
        var limit = IdleLimit()
        for event in row.events {
            switch event {
            case .said(let seconds): limit.said(seconds: seconds)
            case .closed(let age): limit.closed(afterNanoseconds: age)
            case .outlived(let age): limit.outlived(nanoseconds: age)
            case .lived: limit.livedToTheEnd()
            }
        }
        #expect(limit.nanoseconds == row.milliseconds.map { $0 * 1_000_000 } ?? .max)
        #expect(limit.isKnown == row.isKnown)
    }

    @Test("Connections that have carried no call have a limit of their own once one is known")
    func fresh() {
        var limits = IdleLimits()
        limits.said(seconds: 5)
        #expect(limits[isFresh: true] == limits[isFresh: false])
        limits.outlived(isFresh: true, nanoseconds: 60 * Self.second)
        #expect(limits[isFresh: true].nanoseconds == 4 * Self.second, "said, but of others")
        limits.closed(isFresh: true, afterNanoseconds: 60 * Self.second)
        #expect(limits[isFresh: true].nanoseconds == 59 * Self.second)
        #expect(limits[isFresh: false].nanoseconds == 4 * Self.second)
        limits.livedToTheEnd(isFresh: true)
        #expect(limits[isFresh: true].nanoseconds == .max)
        limits.closed(isFresh: false, afterNanoseconds: 3 * Self.second)
        #expect(limits[isFresh: true].nanoseconds == .max)
        #expect(limits[isFresh: false].nanoseconds == 2 * Self.second)
    }
}
