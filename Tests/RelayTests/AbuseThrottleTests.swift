// The abuse throttle: what an address and its network may do, and that it forgets.

import Reactor
import Testing

@testable import Relay

@Suite("Abuse throttle")
struct AbuseThrottleTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)

    private func address(_ text: String) -> SocketAddress {
        SocketAddress(text) ?? .none
    }

    private func throttle(_ change: (inout AbuseLimits) -> Void) -> AbuseThrottle {
        var limits = AbuseLimits()
        change(&limits)
        return AbuseThrottle(limits: limits)
    }

    @Test("An address has only so many connections, and gets a place back when one ends")
    func connections() {
        let throttle = throttle { $0.connectionsPerAddressMax = 2 }
        let peer = address("192.0.2.1:1000")
        #expect(throttle.admits(peer, at: start))
        #expect(throttle.admits(address("192.0.2.1:1001"), at: start))
        #expect(!throttle.admits(peer, at: start))
        #expect(throttle.admits(address("192.0.2.2:1000"), at: start))
        throttle.disconnected(peer, at: start)
        #expect(throttle.admits(peer, at: start))
    }

    static let networks = [
        ("192.0.2.1:1", "192.0.2.200:1", "192.0.3.1:1"),
        ("[2001:db8::1]:1", "[2001:db8::ffff:1]:1", "[2001:db8:0:1::1]:1"),
    ]

    @Test("A network has only so many, whichever of its addresses come", arguments: networks)
    func prefixes(_ one: String, _ sameNetwork: String, _ otherNetwork: String) {
        let throttle = throttle { $0.connectionsPerPrefixMax = 1 }
        #expect(throttle.admits(address(one), at: start))
        #expect(!throttle.admits(address(sameNetwork), at: start))
        #expect(throttle.admits(address(otherNetwork), at: start))
    }

    @Test("Failed logins turn an address away for ten minutes")
    func failedLogins() {
        let throttle = throttle { $0.failedLoginsPerAddressMax = 3 }
        let peer = address("192.0.2.1:1000")
        for _ in 0..<3 {
            #expect(throttle.admits(peer, at: start))
            throttle.loginFailed(peer, at: start)
            throttle.disconnected(peer, at: start)
        }
        #expect(!throttle.admits(peer, at: start.advanced(byMilliseconds: 599_000)))
        #expect(throttle.admits(address("192.0.2.2:1"), at: start))
        #expect(throttle.admits(peer, at: start.advanced(byMilliseconds: 600_000)))
    }

    @Test("Failed logins of a whole network count together")
    func failedLoginsOfNetwork() {
        let throttle = throttle { $0.failedLoginsPerPrefixMax = 3 }
        for host in 1...3 { throttle.loginFailed(address("192.0.2.\(host):1"), at: start) }
        #expect(!throttle.admits(address("192.0.2.9:1"), at: start))
    }

    @Test("Who left without a failure leaves no entry")
    func forgets() {
        let throttle = throttle { _ in }
        for host in 0..<200 {
            let peer = address("198.51.100.\(host):1")
            #expect(throttle.admits(peer, at: start))
            throttle.disconnected(peer, at: start)
        }
        #expect(throttle.entryCount == 0)
    }

    @Test("A flood of addresses that fail does not grow without bound")
    func bounded() {
        let throttle = throttle { _ in }
        for high in 0..<60 {
            for low in 0..<2_000 {
                let text = "[2001:db8::\(String(high, radix: 16)):\(String(low, radix: 16))]:1"
                let peer = address(text)
                guard throttle.admits(peer, at: start) else { break }
                throttle.loginFailed(peer, at: start)
                throttle.disconnected(peer, at: start)
            }
        }
        #expect(throttle.entryCount <= 16 * (AbuseThrottle.entriesPerShardMax + 2))
    }
}
