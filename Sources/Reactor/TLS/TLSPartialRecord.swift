// The beginning of a record that OpenSSL must not see yet (RFC 5246 section 6.2.1).
//
// OpenSSL takes room for the longest record as soon as it has read five bytes of one, 17 kB for each
// connection. So a server gives it whole records of TLS 1.2 only, and keeps the bytes of the last one
// here until it is whole: a peer that stops in the middle of a record costs the bytes that it has
// sent. A record that OpenSSL refuses for its length counts as whole.

/// The bytes of a record that has not come whole.
struct TLSPartialRecord {
    private static let headerBytes = 5
    /// The longest body of a record of TLS 1.2.
    private static let bodyBytesMax = 16_384 + 2_048

    private var bytes: [UInt8] = []

    /// Nothing is kept.
    var isEmpty: Bool { bytes.isEmpty }

    /// How many of `input`, which begins with a record, belong to whole ones.
    static func wholeBytes(_ input: UnsafeRawBufferPointer) -> Int {
        var end = 0
        while input.count - end >= headerBytes {
            let body = bodyBytes(input[end + 3], input[end + 4])
            guard body <= bodyBytesMax else { return input.count }
            guard input.count - end >= headerBytes + body else { break }
            end += headerBytes + body
        }
        return end
    }

    private static func bodyBytes(_ high: UInt8, _ low: UInt8) -> Int { Int(high) << 8 | Int(low) }

    /// Takes as much of `input` as belongs to the record.
    /// - Returns: how many bytes that is, and the record when it is whole; nothing is kept of it then.
    mutating func take(
        _ input: UnsafeRawBufferPointer
    ) -> (taken: Int, record: [UInt8]?) {
        var taken = 0
        while true {
            let missing = missingBytes
            guard missing > 0 else { break }
            guard taken < input.count else { return (taken, nil) }
            let count = min(missing, input.count - taken)
            bytes.reserveCapacity(bytes.count + count)
            bytes.append(contentsOf: input[taken..<taken + count])
            taken += count
        }
        let record = bytes
        bytes = []
        return (taken, record)
    }

    /// Bytes up to the end of the header, or, after that, of the record.
    private var missingBytes: Int {
        guard bytes.count >= Self.headerBytes else { return Self.headerBytes - bytes.count }
        let body = Self.bodyBytes(bytes[3], bytes[4])
        return body > Self.bodyBytesMax ? 0 : Self.headerBytes + body - bytes.count
    }
}
