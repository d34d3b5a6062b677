// The abuse throttle: what an address and its network may do, and that the throttle forgets.

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

    @Test("Failed logins keep an address from questions for ten minutes, and not from connecting")
    func failedLogins() {
        let throttle = throttle { $0.failedLoginsPerAddressMax = 3 }
        let peer = address("192.0.2.1:1000")
        for _ in 0..<3 {
            #expect(throttle.mayLogIn(peer, at: start))
            throttle.loginFailed(peer, at: start)
        }
        #expect(!throttle.mayLogIn(peer, at: start.advanced(byMilliseconds: 599_000)))
        #expect(throttle.admits(peer, at: start), "a customer with a good key may be there too")
        #expect(throttle.mayLogIn(address("192.0.2.2:1"), at: start))
        #expect(throttle.mayLogIn(peer, at: start.advanced(byMilliseconds: 600_000)))
    }

    @Test("An address that has failed too often may not log in on connections that it has, either")
    func failedLoginsOfOpenConnections() {
        let throttle = throttle {
            $0.failedLoginsPerAddressMax = 2
            $0.failedLoginsPerPrefixMax = 3
        }
        let peer = address("192.0.2.1:1000")
        #expect(throttle.mayLogIn(peer, at: start))
        throttle.loginFailed(peer, at: start)
        #expect(throttle.mayLogIn(peer, at: start))
        throttle.loginFailed(peer, at: start)
        #expect(!throttle.mayLogIn(peer, at: start))
        #expect(throttle.mayLogIn(address("192.0.2.2:1"), at: start))
        throttle.loginFailed(address("192.0.2.3:1"), at: start)
        #expect(!throttle.mayLogIn(address("192.0.2.2:1"), at: start), "the network's share")
        #expect(throttle.mayLogIn(peer, at: start.advanced(byMilliseconds: 600_000)))
    }

    @Test("An address begins only so many handshakes a minute, and then has its share again")
    func handshakes() {
        let throttle = throttle { $0.handshakesPerAddressMax = 3 }
        let peer = address("192.0.2.1:1000")
        for _ in 0..<3 { #expect(throttle.admitsHandshake(peer, at: start)) }
        #expect(!throttle.admitsHandshake(peer, at: start.advanced(byMilliseconds: 59_999)))
        #expect(throttle.admitsHandshake(address("192.0.2.2:1"), at: start))
        #expect(throttle.admits(peer, at: start), "connections are counted apart")
        for _ in 0..<3 {
            #expect(throttle.admitsHandshake(peer, at: start.advanced(byMilliseconds: 60_000)))
        }
        #expect(!throttle.admitsHandshake(peer, at: start.advanced(byMilliseconds: 60_001)))
    }

    @Test("So does a network", arguments: networks)
    func handshakesOfNetwork(_ one: String, _ sameNetwork: String, _ otherNetwork: String) {
        let throttle = throttle { $0.handshakesPerPrefixMax = 1 }
        #expect(throttle.admitsHandshake(address(one), at: start))
        #expect(!throttle.admitsHandshake(address(sameNetwork), at: start))
        #expect(throttle.admitsHandshake(address(otherNetwork), at: start))
    }

    @Test("Ten workers that send without a pause meet no limit")
    func tenWorkers() {
        let throttle = throttle { _ in }
        let peer = address("192.0.2.1:1000")
        // Each opens a connection for every message, nine per second, and holds ten at a time. One
        // of them has a revoked key and tries it every ten seconds.
        for _ in 0..<90 { #expect(throttle.admits(peer, at: start)) }
        for second in 0..<1_200 {
            let now = start.advanced(byMilliseconds: second * 1_000)
            for _ in 0..<90 {
                #expect(throttle.admitsHandshake(peer, at: now))
                #expect(throttle.admits(peer, at: now))
                throttle.disconnected(peer, at: now)
            }
            if second % 10 == 0 { throttle.loginFailed(peer, at: now) }
            #expect(throttle.mayLogIn(peer, at: now))
        }
    }

    @Test("Failed logins of a whole network count together")
    func failedLoginsOfNetwork() {
        let throttle = throttle { $0.failedLoginsPerPrefixMax = 3 }
        for host in 1...3 { throttle.loginFailed(address("192.0.2.\(host):1"), at: start) }
        #expect(!throttle.mayLogIn(address("192.0.2.9:1"), at: start))
    }

    @Test("A client that left without a failure leaves no entry")
    func forgets() {
        let throttle = throttle { _ in }
        for host in 0..<200 {
            let peer = address("198.51.100.\(host):1")
            #expect(throttle.admits(peer, at: start))
            throttle.disconnected(peer, at: start)
        }
        #expect(throttle.entryCount == 0)
    }

    @Test("A flood of addresses that begin handshakes does not grow without bound")
    func boundedHandshakes() {
        let throttle = throttle { _ in }
        for network in 0..<400 {
            for host in 0..<250 {
                let peer = address("10.\(network / 256).\(network % 256).\(host):1")
                guard throttle.admitsHandshake(peer, at: start) else { break }
            }
        }
        #expect(throttle.entryCount <= 16 * (AbuseThrottle.entriesPerShardMax + 2))
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
