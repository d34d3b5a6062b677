// The working memory of all mappers of one loop, used within a call and never kept between calls.

import Wire

/// Scratch regions for decoding, one set per loop. A mapper fills and reads them inside one call,
/// so thousands of messages in flight need no more memory than one.
package final class MapperScratch {
    private let decoded: UnsafeMutableBufferPointer<UInt8>
    private let converted: UnsafeMutableBufferPointer<UInt8>
    private var header: UnsafeMutableBufferPointer<UInt8>
    private var mailbox: UnsafeMutableBufferPointer<UInt8>

    /// Bytes of each of the two text regions; an L1 cache holds both beside the input.
    private static let textBytes = 8_192

    package init() {
        decoded = .allocate(capacity: Self.textBytes)
        converted = .allocate(capacity: Self.textBytes)
        header = .allocate(capacity: 4_096)
        mailbox = .allocate(capacity: 1_024)
    }

    deinit {
        decoded.deallocate()
        converted.deallocate()
        header.deallocate()
        mailbox.deallocate()
    }

    /// An empty region for content without its transfer encoding. Ends the use of the one before.
    var decodedRegion: Region { Region(decoded) }

    /// An empty region for text that was converted to UTF-8. Ends the use of the one before.
    var convertedRegion: Region { Region(converted) }

    /// An empty region that holds any decoding of a header value of `count` bytes, as text or as
    /// mailboxes (`AddressParser.next`). Ends the use of the one before.
    func headerRegion(forValueOf count: Int) -> Region {
        Self.grow(&header, to: 4 * count + 64)
        return Region(header)
    }

    /// An empty region for one mailbox in its written form, even when every byte is quoted. Ends
    /// the use of the one before.
    func mailboxRegion(forTextOf count: Int) -> Region {
        Self.grow(&mailbox, to: 2 * count + 64)
        return Region(mailbox)
    }

    private static func grow(_ memory: inout UnsafeMutableBufferPointer<UInt8>, to bytes: Int) {
        guard bytes > memory.count else { return }
        let count = max(bytes, 2 * memory.count)
        memory.deallocate()
        memory = .allocate(capacity: count)
    }
}
