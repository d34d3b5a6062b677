import Testing

@testable import Reactor

/// Blocks of addresses as flags name them.
@Suite struct AddressBlockTests {
    @Test(arguments: [
        ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.3.0", "192.0.1.255", "[::1]"]),
        ("192.0.2.7", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
        ("192.0.2.128/25", ["192.0.2.128", "192.0.2.200"], ["192.0.2.127"]),
        ("0.0.0.0/0", ["1.2.3.4", "255.255.255.255"], ["[::1]", "[2001:db8::1]"]),
        ("2001:db8::/32", ["[2001:db8::1]", "[2001:db8:ffff::]"], ["[2001:db9::]", "192.0.2.1"]),
        ("2001:db8::/65", ["[2001:db8::7fff:0:0:1]"], ["[2001:db8:0:0:8000::]"]),
        ("2001:db8::/64", ["[2001:db8::1]"], ["[2001:db8:0:1::]"]),
        ("::1", ["[::1]"], ["[::2]", "127.0.0.1"]), ("::/0", ["[::1]", "[ff::]"], ["127.0.0.1"]),
    ])
    func `a block contains the addresses of its prefix`(
        _ text: String, _ inside: [String], _ outside: [String]
    ) throws {
        let block = try #require(AddressBlock(text))
        for host in inside {
            #expect(block.contains(try #require(SocketAddress("\(host):25"))), "\(host)")
        }
        for host in outside {
            #expect(!block.contains(try #require(SocketAddress("\(host):25"))), "\(host)")
        }
        #expect(AddressBlock(block.description) == block)
    }

    @Test(arguments: [
        "", "/", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/+1", "192.0.2/24",
        "192.0.2.1/24", "2001:db8::1/64", "2001:db8::/129", "[2001:db8::]/32", "host/8",
        "192.0.2.0/24/1", "::ffff:192.0.2.1", "10.0.0.1:25",
    ])
    func `an invalid block is refused`(_ text: String) {
        #expect(AddressBlock(text) == nil)
    }

    @Test func `an IPv4 address that came through IPv6 is in its block`() throws {
        let block = try #require(AddressBlock("192.0.2.0/24"))
        #expect(block.contains(SocketAddress(high: 0, low: 0xFFFF_C000_0201, port: 1)))
    }
}
