// Shared by the tests of this module: the pieces of an input, and a driver that runs a transform over
// any cut with regions of any size.

@testable import Wire

extension Array where Element == UInt8 {
    /// The pieces of these bytes that `plan` asks for.
    func pieces(_ plan: [Int]) -> [[UInt8]] {
        var at = 0
        return plan.map { length in
            defer { at += length }
            return Array(self[at..<at + length])
        }
    }

    /// These bytes as text, for messages and comparisons that a person can read.
    var text: String { String(decoding: self, as: UTF8.self) }
}

extension String {
    var bytes: [UInt8] { Array(utf8) }
}

/// What `body` writes into a fresh region of `capacity` bytes.
func written(capacity: Int, _ body: (inout Region) -> Void) -> [UInt8] {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(capacity, 1)) { memory in
        var region = Region(UnsafeMutableBufferPointer(rebasing: memory[0..<capacity]))
        body(&region)
        return region.bytes.copied()
    }
}

/// Runs a transform over `input` cut by `plan`, with regions of `regionBytes` bytes, and returns
/// all that it wrote; nil when it neither takes input nor writes.
func transformed(
    _ input: [UInt8], plan: [Int], regionBytes: Int,
    feed: (Bytes, inout Region) -> Int, finish: (inout Region) -> Bool
) -> [UInt8]? {
    var output: [UInt8] = []
    for piece in input.pieces(plan) {
        var taken = 0
        while taken < piece.count {
            var now = 0
            let some = written(capacity: regionBytes) { region in
                now = feed(piece.span.extracting(taken..<piece.count), &region)
            }
            if now == 0 && some.isEmpty { return nil }
            taken += now
            output += some
        }
    }
    var isDone = false
    while !isDone {
        let some = written(capacity: regionBytes) { isDone = finish(&$0) }
        if !isDone && some.isEmpty { return nil }
        output += some
    }
    return output
}
