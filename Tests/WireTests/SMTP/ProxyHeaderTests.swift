// PROXY headers: both versions, whole and cut everywhere; which are bad, and how soon that is
// noticed.

import TestSupport
import Testing

@testable import Wire

private func read(
    _ bytes: [UInt8], _ plan: [Int]
) -> (used: Int, step: ProxyHeaderReader.Step) {
    var reader = ProxyHeaderReader()
    var used = 0
    for piece in bytes.pieces(plan) {
        let (count, step) = reader.take(piece.span)
        used += count
        if step != .needsInput { return (used, step) }
    }
    return (used, .needsInput)
}

/// What the reader finds in `bytes`, which must not depend on how they are cut.
private func outcome(_ bytes: [UInt8]) -> (used: Int, step: ProxyHeaderReader.Step) {
    let whole = read(bytes, [bytes.count])
    for plan in Splits.everyCut(of: bytes.count) + Splits.plans(for: bytes.count) {
        let cut = read(bytes, plan)
        #expect(cut.used == whole.used && cut.step == whole.step)
    }
    return whole
}

private let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

/// A header of version 2; `command` and `family` are the bytes that it holds.
private func block(_ command: UInt8, _ family: UInt8, _ rest: [UInt8]) -> [UInt8] {
    signature + [command, family, UInt8(rest.count >> 8), UInt8(rest.count & 255)] + rest
}

