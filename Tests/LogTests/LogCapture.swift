// What a log has written, and odd values for it.

import Glibc
import Logging
import Testing

@testable import Log

/// A file that a log writes to.
struct LogCapture: ~Copyable {
    let descriptor: Int32

    init() throws {
        var path = Array("/tmp/log-tests.XXXXXX".utf8CString)
        descriptor = mkstemp(&path)
        try #require(descriptor >= 0)
        unlink(path)
    }

    deinit { close(descriptor) }

    /// The bytes so far.
    var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(lseek(descriptor, 0, SEEK_END)))
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return Array(bytes.prefix(max(0, count)))
    }

    /// The lines so far, without their ends.
    var lines: [String] {
        bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// A log of one loop and of swift-log that writes to `descriptor`.
func makeLog(
    _ format: LogFormat, _ descriptor: Int32, level: Logger.Level = .trace
) -> (log: EventLog, writer: LogWriter) {
    let control = LogControl(level: level)
    let writer = LogWriter(descriptor: descriptor, control: control)
    return (EventLog(writer: writer, format: format, control: control), writer)
}

/// One line with a number at its end.
func write(_ number: Int, to loop: LoopLog, filler: [UInt8] = []) {
    guard loop.begin(.info, "message") else { return }
    if !filler.isEmpty { loop.text("filler", filler) }
    loop.number("number", number)
    loop.end()
}

/// A simple generator with a seed (SplitMix64), so that a failure repeats.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Bytes of every kind that a value may have.
    mutating func value() -> [UInt8] {
        let pieces: [[UInt8]] = [
            [0x22], [0x5C], [0x0A], [0x0D], [0x00], [0x1F], [0x20], [0x21], [0x7E], [0x7F], [0x80],
            [0x9F], [0xC2, 0x85], [0xC3, 0xA9], [0xE2, 0x80, 0xA8], [0xE2, 0x80, 0xAE],
            [0xE2, 0x81, 0xA7], [0xE2, 0x80], [0xF0, 0x9F, 0x98, 0x80], [0xED, 0xA0, 0x80], [0xFF],
            [0x65, 0xCC, 0x81],
        ]
        let length = [0, 1, 7, 8, 9, 15, 16, 17, 40, 300].randomElement(using: &self) ?? 0
        let oddPercent = [0, 0, 2, 50].randomElement(using: &self) ?? 0
        var bytes: [UInt8] = []
        while bytes.count < length {
            if Int.random(in: 0..<100, using: &self) < oddPercent {
                bytes += pieces.randomElement(using: &self) ?? []
            } else {
                bytes.append(UInt8.random(in: 0x21...0x7E, using: &self))
            }
        }
        return bytes
    }
}
