// One API key in memory, from AUTH until the last session or call that uses it lets go.
//
// The bytes live in one allocation that is wiped before it is freed. They can be written into a
// request head and nowhere else: no description, mirror, log or error shows them.

import Glibc
import Wire

/// One API key in memory: wiped when the last owner lets go; never printed.
///
/// `@unchecked`: nothing changes between `init` and `deinit`, so any thread may read it.
package final class APIKey: @unchecked Sendable {
    /// HMAC-SHA-256 under a random key made at start, cut to 128 bits: what caches are keyed by.
    package struct Hash: Hashable, Sendable {
        package var high: UInt64
        package var low: UInt64
    }

    /// A key of more bytes is not one; keeps request heads bounded.
    static let bytesMax = 512

    package let hash: Hash
    /// Whether it can be sent in a header at all.
    package let isWellFormed: Bool
    private let memory: UnsafeMutableBufferPointer<UInt8>

    /// - Parameter bytes: copied; the caller wipes its own.
    package init(_ bytes: Bytes) {
        let (high, low) = KeyedHash.hash(bytes)
        hash = Hash(high: high, low: low)
        isWellFormed = APIKey.isWellFormed(bytes)
        memory = .allocate(capacity: bytes.count)
        _ = bytes.withUnsafeBufferPointer { memory.initialize(from: $0) }
    }

    deinit {
        if let base = memory.baseAddress { explicit_bzero(base, memory.count) }
        memory.deallocate()
    }

    /// Bytes of the key.
    var byteCount: Int { memory.count }

    /// Writes the key's bytes (for the Authorization header only). False, and nothing written,
    /// when they do not fit or are not fit for a header.
    func write(into output: inout Region) -> Bool {
        guard isWellFormed, memory.count <= output.room else { return false }
        output.append(UnsafeBufferPointer(memory).span)
        return true
    }

    /// Whether it can be sent in a header at all: 1 to 512 visible ASCII characters (a stricter
    /// form of RFC 9110 5.5, which keeps CR, LF and spaces out of the request head).
    package static func isWellFormed(_ bytes: Bytes) -> Bool {
        guard bytes.count >= 1, bytes.count <= bytesMax else { return false }
        for index in bytes.indices where !(0x21...0x7E).contains(bytes[index]) { return false }
        return true
    }
}

extension APIKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "APIKey(hidden)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
