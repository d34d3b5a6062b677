// The punctuation of a JSON text that is written straight into regions (RFC 8259).
//
// Keys are ours and plain ASCII, so they need no escaping; the texts between the quotation marks
// come from a `JSONEscaper`. Each function writes all or nothing.

/// Writes keys, numbers and punctuation of a JSON text.
package enum JSONWriter {
    /// Writes `"name":`, with a comma in front unless it is the first of its object.
    /// - Returns: false, and nothing is written, when there is no room.
    package static func key(
        _ name: StaticString, isFirst: Bool = false, into output: inout Region
    ) -> Bool {
        guard output.room >= name.utf8CodeUnitCount + (isFirst ? 3 : 4) else { return false }
        return (isFirst || output.append(",")) && output.append("\"") && output.append(name)
            && output.append("\":")
    }

    /// Writes a number in decimal.
    /// - Returns: false, and nothing is written, when there are not 20 bytes of room.
    package static func integer(_ number: Int, into output: inout Region) -> Bool {
        guard output.room >= 20 else { return false }
        output.append(decimal: number)
        return true
    }
}
