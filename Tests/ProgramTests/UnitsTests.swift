// Sizes and times as people write them.

import Testing

@testable import Program

struct UnitsTests {
    @Test(arguments: [
        ("0", 0), ("1", 1), ("512B", 512), ("4k", 4_096), ("64KB", 65_536), ("64KiB", 65_536),
        ("50MB", 52_428_800), ("50 MB", 52_428_800), ("2G", 2_147_483_648),
    ])
    func `sizes have binary units`(_ text: String, _ bytes: Int) {
        #expect(ByteSize(argument: text)?.bytes == bytes)
    }

    @Test(arguments: [
        "", "MB", "-1", "1.5MB", "5TB", "5x", "99999999999999999999", "9999999999999G",
    ])
    func `a text that is no size is refused`(_ text: String) {
        #expect(ByteSize(argument: text) == nil)
    }

    @Test(arguments: [
        ("0", 0), ("250ms", 250), ("60s", 60_000), ("5m", 300_000), ("5min", 300_000),
        ("2h", 7_200_000),
    ])
    func `times need a unit`(_ text: String, _ milliseconds: Int) {
        #expect(TimeSpan(argument: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: ["", "60", "s", "-5s", "1.5s", "5d", "99999999999999999999s"])
    func `a text that is no time is refused`(_ text: String) {
        #expect(TimeSpan(argument: text) == nil)
    }

    @Test(arguments: [(52_428_800, "50MB"), (262_144, "256KB"), (1_000, "1000"), (0, "0")])
    func `a size is shown in the largest unit that fits`(_ bytes: Int, _ text: String) {
        #expect(ByteSize(bytes: bytes).defaultValueDescription == text)
    }
}
