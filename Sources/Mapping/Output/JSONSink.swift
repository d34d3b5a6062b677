// Where the mapper's JSON goes: straight into an API request, or into a buffer that holds it back.
//
// Transforms write through `drive`: a transform that needs several bytes at once gets them even at
// the very end of a slab. What is written here is always whole JSON tokens, or the inside of one
// string, escaped.

import APIClient
import Reactor
import Wire

/// A place for JSON text. Used again from message to message; owns no byte of its targets.
package final class JSONSink {
    /// Invalid UTF-8 that `string` and `escaped` wrote as U+FFFD, since `begin`.
    private(set) var replacedCount = 0

    private var request: RequestBody?
    private var held: SpillBuffer?
    private var bodies = WrittenBodies()

    package init() {}

    /// What follows goes to `request`, or to nowhere.
    package func aim(at request: RequestBody?) {
        self.request = request
        held = nil
    }

    /// A new message: what follows goes to `request`.
    func begin(_ request: RequestBody) {
        replacedCount = 0
        bodies = WrittenBodies()
        aim(at: request)
    }

    /// What follows goes to `buffer`.
    func hold(in buffer: SpillBuffer) {
        held = buffer
        request = nil
    }

    /// Lets go of its targets, until `begin`.
    func rest() { aim(at: nil) }

    /// Whether JSON goes into a request, and is not held back.
    var isRequest: Bool { request != nil }

    /// Whether JSON goes into a request that was never longer than `bytes`.
    func isRequest(within bytes: Int) -> Bool {
        request.map { bodies.isWithin(bytes, $0) } ?? false
    }

    /// A body begins that may be removed; what follows up to `endBody` is its field. The one before
    /// with the same key is removed.
    func beginBody(isHTML: Bool) {
        if let request { bodies.begin(isHTML: isHTML, in: request) }
    }

    func endBody(isHTML: Bool) {
        if let request { bodies.end(isHTML: isHTML, in: request) }
    }

    /// Only while nothing of the request can have left.
    func removeBody(isHTML: Bool) {
        if let request { bodies.remove(isHTML: isHTML, from: request) }
    }

    /// The text of a body, unescaped, in pieces; when it may be removed.
    func readBody(isHTML: Bool, _ take: (Bytes) -> Void) {
        if let request { bodies.read(isHTML: isHTML, from: request, take) }
    }

    /// Lets `body` write into free memory: at least one byte of room.
    @inline(__always)
    func write<R>(_ body: (inout Region) -> R) -> R {
        if let request {
            var region = request.beginWriting()
            let result = body(&region)
            request.endWriting(region.count)
            return result
        }
        if let held { return held.write(body) }
        preconditionFailure("JSON written without a target")
    }

    /// Calls `step` with one region after the other until it says that it is done.
    @inline(__always)
    func drive(_ step: (inout Region) -> Bool) {
        while true {
            var written = 0
            let isDone = write { region in
                let isDone = step(&region)
                written = region.count
                return isDone
            }
            if isDone { return }
            if written == 0 && driveAcross(step) { return }
        }
    }

    /// One step into a region of its own, for a token that does not fit into the rest of a slab.
    private func driveAcross(_ step: (inout Region) -> Bool) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { memory in
            var region = Region(memory)
            let isDone = step(&region)
            precondition(isDone || region.count > 0, "a transform makes no progress")
            copy(region.bytes)
            return isDone
        }
    }

    /// Copies JSON punctuation and keys.
    package func literal(_ text: StaticString) {
        text.withUTF8Buffer { copy($0.span) }
    }

    /// Copies text that is JSON already.
    func copy(_ bytes: Bytes) {
        if let request { return request.append(bytes) }
        held?.append(bytes)
    }

    /// Writes `text` as a JSON string with its quotes.
    package func string(_ text: Bytes) {
        literal("\"")
        escaped(text)
        literal("\"")
    }

    /// Writes `text` as a part of a JSON string whose quotes are the caller's.
    func escaped(_ text: Bytes) {
        var escaper = JSONEscaper()
        var taken = 0
        drive { region in
            taken += escaper.feed(text.extracting(taken...), into: &region)
            return taken == text.count && escaper.finish(into: &region)
        }
        replacedCount += escaper.replacedCount
    }

    /// Writes `Name <addr>`, or the address alone when there is no name, as a part of a JSON
    /// string whose quotes are the caller's.
    func mailbox(_ displayName: Bytes, _ address: Bytes, using scratch: MapperScratch) {
        guard displayName.count > 0 else { return escaped(address) }
        var region = scratch.mailboxRegion(forTextOf: displayName.count + address.count)
        AddressParser.format(displayName: displayName, address: address, into: &region)
        escaped(region.bytes)
    }
}
