// The fields of a head that is to be sent: pseudo-header fields first, names in lower case (RFC 9113
// section 8.2 and 8.3).
//
// One value serves many heads: what all of them share stays, what is added for one is taken off
// again, and wiped.

import CNGHTTP2
import Glibc
import Wire

/// Names and values in their order.
package struct HTTP2Fields {
    private struct Entry {
        var nameEnd: Int
        var valueEnd: Int
        var isSecret: Bool
    }

    private var bytes: [UInt8] = []
    private var entries: [Entry] = []

    package init() {}

    /// Fields so far.
    package var count: Int { entries.count }

    /// - Parameters:
    ///   - name: in lower case.
    ///   - isSecret: never put into a table of the compression, by us or by a proxy behind the peer
    ///     (never indexed, RFC 7541 section 7.1.3); wiped when it is taken off.
    package mutating func add(_ name: StaticString, _ value: Bytes, isSecret: Bool = false) {
        name.withUTF8Buffer { add($0.span, value, isSecret: isSecret) }
    }

    package mutating func add(_ name: StaticString, _ value: StaticString) {
        value.withUTF8Buffer { add(name, $0.span) }
    }

    /// For what is made at run time, away from the byte path. The name may have any case.
    package mutating func add(_ name: String, text: String) {
        let (name, value) = (Array(name.lowercased().utf8), Array(text.utf8))
        add(name.span, value.span, isSecret: false)
    }

    private mutating func add(_ name: Bytes, _ value: Bytes, isSecret: Bool) {
        bytes.append(bytes: name)
        let nameEnd = bytes.count
        bytes.append(bytes: value)
        entries.append(Entry(nameEnd: nameEnd, valueEnd: bytes.count, isSecret: isSecret))
    }

    /// Takes off all fields but the first `count`.
    package mutating func truncate(to count: Int) {
        guard count < entries.count else { return }
        let start = count > 0 ? entries[count - 1].valueEnd : 0
        bytes.withUnsafeMutableBytes { memory in
            if let base = memory.baseAddress { explicit_bzero(base + start, memory.count - start) }
        }
        bytes.removeSubrange(start...)
        entries.removeSubrange(count...)
    }

    /// Lends the fields in nghttp2's form for a call of `body`.
    func withPairs<R>(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> R) -> R {
        withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: max(entries.count, 1)) {
            pairs in
            bytes.withUnsafeBufferPointer { memory in
                // nghttp2 copies what it is given and never writes to it.
                let base = UnsafeMutablePointer(mutating: memory.baseAddress)
                var start = 0
                for (index, entry) in entries.enumerated() {
                    let flags = entry.isSecret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE
                    pairs.initializeElement(
                        at: index,
                        to: nghttp2_nv(
                            name: base.map { $0 + start }, value: base.map { $0 + entry.nameEnd },
                            namelen: entry.nameEnd - start,
                            valuelen: entry.valueEnd - entry.nameEnd,
                            flags: UInt8(flags.rawValue)))
                    start = entry.valueEnd
                }
                return body(UnsafeBufferPointer(rebasing: pairs[..<entries.count]))
            }
        }
    }
}
