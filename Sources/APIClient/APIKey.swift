// One API key in memory, from AUTH until the last session or call that uses it lets go.
//
// The bytes are in one allocation, which is wiped before it is freed. They can be written into a
// request head and nowhere else: no description, mirror, log or error shows them.

import COpenSSL
import Glibc
import Wire

/// One API key in memory: wiped when its last owner lets go, never printed.
///
/// `@unchecked`: nothing changes between `init` and `deinit`, so any thread may read it.
package final class APIKey: @unchecked Sendable {
    /// HMAC-SHA-256 under a random key of this process, cut to 128 bits; caches use it as their key.
    package struct Hash: Hashable, Sendable {
        package var high: UInt64
        package var low: UInt64
    }

    /// A longer text is no key; this keeps request heads bounded.
    static let bytesMax = 512

    package let hash: Hash
    /// Whether the key can be sent in a header.
    package let isWellFormed: Bool
    private let memory: UnsafeMutableBufferPointer<UInt8>

    /// - Parameter bytes: copied; the caller wipes its own copy.
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

    /// How operators name the key: the first 64 bits of its SHA-256. Keys are random, so it does not
    /// lead back to one.
    package var publicHash: UInt64 { Self.publicHash(of: UnsafeBufferPointer(memory).span) }

    /// The same of a key that is not in memory of its own; read during this call only.
    package static func publicHash(of key: Bytes) -> UInt64 {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { digest in
            _ = key.withUnsafeBufferPointer {
                SHA256($0.baseAddress, $0.count, digest.baseAddress)
            }
            return digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    /// Bytes of the key.
    var byteCount: Int { memory.count }

    /// Writes the key's bytes (for the Authorization header only).
    /// - Returns: false, and nothing is written, when they don't fit or can't stand in a header.
    func write(into output: inout Region) -> Bool {
        guard isWellFormed, memory.count <= output.room else { return false }
        output.append(UnsafeBufferPointer(memory).span)
        return true
    }

    /// Whether `text` repeats the key.
    package func isPart(of text: String) -> Bool {
        memory.count > 0 && Array(text.utf8).firstRange(of: memory) != nil
    }

    /// Whether a key can be sent in a header: 1 to 512 visible ASCII characters. Stricter than
    /// RFC 9110 5.5; it keeps CR, LF and spaces out of the request head.
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
