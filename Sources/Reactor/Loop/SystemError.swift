// A failed system call in the words that an operator needs: which call, on what, why.
//
// Only set-up throws it. On the data path the same numbers travel as results.

import Glibc

/// A failed system call: what was tried, on what, and `errno`.
public struct SystemError: Error, Sendable, CustomStringConvertible {
    /// The call and its object: "bind 0.0.0.0:25".
    public let operation: String
    /// The kernel's error number.
    public let errno: Int32

    /// - Parameters:
    ///   - operation: the call and its object, as the description shows them.
    ///   - errno: the kernel's error number, positive.
    public init(operation: String, errno: Int32) {
        self.operation = operation
        self.errno = errno
    }

    /// "bind 0.0.0.0:25: Permission denied".
    public var description: String { "\(operation): \(SystemError.text(errno))" }

    /// The system's words for an error number.
    public static func text(_ errno: Int32) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let start = buffer.baseAddress else { return "error \(errno)" }
            start.initialize(repeating: 0, count: buffer.count)
            strerror_r(errno, start, buffer.count)
            return String(cString: start)
        }
    }
}
