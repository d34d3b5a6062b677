import Glibc
import Testing

@testable import Perf

@Suite struct ProcFilesTests {
    private static let stat =
        "42 (a (b) c) S 7 42 42 0 -1 4194560 100 0 0 0 130 20 4 5 20 0 1 0 300 1000 200 "

    @Test func `A stat line is read with any character in the name`() throws {
        let stat = try #require(ProcessStat(ProcFilesTests.stat))
        #expect(stat.pid == 42)
        #expect(stat.parent == 7)
        #expect(stat.userTicks == 134)
        #expect(stat.systemTicks == 25)
    }

    @Test(arguments: ["", "42", "42 (a", "42 (a) S", "x (a) S 7 42 42 0 -1 4 1 0 0 0 1 2 3 4 20 "])
    func `An invalid stat line is nil`(text: String) {
        #expect(ProcessStat(text) == nil)
    }

    @Test func `Fields of smaps_rollup are found by their whole name`() {
        let text = """
            55d0-7ffe ---p 00000000 00:00 0    [rollup]
            Rss:               12345 kB
            Pss_Dirty:            10 kB
            Pss:                 900 kB
            Private_Dirty:        80 kB
            """
        #expect(ProcFiles.bytes("Pss", in: text) == 921_600)
        #expect(ProcFiles.bytes("Rss", in: text) == 12_641_280)
        #expect(ProcFiles.bytes("Swap", in: text) == nil)
    }

    @Test func `Numbers of a control group are found`() {
        let text = "usage_usec 300\nuser_usec 200\nsystem_usec 100\n"
        #expect(ProcFiles.number("user_usec", in: text) == 200)
        #expect(ProcFiles.number("usage", in: text) == nil)
    }

    @Test func `A tree contains its roots and all their descendants`() throws {
        func process(_ pid: Int, _ parent: Int) throws -> ProcessStat {
            try #require(
                ProcessStat("\(pid) (x) S \(parent) 0 0 0 0 0 0 0 0 0 1 1 0 0 20 0 1 0 0"))
        }
        let all = try [
            process(1, 0), process(10, 1), process(12, 11), process(11, 10), process(20, 1),
            process(30, 30),
        ]
        #expect(ProcFiles.tree(of: [10], in: all).map(\.pid) == [10, 11, 12])
        #expect(ProcFiles.tree(of: [30], in: all).map(\.pid) == [30])
        #expect(ProcFiles.tree(of: [99], in: all).isEmpty)
    }

    @Test func `The mount of cgroup v2 is found among those of v1`() {
        let text = """
            30 20 0:25 / /sys/fs/cgroup rw - tmpfs none rw
            31 30 0:26 / /sys/fs/cgroup/cpu rw,nosuid shared:9 - cgroup none rw,cpu
            32 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 none rw
            """
        #expect(ControlGroup.mount(in: text) == "/sys/fs/cgroup/unified")
        #expect(ControlGroup.mount(in: "") == nil)
    }

    @Test func `The files of this process can be read`() {
        let reading = ServerMeter(.processes([getpid()])).read()
        #expect(reading.processes >= 1)
        #expect(reading.descriptors > 0)
        #expect((reading.proportionalMemory ?? 0) > 1_000_000)
    }

    @Test func `A port is found among hundreds of listening ports`() throws {
        // More lines than fit into the first piece that the kernel delivers of its table.
        let sockets = try (0..<200).map { _ in try Self.listen() }
        defer { for socket in sockets { close(socket.descriptor) } }
        for socket in sockets { #expect(Workspace.isListening(socket.port)) }
        let free = try Workspace.freePort()
        #expect(!Workspace.isListening(free))
    }

    private static func listen() throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let port = try Workspace.freePort()
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(status == 0)
        try #require(Glibc.listen(descriptor, 1) == 0)
        return (descriptor, port)
    }
}
