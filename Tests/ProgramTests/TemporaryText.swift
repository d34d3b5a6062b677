// A settings file for one test.

import Glibc

@testable import Program

/// A file of text that a test can replace. It is removed with its last owner.
final class TemporaryText {
    let path: String

    init(_ text: String) throws {
        var name = Array("/tmp/relay-test-XXXXXX".utf8CString)
        close(mkstemp(&name))
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try replace(text)
    }

    deinit { unlink(path) }

    func replace(_ text: String) throws {
        guard let stream = fopen(path, "w") else { throw Failure(errno: errno) }
        fwrite(Array(text.utf8), 1, text.utf8.count, stream)
        fclose(stream)
    }

    struct Failure: Error { let errno: Int32 }
}
