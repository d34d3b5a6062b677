// Searches in text that the header and charset code shares.

import CEpoll.Kernels

extension Span where Element == UInt8 {
    /// The end of the ASCII bytes from `start`.
    func asciiRun(from start: Int) -> Int {
        precondition(start >= 0 && start <= count)
        return withUnsafeBufferPointer { buffer in
            start + ck_find_high(buffer.baseAddress.map { $0 + start }, buffer.count - start)
        }
    }
}
