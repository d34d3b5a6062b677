// Bytes that have to wait: in slabs up to a bound, beyond it in a temporary file without a name.
//
// For what can't be written in its place yet: texts whose place the parts after them decide, and
// messages to several hidden recipients. The file is unlinked as soon as it is open, so no file
// stays, whatever happens to the process. Its bytes are asked for before they are written, and given
// back with the file. A full disk or a spent budget shows in `failure`; no call throws.

import Glibc
import Reactor
import Wire

/// Where bytes that memory must not hold may go, and how many. Belongs to one loop.
package protocol TemporaryFiles: AnyObject {
    /// The folder of the files; nil when there is none.
    var folder: String? { get }
    /// Takes `bytes` of what files may hold.
    /// - Returns: why it could not; nil when they are taken, until `giveBack`.
    func take(_ bytes: Int) -> SpillFailure?
    func giveBack(_ bytes: Int)
}

/// A folder without a bound: for a program that handles one message at a time.
package final class UnboundedFiles: TemporaryFiles {
    package let folder: String?

    package init(folder: String) { self.folder = folder }

    package func take(_ bytes: Int) -> SpillFailure? { nil }
    package func giveBack(_ bytes: Int) {}
}

/// Why bytes had no room outside memory.
package enum SpillFailure: Error, Equatable {
    /// There is no folder for files.
    case noFolder
    /// All temporary bytes are in use.
    case overBudget
    /// The customer would hold more of them than is still free.
    case overShare
    /// The file could not be made, written or read.
    case disk(errno: Int32)
}

