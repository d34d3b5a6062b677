import Glibc
import Testing

@testable import Reactor

@Suite struct SocketAddressTests {
    @Test(arguments: [
        "0.0.0.0:587", "[::]:465", "127.0.0.1:0", "[2001:db8::1]:65535", "192.0.2.255:25",
    ])
    func `an address is printed as it was written`(_ text: String) {
        #expect(SocketAddress(text)?.description == text)
    }

    @Test(arguments: [
        "", ":", "25", "localhost:25", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:+5",
        "1.2.3.4:-1", "1.2.3:25", "::1:25", "[::1]", "[::1]25", "[1.2.3.4]:25", "[::1:25",
        "1.2.3.4:25 ", "[]:25",
    ])
    func `anything else is refused`(_ text: String) {
        #expect(SocketAddress(text) == nil)
    }

    @Test func `IPv4 inside IPv6 is the IPv4 address`() throws {
        let mapped = try #require(SocketAddress("[::ffff:192.0.2.7]:25"))
        #expect(mapped == SocketAddress("192.0.2.7:25"))
        #expect(mapped.description == "192.0.2.7:25" && !mapped.isIPv6)
        #expect(mapped.addressBits == (0, 0xFFFF_C000_0207))
    }

    @Test(arguments: [
        ("127.0.0.1:1", true), ("127.255.0.9:1", true), ("[::1]:1", true), ("128.0.0.1:1", false),
        ("[::]:1", false), ("[::2]:1", false), ("[::ffff:127.0.0.1]:1", true),
    ])
    func `loopback addresses are recognised`(_ text: String, _ isLoopback: Bool) {
        #expect(SocketAddress(text)?.isLoopback == isLoopback)
    }

    @Test func `the bits are the address, most significant first`() throws {
        let address = try #require(SocketAddress("[2001:db8:1:2:3:4:5:6]:25"))
        #expect(address.addressBits == (0x2001_0db8_0001_0002, 0x0003_0004_0005_0006))
        #expect(address.port == 25 && address.host == "2001:db8:1:2:3:4:5:6")
    }

    @Test func `the kernel's form leads back to the same address`() {
        for text in ["192.0.2.1:4711", "[2001:db8::1]:4711"] {
            let address = SocketAddress(text)
            let back = address?.withSockaddr { raw, size in
                var storage = sockaddr_storage()
                memcpy(&storage, raw, Int(size))
                return SocketAddress(storage)
            }
            #expect(back == address)
        }
    }

    @Test func `numeric names resolve without a server`() throws {
        let found = try SocketAddress.resolve(host: "127.0.0.1", port: 25)
        #expect(found.map(\.description) == ["127.0.0.1:25"])
        #expect(throws: ResolveError.self) {
            try SocketAddress.resolve(host: "no such name", port: 25)
        }
    }
}
