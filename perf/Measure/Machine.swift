// The machine on which figures were measured.

import CEpoll.Process
import Foundation
import Glibc

/// What a reader must know to compare the figures with others.
struct Machine: Codable, Equatable {
    var processor: String
    var cores: Int
    /// Bytes.
    var memory: Int
    var system: String
    var kernel: String
    var openSSL: String

    static func describe() -> Machine {
        let cpuinfo = ProcFiles.text("/proc/cpuinfo")
        let release = ProcFiles.text("/etc/os-release")
        return Machine(
            processor: value("model name", ":", in: cpuinfo) ?? "unknown",
            cores: Int(ck_available_cores()),
            memory: ProcFiles.bytes("MemTotal", in: ProcFiles.text("/proc/meminfo")) ?? 0,
            system: value("PRETTY_NAME", "=", in: release) ?? "unknown",
            kernel: ProcFiles.text("/proc/sys/kernel/osrelease").trimmed,
            openSSL: Command.output(["openssl", "version"])?.trimmed ?? "unknown")
    }

    var text: String {
        "\(processor), \(cores) cores, \(decimal(Double(memory) / 1_073_741_824, 1)) GiB, "
            + "\(system), Linux \(kernel), \(openSSL)"
    }

    /// The value of the first line `key<separator>value`, without quotation marks.
    static func value(_ key: String, _ separator: Character, in text: String) -> String? {
        for line in text.split(separator: "\n") where line.hasPrefix(key) {
            guard let place = line.firstIndex(of: separator) else { continue }
            return line[line.index(after: place)...].trimmed.replacing("\"", with: "")
        }
        return nil
    }
}

/// Now, in UTC, as ISO 8601.
func currentDate() -> String { Date().ISO8601Format() }
