// Limits of control groups, from files as the kernel writes them.

import Testing

@testable import Program

@Suite("Control groups")
struct ControlGroupTests {
    private func group(_ files: [String: String]) -> ControlGroup { ControlGroup { files[$0] } }

    @Test("Version 2: the least of a group and those above it")
    func unified() {
        let found = group([
            "/proc/self/cgroup": "0::/system.slice/relay.service\n",
            "/sys/fs/cgroup/system.slice/memory.max": "536870912\n",
            "/sys/fs/cgroup/system.slice/cpu.max": "max 100000\n",
            "/sys/fs/cgroup/system.slice/relay.service/memory.max": "1073741824\n",
            "/sys/fs/cgroup/system.slice/relay.service/cpu.max": "150000 100000\n",
        ])
        #expect(found.memoryBytesMax == 536_870_912)
        #expect(found.coresMax == 2, "a core and a half")
    }

    @Test("A container sees its own group at the root, whatever its path says")
    func container() {
        let found = group([
            "/proc/self/cgroup": "0::/../../kubepods/pod1/c1\n",
            "/sys/fs/cgroup/memory.max": "1073741824\n", "/sys/fs/cgroup/cpu.max": "50000 100000\n",
        ])
        #expect(found.memoryBytesMax == 1 << 30)
        #expect(found.coresMax == 1)
    }

    @Test("Version 1, beside an empty version 2")
    func hybrid() {
        let found = group([
            "/proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n",
            "/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "268435456\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "400000\n",
            "/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        ])
        #expect(found.memoryBytesMax == 268_435_456)
        #expect(found.coresMax == 4)
    }

    @Test(
        "Without limits, and with files that cannot be read as limits, there are none",
        arguments: [
            [:], ["/proc/self/cgroup": "0::/\n"], ["/proc/self/cgroup": "nonsense\n:\n"],
            [
                "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n",
                "/sys/fs/cgroup/cpu.max": "max 100000\n",
            ],
            [
                "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "",
                "/sys/fs/cgroup/cpu.max": "100000 0\n",
            ],
        ])
    func none(files: [String: String]) {
        let found = group(files)
        #expect(found.memoryBytesMax == nil && found.coresMax == nil)
    }
}
