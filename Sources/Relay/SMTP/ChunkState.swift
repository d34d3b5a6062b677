// How far a message in BDAT has come: its chunk, and whether it is the last (RFC 3030 2).
//
// A value without a clock, beside `DataState`, which counts the content of all chunks together and
// knows why they are thrown away. It is written when a chunk begins or ends, and so costs DATA
// nothing.

import Wire

/// The chunks of one message.
struct ChunkState {
    /// A chunk without MAIL and RCPT is read and thrown away up to this size, in bytes.
    static let strayBytesMax = 65_536

    /// Between two chunks, and as each of them began.
    private(set) var reader = ChunkReader()
    /// The latest chunk is the last one.
    private(set) var isLast = false

    /// BDAT has come; its payload follows.
    mutating func begin(_ bdat: BdatCommand) {
        reader.begin(size: bdat.size)
        isLast = bdat.isLast
    }

    /// All of the chunk has come.
    mutating func end(_ chunk: ChunkReader) { reader = chunk }
}
