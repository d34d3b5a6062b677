// A ring, or an epoll descriptor, that the kernel refuses: bytes of one connection never leave on
// another, and the loop ends with a reason instead of turning for ever.

import CEpoll.System
import CEpoll.Uring
import Glibc
import Testing

@testable import Reactor

private let isRingAllowed = (try? BackendChoice(.uring, loopCount: 1)) != nil

/// Descriptors of this process whose link ends so: "anon_inode:[io_uring]", "anon_inode:[eventpoll]".
private func descriptors(_ kind: String) -> [Int32] {
    (3..<Int32(1_024)).filter { descriptor in
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            let count = readlink(
                "/proc/self/fd/\(descriptor)", buffer.baseAddress!, buffer.count - 1)
            guard count > 0 else { return false }
            buffer[count] = 0
            return String(cString: buffer.baseAddress!) == "anon_inode:[\(kind)]"
        }
    }
}

private func expectEnd(_ kind: BackendKind, _ link: String) throws {
    alarm(30)
    let before = Set(descriptors(link))
    let loop = try Loop(index: 0, backend: kind)
    let broken = try #require(descriptors(link).first { !before.contains($0) })
    let server = Recorder()
    let listener = try Listener(
        loop: loop, address: SocketAddress(ipv4: 0x7F00_0001, port: 0), tls: nil,
        handler: Acceptor { server })
    let socket = try RawSocket(to: listener.address)
    while server.openedCount == 0 { loop.tick() }
    dup2(open("/dev/null", O_RDWR), broken)
    // It would turn for ever.
    loop.run()
    #expect(loop.failure?.operation == (kind == .uring ? "io_uring_enter" : "epoll_wait"))
    #expect(loop.failure.map { $0.errno > 0 } == true)
    #expect(loop.counters.backendErrors >= 1)
    #expect(server.closes == [.local])
    withExtendedLifetime(socket) {}
}

@Suite struct FailureTests {
    /// The kernel refuses the ring for a while. The arguments of gathered sends that it has not read
    /// must stay, and a ring that has failed must not go on.
    @Test(.enabled(if: isRingAllowed))
    func `after a failed submit the bytes of one connection do not leave on another`() async {
        await #expect(processExitsWith: .success) {
            let before = Set(descriptors("io_uring"))
            var made: OpaquePointer?
            var operation: UnsafePointer<CChar>?
            #expect(cu_open(&made, 1_024, &operation) == 0)
            let ring = try #require(made)
            let ringDescriptor = try #require(
                descriptors("io_uring").first { !before.contains($0) })
            var pairs: [[Int32]] = []
            for _ in 0..<200 {
                var pair: [Int32] = [0, 0]
                #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
                pairs.append(pair)
            }
            let aside = dup(ringDescriptor)
            let nothing = open("/dev/null", O_RDWR)
            dup2(nothing, ringDescriptor)
            let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 400)
            for index in 0..<200 {
                bytes[2 * index] = UInt8(index)
                bytes[2 * index + 1] = UInt8(index)
                let parts = [
                    iovec(iov_base: bytes + 2 * index, iov_len: 1),
                    iovec(iov_base: bytes + 2 * index + 1, iov_len: 1),
                ]
                cu_send_gathered(ring, pairs[index][0], parts, 2, UInt64(index + 1))
            }
            #expect(cu_error_count(ring) > 0)
            dup2(aside, ringDescriptor)
            cu_wait(ring, 100)
            var completion = cu_completion()
            while cu_next(ring, &completion) != 0 {}
            for index in 0..<200 {
                var room = [UInt8](repeating: 0, count: 8)
                let count = recv(pairs[index][1], &room, 8, Int32(MSG_DONTWAIT))
                let received = Array(room[..<max(0, count)])
                #expect(received.allSatisfy { $0 == UInt8(index) }, "connection \(index)")
            }
            #expect(cu_failure(ring) < 0)
            cu_close(ring)
            bytes.deallocate()
        }
    }

    /// More gathered sends than there is memory for, in one batch, while nothing is wrong.
    @Test(.enabled(if: isRingAllowed))
    func `many gathered sends arrive, each at its own connection`() throws {
        var made: OpaquePointer?
        var operation: UnsafePointer<CChar>?
        try #require(cu_open(&made, 64, &operation) == 0)
        let ring = try #require(made)
        let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 400)
        defer { bytes.deallocate() }
        var pair: [Int32] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        for round in 0..<200 {
            bytes[2 * round] = UInt8(truncatingIfNeeded: round)
            bytes[2 * round + 1] = 0xFF
            let parts = [
                iovec(iov_base: bytes + 2 * round, iov_len: 1),
                iovec(iov_base: bytes + 2 * round + 1, iov_len: 1),
            ]
            cu_send_gathered(ring, pair[0], parts, 2, UInt64(round + 1))
        }
        cu_wait(ring, 0)
        var room = [UInt8](repeating: 0, count: 1_000)
        let count = recv(pair[1], &room, 1_000, Int32(MSG_DONTWAIT))
        #expect(count == 400)
        for round in 0..<200 {
            #expect(
                room[2 * round] == UInt8(truncatingIfNeeded: round) && room[2 * round + 1] == 0xFF)
        }
        var completed = 0
        var completion = cu_completion()
        while cu_next(ring, &completion) != 0 { completed += 1 }
        #expect(completed == 200 && cu_error_count(ring) == 0)
        cu_close(ring)
        for descriptor in pair { close(descriptor) }
    }

    @Test(.enabled(if: isRingAllowed))
    func `a loop whose ring fails ends its streams, and says why`() async {
        await #expect(processExitsWith: .success) { try expectEnd(.uring, "io_uring") }
    }

    @Test func `a loop whose epoll fails ends its streams, and says why`() async {
        await #expect(processExitsWith: .success) { try expectEnd(.epoll, "eventpoll") }
    }

    @Test func `a group whose loop fails ends the process with a line`() async {
        await #expect(
            processExitsWith: .exitCode(71), observing: [\.standardErrorContent]
        ) {
            alarm(30)
            let group = try LoopGroup(count: 1, backend: .epoll) { $0 }
            while true {
                for descriptor in descriptors("eventpoll") {
                    dup2(open("/dev/null", O_RDWR), descriptor)
                }
                group.mailboxes[0].post {}
                usleep(10_000)
            }
        }
    }
}
