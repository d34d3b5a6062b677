// Reads files that an operator writes (settings, keys) as a whole, within a bound.

import Glibc

/// An error of the system with its file: "relay.conf: No such file or directory".
struct FileError: Error, CustomStringConvertible {
    let description: String

    init(_ path: String, _ reason: String) { description = "\(path): \(reason)" }

    /// With the reason of the last system call.
    init(_ path: String) { self.init(path, String(cString: strerror(errno))) }
}

/// Reads small files and the names in folders.
enum SmallFile {
    /// All bytes of a file.
    /// - Throws: `FileError`, also for a file of more than `bytesMax`.
    static func read(_ path: String, bytesMax: Int = 1_048_576) throws(FileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError(path) }
            if count == 0 { return bytes }
            bytes += piece[..<count]
            guard bytes.count <= bytesMax else {
                throw FileError(path, "more than \(bytesMax) bytes")
            }
        }
    }

    /// Names in a folder, in order, without those that begin with a dot.
    /// - Throws: `FileError`.
    static func names(in folder: String) throws(FileError) -> [String] {
        guard let handle = opendir(folder) else { throw FileError(folder) }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = Glibc.readdir(handle) {
            let bytes = withUnsafeBytes(of: entry.pointee.d_name) { $0.prefix { $0 != 0 } }
            let name = String(decoding: bytes, as: UTF8.self)
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether there is a file at `path`, or may be one. A path that cannot be checked counts, so that
    /// reading it gives the reason.
    static func mayExist(_ path: String) -> Bool {
        access(path, F_OK) == 0 || errno != ENOENT && errno != ENOTDIR
    }
}
