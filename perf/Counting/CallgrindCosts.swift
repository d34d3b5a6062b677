// What a callgrind.out file says about objects: the share of each in all instructions.
//
// The format (valgrind's manual, "Callgrind Format Specification"): `ob=(number) name` names the
// object that the following code belongs to, with the name only at its first mention. A line that
// begins with a position is a cost. The line after `calls=` is the cost of a callee, which the
// callee's own lines contain already.

/// Instructions in a profile: all, and those of some objects.
struct CallgrindCosts: Equatable {
    private(set) var total = 0
    private(set) var own = 0

    /// nil when the text holds no total.
    /// - Parameter isOwn: whether an object, named by its path, counts for `own`.
    init?(_ text: String, isOwn: (Substring) -> Bool) {
        var objects: [Substring: Bool] = [:]
        var isCounted = false
        var isCallee = false
        var sum: Int?
        for line in text.split(separator: "\n") {
            if let object = line.value(of: "ob=") {
                isCounted = Self.note(object, &objects, isOwn)
            } else if let object = line.value(of: "cob=") {
                _ = Self.note(object, &objects, isOwn)
            } else if line.hasPrefix("calls=") {
                isCallee = true
            } else if let first = line.utf8.first, Self.isPosition(first) {
                if !isCallee, isCounted { own += Self.cost(line) }
                isCallee = false
            } else if let value = line.value(of: "totals:") ?? line.value(of: "summary:") {
                sum = Int(value.trimmed) ?? sum
            }
        }
        guard let sum else { return nil }
        total = sum
    }

    /// `(3) /usr/lib/libc.so.6`, or `(3)` when it was named before.
    private static func note(
        _ object: Substring, _ objects: inout [Substring: Bool], _ isOwn: (Substring) -> Bool
    ) -> Bool {
        guard let space = object.firstIndex(of: " ") else { return objects[object] ?? false }
        let number = object[..<space]
        objects[number] = isOwn(object[space...].dropFirst())
        return objects[number] ?? false
    }

    private static func isPosition(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "*")
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func cost(_ line: Substring) -> Int {
        let fields = line.split(separator: " ")
        return fields.count > 1 ? Int(fields[1]) ?? 0 : 0
    }
}

extension Substring {
    /// The text after `key`, when the line begins with it.
    fileprivate func value(of key: String) -> Substring? {
        hasPrefix(key) ? dropFirst(key.count) : nil
    }
}
