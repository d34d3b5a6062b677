// The lines that one loop writes for every message and every login.
//
// A line is encoded straight into memory of the loop's own, without an allocation or a lock; the log's
// thread takes it within some milliseconds. Lines of one loop keep their order, among those that
// `EventLog` writes on the same loop, too. When too many wait, a line is dropped and counted. Keys and
// bodies are never passed in here.

import Logging

/// The log of one loop; used on its thread only.
///
/// `begin`, then the fields in the order of their keys, then `end`. Values may hold what a peer sent:
/// they are escaped. A log that is swift-log's alone gets the same events through swift-log.
package final class LoopLog {
    /// A line with less room begins in the next slab.
    private static let usualLineBytes = 1_024

    /// Where lines go that are encoded here.
    private struct Route {
        let writer: LogWriter
        let stream: LogStream
    }

    /// An event for swift-log.
    private struct Event {
        var level: Logger.Level
        var name: StaticString
        var fields: Logger.Metadata
    }

    private let log: EventLog
    private let control: LogControl
    private let route: Route?
    private var encoder: LineEncoder
    private var clock = LineClock()
    /// The position in the stream of the slab's first byte, and of the line.
    private var slabStart = 0
    private var lineStart = 0
    /// A line has moved to a slab that nobody was asked for, so more may wait than should.
    private var isOver = false
    /// Between `begin` and `end`, when swift-log writes.
    private var event: Event?

    package init(_ log: EventLog) {
        self.log = log
        control = log.control
        let slab = LogSlab(capacity: log.direct == nil ? 1 : LogSlab.usualBytes)
        encoder = LineEncoder(format: log.direct?.format ?? .text, slab: slab)
        route = log.direct.map { direct in
            Route(writer: direct.writer, stream: direct.writer.addStream(first: slab))
        }
    }

    deinit { route?.stream.close() }

    /// Begins a line. False when it is not to be written: the level is not logged, or too many wait.
    package func begin(_ level: Logger.Level, _ name: StaticString) -> Bool {
        guard control.allows(level) else { return false }
        guard route != nil else {
            event = Event(level: level, name: name, fields: [:])
            return true
        }
        if isOver || encoder.cursor.room < Self.usualLineBytes {
            guard hasRoom() else { return false }
        }
        lineStart = slabStart + encoder.cursor.count
        let writing = UnsafeRawBufferPointer(
            start: name.utf8Start, count: name.utf8CodeUnitCount)
        clock.read()
        clock.withText { encoder.begin(level, writing, time: $0) }
        return true
    }

    /// The line is whole.
    package func end() {
        guard route != nil else {
            if let event { log.write(event.level, event.name, event.fields) }
            event = nil
            return
        }
        encoder.end()
        if encoder.cursor.hasMoved {
            slabStart = lineStart
            route?.stream.extend(with: encoder.cursor.slab, at: lineStart)
            isOver = true
        }
        route?.stream.publish(slabStart + encoder.cursor.count)
        route?.writer.lineWaits()
    }

    /// Whether a line may be written: in the slab in use, or in the next one. If not, it is counted.
    @inline(never)
    private func hasRoom() -> Bool {
        guard let route else { return false }
        guard route.stream.isWithinBudget else {
            route.writer.dropLine()
            return false
        }
        isOver = false
        guard encoder.cursor.room < Self.usualLineBytes else { return true }
        let end = slabStart + encoder.cursor.count
        guard let slab = route.stream.extend(at: end) else {
            route.writer.dropLine()
            return false
        }
        slabStart = end
        encoder.use(slab)
        route.writer.hurry()
        return true
    }

    // MARK: Fields

    package func text(_ key: StaticString, _ value: String) {
        guard route != nil else { return forward(key, value) }
        var value = value
        value.withUTF8 { encoder.field(Self.bytes(key), UnsafeRawBufferPointer($0)) }
    }

    /// A word of the relay's own: printable ASCII, without blanks, quotes and backslashes.
    package func word(_ key: StaticString, _ value: String) {
        assert(value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C })
        guard route != nil, !value.isEmpty else { return text(key, value) }
        var value = value
        value.withUTF8 { encoder.field(Self.bytes(key), plain: UnsafeRawBufferPointer($0)) }
    }

    /// The same as `text`, left out when empty.
    package func optional(_ key: StaticString, _ value: String) {
        if !value.isEmpty { text(key, value) }
    }

    /// UTF-8; what is not becomes U+FFFD.
    package func text(_ key: StaticString, _ value: [UInt8]) {
        guard route != nil else { return forward(key, String(decoding: value, as: UTF8.self)) }
        value.withUnsafeBytes { encoder.field(Self.bytes(key), $0) }
    }

    package func number(_ key: StaticString, _ value: Int) {
        guard route != nil else { return forward(key, "\(value)") }
        encoder.field(Self.bytes(key), decimal: value)
    }

    /// Sixteen lower-case digits.
    package func hexadecimal(_ key: StaticString, _ value: UInt64) {
        guard route != nil else { return forward(key, Log.hexadecimal(value)) }
        encoder.field(Self.bytes(key), hexadecimal: value)
    }

    private func forward(_ key: StaticString, _ value: String) {
        event?.fields["\(key)"] = .string(value)
    }

    @inline(__always)
    private static func bytes(_ key: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
    }
}
