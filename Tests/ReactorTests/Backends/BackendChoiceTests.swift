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
}
