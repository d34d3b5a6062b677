// Names for secrets: HMAC-SHA-256 (RFC 2104) under a key that this process draws for itself.
//
// The key is drawn once and never leaves the process, so a hash that leaks from a core or a log
// can't be tried against a list of API keys, and hashes of two runs can't be compared.

import COpenSSL
import Glibc
import Wire

/// Makes keyed hashes, cut to 128 bits.
package enum KeyedHash {
    private static let secretBytes = 32

    /// Drawn at the first use; a process without randomness must not run.
    private static let secret: [UInt8] = {
        var bytes = [UInt8](repeating: 0, count: secretBytes)
        let status = bytes.withUnsafeMutableBufferPointer {
            RAND_bytes($0.baseAddress, Int32($0.count))
        }
        precondition(status == 1, "OpenSSL has no random bytes")
        return bytes
    }()

    /// The first 128 bits of the HMAC, in two halves.
    package static func hash(_ bytes: Bytes) -> (high: UInt64, low: UInt64) {
        withUnsafeTemporaryAllocation(byteCount: Int(EVP_MAX_MD_SIZE), alignment: 8) { digest in
            var length: UInt32 = 0
            let result = bytes.withUnsafeBufferPointer { message in
                secret.withUnsafeBufferPointer { key in
                    HMAC(
                        EVP_sha256(), key.baseAddress, Int32(key.count), message.baseAddress,
                        message.count, digest.baseAddress?.assumingMemoryBound(to: UInt8.self),
                        &length)
                }
            }
            precondition(result != nil && length >= 16, "OpenSSL has no HMAC-SHA-256")
            return (digest.load(as: UInt64.self), digest.load(fromByteOffset: 8, as: UInt64.self))
        }
    }
}
