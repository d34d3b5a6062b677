// Whether work grows with its input and not with the square of it, without a limit in seconds.
//
// Processor time of this thread for an input and for one of four times its length: linear work takes
// four times as long, quadratic work sixteen times. The fastest of several runs counts, and one of
// several comparisons must succeed, so a busy machine makes no difference.

import Glibc
import Testing

/// Whether `work` takes less than nine times as long for `count` × 4 as for `count`.
///
/// - Parameters:
///   - make: an input of about this many bytes; making it is not measured.
///   - work: what is measured.
func growsLinearly<Input>(
    from count: Int, make: (Int) -> Input, work: (Input) -> Void
) -> Bool {
    let (small, large) = (make(count), make(4 * count))
    for _ in 0..<6 {
        let few = (0..<3).map { _ in threadNanoseconds { work(small) } }.min() ?? 0
        // The second run of the large input counts only where the first was too slow.
        for _ in 0..<2 where threadNanoseconds({ work(large) }) < 9 * few { return true }
    }
    return false
}

/// Expects `run` to take linear time for `part` again and again after `prefix`, up to 64 KiB, the
/// longest header that a message may have.
func expectLinear(
    _ part: String, after prefix: String = "", sourceLocation: SourceLocation = #_sourceLocation,
    _ run: ([UInt8]) -> Void
) {
    let isLinear = growsLinearly(
        from: 16_384, make: { prefix.bytes + repeated(part, $0) }, work: run)
    #expect(isLinear, "\(part)", sourceLocation: sourceLocation)
}

private func threadNanoseconds(_ work: () -> Void) -> Int {
    func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
    let start = now()
    work()
    return now() - start
}

/// `unit` again and again, `count` bytes or a few less.
func repeated(_ unit: String, _ count: Int) -> [UInt8] {
    String(repeating: unit, count: count / unit.utf8.count).bytes
}

/// Pieces of `length` bytes that add up to `count`.
func evenPieces(of count: Int, _ length: Int) -> [Int] {
    [Int](repeating: length, count: count / length) + [count % length]
}
