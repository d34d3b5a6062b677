import Glibc
import Testing

@testable import Reactor

/// Whether this kernel grants io_uring to this process.
private let isUringGranted = (try? BackendChoice(.uring, loopCount: 1)) != nil

@Suite struct BackendChoiceTests {
    @Test func `epoll is used without a test of io_uring`() throws {
        let choice = try BackendChoice(.epoll, loopCount: 2)
        #expect(choice.kind == .epoll && choice.refusal == nil)
    }

    @Test func `auto is io_uring where it is granted, else epoll with a reason`() throws {
        let choice = try BackendChoice(.auto, loopCount: 3)
        #expect(choice.kind == (isUringGranted ? .uring : .epoll))
        #expect((choice.refusal == nil) == isUringGranted)
    }

    @Test(arguments: [
        (ENOSYS, "io_uring_setup: Function not implemented (this kernel has no io_uring)"),
        (EINVAL, "io_uring_setup: Invalid argument (it needs kernel 6.1 or newer)"),
        (EBADF, "io_uring_setup: Bad file descriptor"),
    ])
    func `a refusal is explained`(_ errno: Int32, _ text: String) {
        let error = SystemError(operation: "io_uring_setup", errno: errno)
        #expect(BackendChoice.explanation(of: error) == text)
    }

    @Test(.enabled(if: isUringGranted, "this kernel does not allow io_uring"))
    func `a flood leads to bulk mode, and small amounts lead back`() throws {
        let test = try TestLoop(kind: .uring)
        let backend = try #require(test.loop.backend as? UringBackend)
        let server = Recorder()
        var modes: [Bool] = []
        func note(_ stream: Stream) {
            modes.append(backend.sockets.find(stream.token)?.pointee.isBulk ?? false)
        }
        server.onReceived = { stream, bytes in
            note(stream)
            if bytes.last == 10 { stream.write("on") }
        }
        let listener = try test.listen { server }
        let client = Recorder()
        var talks = 0
        client.onOpened = { $0.write([UInt8](repeating: 1, count: 1_000_000) + [10]) }
        client.onReceived = { stream, _ in
            talks += 1
            if talks > 12 { return stream.finish() }
            stream.write("hello\n")
        }
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        #expect(server.received.count == 1_000_001 + 12 * 6)
        #expect(modes.contains(true) && modes.last == false)
        // The last that came in bulk mode was a whole flood and eight small bursts, not fewer.
        #expect(modes.suffix(12).prefix(7).allSatisfy { $0 })
    }
}
