// What flags' values must be, said with the flag's name when they are not.

import ArgumentParser

/// Checks of values that a flag's type alone does not make.
enum FlagCheck {
    /// - Throws: `ValidationError`: "--loops 0: give 1 to 1024."
    static func check(_ holds: Bool, _ flag: String, _ value: String, _ want: String) throws {
        guard holds else { throw ValidationError("\(flag) \(value): give \(want).") }
    }

    /// A count or a size in bytes.
    static func positive(_ flag: String, _ value: Int) throws -> Int {
        try check(value > 0 && value <= 1 << 40, flag, "\(value)", "a number above 0")
        return value
    }

    /// A time in milliseconds.
    static func positive(_ flag: String, _ value: TimeSpan) throws -> Int {
        let text = value.defaultValueDescription
        try check(
            value.milliseconds > 0 && value.milliseconds <= 7 * 86_400_000, flag, text,
            "a time above 0 and at most 168h")
        return value.milliseconds
    }
}
