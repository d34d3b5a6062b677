// How far a message in BDAT has come: its chunk, and the refusal that all further chunks get
// (RFC 3030 2).
//
// A value without a clock, beside `DataState`, which counts the content of all chunks together. It
// is written when a chunk begins or ends, and so costs DATA nothing.

import Wire

/// The chunks of one message.
struct ChunkState {
    /// A chunk without MAIL and RCPT is read and thrown away up to this size, in bytes.
    static let strayBytesMax = 65_536

    /// Between two chunks, and as each of them began.
    private(set) var reader = ChunkReader()
    /// The latest chunk is the last one.
    private(set) var isLast = false
    /// What became of the message before its last chunk.
    private(set) var refusal: Reply?

    /// BDAT has come; its payload follows.
    mutating func begin(_ bdat: BdatCommand) {
        reader.begin(size: bdat.size)
        isLast = bdat.isLast
    }

    /// All of the chunk has come.
    mutating func end(_ chunk: ChunkReader) { reader = chunk }

    /// The message is refused, before its last chunk.
    mutating func refuse(with reply: Reply) { refusal = refusal ?? reply }
}
