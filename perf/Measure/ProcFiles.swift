// Parses the kernel's text files about processes (proc(5)), and reads small files.

import Glibc

/// The contents of /proc/PID/stat.
struct ProcessStat: Equatable {
    var pid: Int32
    var parent: Int32
    /// Clock ticks of this process, and of those of its children that it has waited for.
    var userTicks: Int
    var systemTicks: Int

    /// - Parameter text: the file's one line; the name in parentheses may contain any character.
    init?(_ text: String) {
        guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")"),
            open < close, let pid = Int32(text[..<open].trimmed)
        else { return nil }
        // From field 3 (the state) on.
        let fields = text[text.index(after: close)...].split(separator: " ")
        guard fields.count > 14, let parent = Int32(fields[1]), let user = Int(fields[11]),
            let system = Int(fields[12]), let childUser = Int(fields[13]),
            let childSystem = Int(fields[14])
        else { return nil }
        self.pid = pid
        self.parent = parent
        userTicks = user + childUser
        systemTicks = system + childSystem
    }
}

enum ProcFiles {
    /// Bytes of a line `key: 123 kB` of /proc/PID/status or smaps_rollup; nil where there is none.
    static func bytes(_ key: String, in text: String) -> Int? {
        for line in text.split(separator: "\n") where line.hasPrefix(key + ":") {
            let number = line.dropFirst(key.count + 1).split { $0 == " " || $0 == "\t" }.first
            return number.flatMap { Int($0) }.map { $0 * 1_024 }
        }
        return nil
    }

    /// `key 123` of a flat-keyed file such as a control group's cpu.stat.
    static func number(_ key: String, in text: String) -> Int? {
        for line in text.split(separator: "\n") where line.hasPrefix(key + " ") {
            return Int(line.dropFirst(key.count + 1).trimmed)
        }
        return nil
    }

    /// `roots` and all their descendants.
    static func tree(of roots: [Int32], in processes: [ProcessStat]) -> [ProcessStat] {
        var children: [Int32: [ProcessStat]] = [:]
        for process in processes { children[process.parent, default: []].append(process) }
        var result = processes.filter { roots.contains($0.pid) }
        var seen = Set(roots)
        var index = 0
        while index < result.count {
            for child in children[result[index].pid] ?? [] where seen.insert(child.pid).inserted {
                result.append(child)
            }
            index += 1
        }
        return result
    }

    /// Every visible process.
    static func allProcesses() -> [ProcessStat] {
        entries("/proc").compactMap { name in
            Int32(name) == nil ? nil : ProcessStat(text("/proc/\(name)/stat"))
        }
    }

    /// The first 64 KiB of a file; "" where it cannot be read.
    static func text(_ file: String) -> String {
        guard let stream = fopen(file, "r") else { return "" }
        defer { fclose(stream) }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 65_536) { buffer in
            let count = fread(buffer.baseAddress, 1, buffer.count, stream)
            return String(decoding: buffer.prefix(count), as: UTF8.self)
        }
    }

    /// All of a file, however long, in lines. The kernel delivers its files in pieces of a page,
    /// and Foundation takes the first short piece as the end.
    static func lines(_ file: String) -> [String] {
        guard let stream = fopen(file, "r") else { return [] }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 65_536) { buffer in
            while true {
                let count = fread(buffer.baseAddress, 1, buffer.count, stream)
                if count == 0 { return }
                bytes += buffer.prefix(count)
            }
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Names in a folder, without those that begin with a dot.
    static func entries(_ folder: String) -> [String] {
        guard let handle = opendir(folder) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}

extension StringProtocol {
    /// Without white space at its ends.
    var trimmed: String {
        let isSpace: (Character) -> Bool = { $0.isWhitespace }
        let start = drop(while: isSpace)
        return String(start.reversed().drop(while: isSpace).reversed())
    }
}