/// A growing run of bytes that can be read at any offset, as often as wanted. Belongs to one loop.
package final class SpillBuffer {
    /// Bytes written so far.
    package private(set) var byteCount = 0
    /// Why what was written is incomplete; nil when it is not.
    package private(set) var failure: SpillFailure?
    package var hasFailed: Bool { failure != nil }
    /// Whether part of the bytes is in a file.
    var isSpilled: Bool { descriptor >= 0 }

    private let pool: SlabPool
    private var files: (any TemporaryFiles)?
    private let memorySlabsMax: Int
    /// Full slabs in order, the last one perhaps not full.
    private var memory: [Slab] = []
    /// Gathers what goes to the file next.
    private var staging: Slab?
    private var descriptor: Int32 = -1
    private var fileBytes = 0
    /// Bytes of `files` that are ours.
    private var takenBytes = 0

    /// - Parameters:
    ///   - memoryBytesMax: the bound, rounded down to whole slabs; one more slab gathers what goes
    ///     to the file.
    ///   - files: where the rest goes; with nil there is no rest.
    init(pool: SlabPool, memoryBytesMax: Int, files: (any TemporaryFiles)?) {
        self.pool = pool
        self.files = files
        memorySlabsMax = max(0, memoryBytesMax) / Slab.capacity
    }

    deinit { discard() }

    /// Makes an empty buffer ready for another message.
    func begin(files: (any TemporaryFiles)?) {
        precondition(byteCount == 0 && takenBytes == 0, "another message's bytes are here")
        self.files = files
    }

    /// Whether `count` more bytes stay in memory.
    func hasMemory(for count: Int) -> Bool {
        staging == nil && byteCount + count <= memorySlabsMax * Slab.capacity
    }

    /// Forgets the bytes after the first `count`, if all are in memory; else they stay, and the
    /// caller leaves them out.
    func forget(after count: Int) {
        precondition(count >= 0 && count <= byteCount)
        guard staging == nil else { return }
        let slabCount = (count + Slab.capacity - 1) / Slab.capacity
        while memory.count > slabCount { pool.give(back: memory.removeLast()) }
        if let last = memory.last { last.end = count - (slabCount - 1) * Slab.capacity }
        byteCount = count
    }

    /// Lets `body` write into free memory: at least one byte of room.
    func write<R>(_ body: (inout Region) -> R) -> R {
        let slab = slabWithRoom()
        var region = Region(
            UnsafeMutableBufferPointer(start: slab.payload + slab.end, count: slab.room))
        let result = body(&region)
        slab.end += region.count
        byteCount += region.count
        return result
    }

    /// Copies all of `bytes`.
    func append(_ bytes: Bytes) {
        var taken = 0
        while taken < bytes.count { taken += write { $0.append(bytes.extracting(taken...)) } }
    }

    /// Copies bytes from `offset` on, as many as are there and fit; returns how many.
    package func read(at offset: Int, into region: inout Region) -> Int {
        precondition(offset >= 0 && offset <= byteCount)
        let index = offset / Slab.capacity
        if index < memory.count {
            let slab = memory[index]
            return region.append(slab.bytes.extracting((offset - index * Slab.capacity)...))
        }
        let inFile = offset - memory.count * Slab.capacity
        if inFile < fileBytes { return readFile(at: inFile, into: &region) }
        guard let staging else { return 0 }
        return region.append(staging.bytes.extracting((inFile - fileBytes)...))
    }

    /// Forgets everything and gives slabs and file back; can be written again.
    package func discard() {
        for slab in memory { pool.give(back: slab) }
        memory.removeAll(keepingCapacity: true)
        if let staging { pool.give(back: staging) }
        staging = nil
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        fileBytes = 0
        if takenBytes > 0 { files?.giveBack(takenBytes) }
        takenBytes = 0
        byteCount = 0
        failure = nil
    }

    private func slabWithRoom() -> Slab {
        if let staging {
            if staging.room == 0 { flush(staging) }
            return staging
        }
        if let last = memory.last, last.room > 0 { return last }
        let slab = pool.take()
        if memory.count < memorySlabsMax {
            memory.append(slab)
        } else {
            staging = slab
        }
        return slab
    }

    /// Moves the staged bytes to the file. After a failure they are thrown away: the message will be
    /// refused, and memory must not grow meanwhile.
    private func flush(_ slab: Slab) {
        if failure == nil { failure = makeRoom(slab.count) }
        var written = 0
        while written < slab.count && !hasFailed {
            let count = pwrite(
                descriptor, slab.payload + slab.start + written, slab.count - written,
                fileBytes + written)
            if count > 0 {
                written += count
            } else if errno != EINTR {
                failure = .disk(errno: errno)
            }
        }
        fileBytes += slab.count
        slab.reset(at: 0)
    }

    /// Takes room for `bytes` more in the file, and opens it.
    private func makeRoom(_ bytes: Int) -> SpillFailure? {
        guard let files, let folder = files.folder else { return .noFolder }
        if let refusal = files.take(bytes) { return refusal }
        takenBytes += bytes
        return descriptor < 0 ? openFile(in: folder) : nil
    }

    private func readFile(at offset: Int, into region: inout Region) -> Int {
        let wanted = min(region.room, fileBytes - offset)
        var count = 0
        region.withRoom { memory, _ in
            repeat {
                count = hasFailed ? -1 : pread(descriptor, memory, wanted, offset)
            } while count < 0 && errno == EINTR && !hasFailed
            return max(count, 0)
        }
        if count <= 0 && wanted > 0 && failure == nil {
            failure = .disk(errno: count < 0 ? errno : EIO)
        }
        return max(count, 0)
    }

    private func openFile(in folder: String) -> SpillFailure? {
        var path = Array("\(folder)/postscale-relay-XXXXXX".utf8CString)
        descriptor = mkstemp(&path)
        guard descriptor >= 0 else { return .disk(errno: errno) }
        unlink(path)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return nil
    }
}

extension SpillBuffer {
    /// All that was written; for a program that shows requests and sends none.
    package func contents() -> [UInt8] {
        var bytes: [UInt8] = []
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 65_536) { memory in
            while bytes.count < byteCount && !hasFailed {
                var region = Region(memory)
                _ = read(at: bytes.count, into: &region)
                bytes.append(bytes: region.bytes)
            }
        }
        return bytes
    }
}
