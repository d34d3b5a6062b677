// What decoding charsets needs and is expensive to make: iconv descriptors and byte tables.
//
// One per loop, never shared between threads. A descriptor is opened at first use (up to a
// millisecond) and serves every decoder of the loop, even interleaved ones, because each conversion
// leaves it in its initial state.

import Glibc

/// The iconv descriptors and tables of one loop: made on first use. Not thread-safe.
package final class CharsetCache {
    private enum Opened {
        case no, failed
        case descriptor(iconv_t)
        case table(SingleByteTable)
    }

    private var opened = [Opened](repeating: .no, count: CharsetTable.rows.count)

    package init() {}

    deinit {
        for case .descriptor(let descriptor) in opened { iconv_close(descriptor) }
    }

    /// The descriptor of a row, to UTF-8; nil when this system's iconv does not know the charset.
    /// The cache still owns it.
    func descriptor(_ index: Int) -> iconv_t? {
        if case .no = opened[index] {
            opened[index] =
                Self.open(CharsetTable.rows[index].iconvName).map { .descriptor($0) } ?? .failed
        }
        if case .descriptor(let descriptor) = opened[index] { return descriptor }
        return nil
    }

    /// The table of a row with one byte per character; nil when this system's iconv does not know
    /// the charset.
    func table(_ index: Int) -> SingleByteTable? {
        if case .no = opened[index] { opened[index] = Self.makeTable(CharsetTable.rows[index]) }
        if case .table(let table) = opened[index] { return table }
        return nil
    }

    private static func makeTable(_ row: CharsetRow) -> Opened {
        if row.form == .userDefined { return .table(.userDefined) }
        guard let descriptor = open(row.iconvName) else { return .failed }
        defer { iconv_close(descriptor) }
        return .table(SingleByteTable(asking: descriptor, exceptions: row.exceptions))
    }

    private static func open(_ name: StaticString) -> iconv_t? {
        let descriptor = name.withUTF8Buffer { text in
            text.withMemoryRebound(to: CChar.self) { iconv_open("UTF-8", $0.baseAddress) }
        }
        return Int(bitPattern: descriptor) == -1 ? nil : descriptor
    }
}
