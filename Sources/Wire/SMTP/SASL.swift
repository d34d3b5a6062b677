// Reads the answers to AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN.
//
// Strict base64 (RFC 4648 4): only the alphabet, whole quads, padding only at the end. Nothing is
// kept: the decoded bytes are in the caller's region, which the caller wipes after use.

import CEpoll.Kernels

/// The two mechanisms that the relay speaks.
package enum SASL {
    /// What an AUTH PLAIN response is.
    package enum Outcome: Equatable {
        /// Ranges into what was written to `output`. The username is not empty; the password may
        /// be anything but NUL, and is not empty.
        case credentials(username: Range<Int>, password: Range<Int>)
        case badBase64
        case badFormat
        /// The authzid is neither empty nor the username.
        case badAuthorizationIdentity
    }

    /// The room that decoding a response of `count` bytes may need.
    package static func decodedBytesMax(_ count: Int) -> Int { count / 4 * 3 }

    /// Reads `[authzid] NUL authcid NUL passwd` (RFC 4616 2). `=` is the empty response.
    /// - Parameter output: where the decoded bytes are written, after what is there already; with
    ///   less than `decodedBytesMax` of room the answer is `.badFormat`.
    package static func plain(_ base64: Bytes, into output: inout Region) -> Outcome {
        let response = base64.extracting(base64.trimmed(0..<base64.count))
        guard decodedBytesMax(response.count) <= output.room else { return .badFormat }
        guard let decoded = decode(response, into: &output) else { return .badBase64 }
        let bytes = output.bytes
        guard let first = bytes.firstIndex(of: 0, from: decoded.lowerBound),
            let second = bytes.firstIndex(of: 0, from: first + 1),
            bytes.firstIndex(of: 0, from: second + 1) == nil
        else { return .badFormat }
        let identity = decoded.lowerBound..<first
        let username = first + 1..<second
        let password = second + 1..<decoded.upperBound
        guard !username.isEmpty && !password.isEmpty else { return .badFormat }
        guard identity.isEmpty || isSameIdentity(bytes, identity, username) else {
            return .badAuthorizationIdentity
        }
        return .credentials(username: username, password: password)
    }

    /// Reads one LOGIN answer, username or password; nil for bad base64, and when there is less
    /// than `decodedBytesMax` of room. `=` and the empty line are the empty answer.
    package static func login(_ base64: Bytes, into output: inout Region) -> Range<Int>? {
        let response = base64.extracting(base64.trimmed(0..<base64.count))
        guard decodedBytesMax(response.count) <= output.room else { return nil }
        return decode(response, into: &output)
    }

    /// Identities are compared as usernames are: ASCII letters without case. Some libraries add a
    /// domain to one of them.
    private static func isSameIdentity(
        _ bytes: Bytes, _ one: Range<Int>, _ other: Range<Int>
    ) -> Bool {
        let isSame = zip(one, other).allSatisfy {
            bytes[$0].asciiLowercased == bytes[$1].asciiLowercased
        }
        let longer = one.count > other.count ? one : other
        let common = longer.lowerBound + min(one.count, other.count)
        return isSame && (common == longer.upperBound || bytes[common] == UInt8(ascii: "@"))
    }

    /// Decodes all of `base64`; returns the range that was written, or nil, and then nothing is
    /// written.
    private static func decode(_ base64: Bytes, into output: inout Region) -> Range<Int>? {
        let start = output.count
        if base64.count == 1 && base64[0] == 0x3D { return start..<start }
        guard base64.count % 4 == 0 else { return nil }
        var at = 0
        while at < base64.count {
            let isLast = at + 4 == base64.count
            guard decodeQuad(base64.extracting(at..<at + 4), isLast: isLast, into: &output) else {
                output.truncate(to: start)
                return nil
            }
            at += 4
        }
        return start..<output.count
    }

    private static func decodeQuad(
        _ quad: Bytes, isLast: Bool, into output: inout Region
    ) -> Bool {
        let isPadding3 = isLast && quad[3] == 0x3D
        let isPadding2 = isPadding3 && quad[2] == 0x3D
        let a = ck_base64_value(quad[0])
        let b = ck_base64_value(quad[1])
        let c = isPadding2 ? 0 : ck_base64_value(quad[2])
        let d = isPadding3 ? 0 : ck_base64_value(quad[3])
        guard a | b | c | d < 0x40 else { return false }
        output.append(a << 2 | b >> 4)
        if !isPadding2 { output.append(b << 4 | c >> 2) }
        if !isPadding3 { output.append(c << 6 | d) }
        return true
    }
}