private let ipv4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x67, 0x02, 0x4B]
private let ipv6: [UInt8] =
    [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]
    + [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [2] + [0x12, 0x67, 0x02, 0x4B]

private let proxiedIPv4 = ProxyHeader.proxied(
    source: ProxyEndpoint(ipv4: 0xC000_0201, port: 4_711),
    destination: ProxyEndpoint(ipv4: 0xC633_6402, port: 587))
private let proxiedIPv6 = ProxyHeader.proxied(
    source: ProxyEndpoint(high: 0x2001_0DB8_0000_0000, low: 1, port: 4_711),
    destination: ProxyEndpoint(high: 0x2001_0DB8_0000_0000, low: 2, port: 587))

@Suite struct ProxyHeaderTests {
    @Test(arguments: [
        ("PROXY TCP4 192.0.2.1 198.51.100.2 4711 587\r\n", proxiedIPv4),
        ("PROXY TCP6 2001:db8::1 2001:db8::2 4711 587\r\n", proxiedIPv6),
        ("PROXY UNKNOWN\r\n", .local),
        ("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", .local),
    ])
    func `a line ends with its CRLF, and the bytes after it stay`(
        _ line: String, _ header: ProxyHeader
    ) {
        let (used, step) = outcome((line + "EHLO a\r\n").bytes)
        #expect(step == .done(header) && used == line.utf8.count)
    }

    @Test(arguments: [
        "PROXY TCP4 192.0.2.1 198.51.100.2 4711 587\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 4711\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 4711 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 04711 587\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 -1 587\r\n", "PROXY TCP4 192.0.2.1 198.51.100.2  1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 4711 587 \r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.2 4711 587\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 4711 587\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.2 4711 587\r\n",
        "PROXY TCP6 2001:db8::1%1 2001:db8::2 4711 587\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.2 4711 587\r\n", "PROXY \r\n", "PROXY UNKNOWNX\r\n",
        "PROXY TCP4 192.0.2.1\0 198.51.100.2 4711 587\r\n",
    ])
    func `a line that is not exactly right is bad`(_ line: String) {
        #expect(outcome(line.bytes).step == .bad(.malformed))
    }

    @Test(arguments: [
        ("EHLO client.test\r\n", 1), ("proxy TCP4", 1), ("PROXX", 5), ("PROXY\tTCP4", 6),
        ("\r\n\r\n\0\r\nQUIX", 11), ("\r\rPROXY", 2), ("\u{16}\u{3}\u{1}", 1), ("\0", 1),
    ])
    func `bytes that are no header are noticed at the first wrong one`(_ text: String, _ used: Int)
    {
        let found = outcome(text.bytes)
        #expect(found.step == .bad(.noHeader) && found.used == used)
    }

    @Test func `a line has 107 bytes at most`() {
        let longest = "PROXY UNKNOWN " + String(repeating: "x", count: 91) + "\r\n"
        #expect(longest.utf8.count == ProxyHeaderReader.lineBytesMax)
        #expect(outcome(longest.bytes).step == .done(.local))
        let longer = "PROXY UNKNOWN " + String(repeating: "x", count: 500) + "\r\n"
        let found = outcome(longer.bytes)
        #expect(found.step == .bad(.tooLong) && found.used == ProxyHeaderReader.lineBytesMax)
    }

    @Test(
        arguments: [
            (block(0x21, 0x11, ipv4), proxiedIPv4), (block(0x21, 0x21, ipv6), proxiedIPv6),
            (block(0x20, 0x00, []), .local), (block(0x20, 0x11, ipv4), .local),
            // The addresses of a LOCAL header are ignored, even unreadable ones.
            (block(0x20, 0x11, [1, 2]), .local), (block(0x20, 0xFF, [1, 2, 3]), .local),
            (block(0x21, 0x00, []), .local), (block(0x21, 0x00, [4, 0, 1, 0]), .local),
            (block(0x21, 0x31, [UInt8](repeating: 0x61, count: 216)), .local),
            // TLVs: a NOOP, an authority of two bytes, one that is empty.
            (
                block(0x21, 0x11, ipv4 + [4, 0, 2, 0, 0, 2, 0, 2, 0x61, 0x62, 0xEE, 0, 0]),
                proxiedIPv4
            ),
        ] as [([UInt8], ProxyHeader)])
    func `a block has its length, and the bytes after it stay`(
        _ bytes: [UInt8], _ header: ProxyHeader
    ) {
        let (used, step) = outcome(bytes + [0x16, 3, 1])
        #expect(step == .done(header) && used == bytes.count)
    }

    @Test(
        arguments: [
            (block(0x11, 0x11, ipv4), .version), (block(0x22, 0x11, ipv4), .version),
            (block(0x21, 0x12, ipv4), .family), (block(0x21, 0x41, ipv4), .family),
            (block(0x21, 0x11, Array(ipv4.dropLast())), .malformed),
            (block(0x21, 0x21, ipv4), .malformed),
            (block(0x21, 0x11, ipv4 + [4]), .malformed),
            (block(0x21, 0x11, ipv4 + [4, 0, 3, 0, 0]), .malformed),
            (block(0x21, 0x11, ipv4 + [3, 0, 3, 0, 0, 0]), .malformed),
            (block(0x21, 0x11, ipv4 + [3, 0, 4, 0, 0, 0, 0]), .checksum),
            (signature + [0x21, 0x11, 0xFF, 0xFF], .tooLong),
        ] as [([UInt8], ProxyHeaderError)])
    func `a block that is not right is bad`(_ bytes: [UInt8], _ error: ProxyHeaderError) {
        #expect(outcome(bytes).step == .bad(error))
    }

    @Test func `a checksum is checked over the whole header`() {
        #expect(ProxyBlock.crc32c("123456789".bytes) == 0xE306_9283)
        var bytes = block(0x21, 0x11, ipv4 + [3, 0, 4, 0, 0, 0, 0] + [4, 0, 1, 9])
        let sum = ProxyBlock.crc32c(bytes)
        let place = 16 + 12 + 3
        for index in 0..<4 { bytes[place + index] = UInt8(sum >> (24 - 8 * index) & 255) }
        #expect(outcome(bytes).step == .done(proxiedIPv4))
        for index in [17, 24, place, bytes.count - 1] {
            var damaged = bytes
            damaged[index] ^= 1
            #expect(outcome(damaged).step == .bad(.checksum))
        }
    }

    @Test func `a block of 4,096 bytes is the longest`() {
        let rest = ProxyHeaderReader.binaryBytesMax - 16 - 12 - 3
        let filler = [4, UInt8(rest >> 8), UInt8(rest & 255)] + [UInt8](repeating: 0, count: rest)
        let bytes = block(0x21, 0x11, ipv4 + filler)
        #expect(read(bytes, [bytes.count]).step == .done(proxiedIPv4))
        #expect(read(bytes, Array(repeating: 1, count: bytes.count)).step == .done(proxiedIPv4))
    }

    @Test func `any input ends within its bound`() {
        var random = SeededGenerator(seed: 7)
        let starts = ["PROXY TCP4 ".bytes, signature + [0x21, 0x11], signature + [0x21], []]
        for start in starts {
            for _ in 0..<500 {
                let bytes = start + random.bytes(5_000)
                let found = read(bytes, [bytes.count])
                #expect(found.step != .needsInput)
                #expect(found.used <= ProxyHeaderReader.binaryBytesMax)
            }
        }
    }
}
