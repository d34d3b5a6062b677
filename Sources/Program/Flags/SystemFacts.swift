// Facts about the machine and the process, for defaults.

import CEpoll.Process
import Glibc

/// Cores that this process may run on, within the limits of its control groups.
func availableCores() -> Int {
    max(1, min(Int(ck_available_cores()), ControlGroup.own().coresMax ?? .max))
}

/// RAM that this process may have, in bytes: the machine's, or the limit of its control groups.
func availableMemoryBytes() -> Int {
    let physical = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    return max(1 << 26, min(physical, ControlGroup.own().memoryBytesMax ?? .max))
}

/// Raises the limit of descriptors to what is permitted, and returns it.
func descriptorLimit() -> Int {
    let limit = ck_raise_descriptor_limit()
    return limit > 0 ? limit : 1_024
}

/// This host's name, or `localhost`.
func ownHostname() -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, 255) == 0 else { return "localhost" }
    let name = String(
        decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return name.isEmpty ? "localhost" : name
}

/// Whether the kernel has IPv6.
func hasIPv6() -> Bool { access("/proc/net/if_inet6", F_OK) == 0 }

/// The process's environment.
func processEnvironment() -> [String: String] {
    var result: [String: String] = [:]
    var cursor = environ
    while let entry = cursor.pointee {
        let text = String(cString: entry)
        if let equals = text.firstIndex(of: "=") {
            result[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        cursor += 1
    }
    return result
}
