// A file for the duration of a test.

import Glibc

/// Writes and removes a file.
package enum TemporaryFile {
    package static func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "w") else { throw Failure() }
        defer { fclose(file) }
        guard fputs(text, file) >= 0 else { throw Failure() }
    }

    package static func remove(_ path: String) { unlink(path) }

    package struct Failure: Error {}
}
