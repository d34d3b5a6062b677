// Whether a run of a parser takes linear time, without a limit in seconds: eight times the input
// must not take more than about eight times as long. Processor time of this thread, the best of
// several runs; what is quadratic takes sixty-four times as long and is told from noise.

import Glibc
import Testing

@testable import Wire

/// Repeats `part` up to `bytes` bytes after `prefix`.
func repeated(_ part: String, behind prefix: String = "", bytes: Int) -> [UInt8] {
    var value = prefix.bytes
    let unit = part.bytes
    while value.count < bytes { value += unit }
    return value
}

/// Expects `run` over 64 KiB, the longest header there is, to take no more than three times eight
/// times what it takes over 8 KiB.
func expectLinear(
    _ part: String, behind prefix: String = "", sourceLocation: SourceLocation = #_sourceLocation,
    _ run: ([UInt8]) -> Void
) {
    let small = repeated(part, behind: prefix, bytes: 8_192)
    let large = repeated(part, behind: prefix, bytes: 65_536)
    let noiseNanoseconds = 200_000
    let base = bestNanoseconds { run(small) }
    let grown = bestNanoseconds { run(large) }
    #expect(
        grown < 24 * (base + noiseNanoseconds), "\(part): \(base) ns, then \(grown) ns",
        sourceLocation: sourceLocation)
}

private func bestNanoseconds(_ run: () -> Void) -> Int {
    var best = Int.max
    for _ in 0..<3 {
        let start = threadNanoseconds()
        run()
        best = min(best, threadNanoseconds() - start)
    }
    return best
}

private func threadNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
