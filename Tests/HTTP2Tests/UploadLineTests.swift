// How much of a connection's window uploads leave to small bodies.

import Testing

@testable import HTTP2

@Suite("The window that uploads leave")
struct UploadLineTests {
    @Test(
        "half of a small window, some megabytes of a large one",
        arguments: [
            (65_535, 32_767, true), (65_535, 32_766, false), (1 << 20, 1 << 19, true),
            (1 << 20, (1 << 19) - 1, false), (Int(Int32.max), 1 << 30, true),
            (Int(Int32.max), 4 << 20, true), (Int(Int32.max), (4 << 20) - 1, false),
        ])
    func reserve(window: Int, left: Int, mayUse: Bool) {
        var line = UploadLine()
        line.see(window: window)
        #expect(line.mayUse(window: left) == mayUse)
    }
}
