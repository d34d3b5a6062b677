// The text of a body that comes after the attachments: it waits until their list is closed.
//
// It is JSON already, in memory up to a bound and beyond that in a file. That it found no room shows
// in `failure`; the message is then refused.

import Reactor
import Wire

/// The waiting text of one message after the other.
struct LateText: ~Copyable {
    private let pool: SlabPool
    private(set) var files: (any TemporaryFiles)?
    private let sink = JSONSink()
    private var buffer: SpillBuffer?
    /// Bytes of the buffer that are moved on.
    private var offset = 0

    /// Memory for the text, before it goes to a file.
    private static let memoryBytesMax = 262_144

    init(pool: SlabPool) { self.pool = pool }

    /// A new message, which may spill into `files`.
    mutating func begin(files: (any TemporaryFiles)?) { self.files = files }

    /// Bytes that wait.
    var byteCount: Int { (buffer?.byteCount ?? 0) - offset }

    /// Why text is lost; nil when none is.
    var failure: SpillFailure? { buffer?.failure }

    /// Where to write text that has to wait.
    mutating func open() -> JSONSink {
        if buffer == nil {
            let new = SpillBuffer(
                pool: pool, memoryBytesMax: Self.memoryBytesMax, files: files)
            buffer = new
            sink.hold(in: new)
        }
        return sink
    }

    /// Moves what waits into `target`, about `bytes` at most.
    /// - Returns: whether all of it is moved; false after a failure.
    mutating func move(upTo bytes: Int, to target: JSONSink) -> Bool {
        guard let buffer else { return true }
        var moved = 0
        while offset < buffer.byteCount {
            guard moved < bytes, !buffer.hasFailed else { return false }
            let count = target.write { buffer.read(at: offset, into: &$0) }
            offset += count
            moved += count
        }
        return !buffer.hasFailed
    }

    /// Forgets everything.
    mutating func discard() {
        sink.rest()
        buffer?.discard()
        buffer = nil
        files = nil
        offset = 0
    }
}
