// Fuzz target for the whole way from a message to the JSON of a call.

import APIClient
import Foundation
import Mapping
import Reactor
import Wire

private nonisolated(unsafe) let bench = FuzzedMapper()

/// Any message is refused, or becomes valid JSON with unique keys. The JSON is the same however the
/// message is cut, and every leaf of the message is in it.
let mapperTarget = FuzzTarget(name: "Mapper") { message in
    let whole = bench.map(message, in: [message.count])
    let cut = bench.map(message, in: pieces(of: message))
    require(whole == cut, "split differs")
    guard whole.failure == nil else { return }
    let text = (whole.isGroup ? Array("{".utf8) : []) + whole.json
    require(String(validating: text, as: UTF8.self) != nil, "the request is not valid UTF-8")
    requireUniqueKeys(text)
    guard
        let parsed = try? JSONSerialization.jsonObject(with: Data(text)),
        let request = parsed as? [String: Any]
    else { return require(false, "the request is not JSON") }
    require(request["from"] is String, "no sender")
    require(whole.isGroup || request["to"] is [String], "no recipients")
    RequestBalance(request).check(
        message, losses: whole.losses, charsets: bench.charsets)
}

/// The result of a mapper for a message.
private struct FuzzedRequest: Equatable {
    var json: [UInt8] = []
    var failure: Outcome?
    var isGroup = false
    var losses = MappingLosses()
}

/// A mapper that is used again for each input, as in the relay. The envelope is always the same, so
/// that any message is a seed; the message's length chooses recipients and options.
private final class FuzzedMapper {
    let charsets = CharsetCache()
    private let slabs = SlabPool()
    private let scratch = MapperScratch()
    private let files = UnboundedFiles(folder: NSTemporaryDirectory())
    private let mappers: [MessageMapper]
    private static let addresses = ["to@example.com", "cc@example.com", "Hidden@example.com"]

    init() {
        var bare = MappingOptions()
        bare.hasBareRecipients = true
        bare.passedHeaders = ["x-mailer"]
        bare.attachmentsMax = 3
        mappers = [MappingOptions(), bare].map { [charsets, slabs, scratch] options in
            MessageMapper(
                options: options, charsets: charsets, scratch: scratch, pool: slabs,
                heldBytesMax: 16_384)
        }
    }

    func map(_ message: Bytes, in lengths: [Int]) -> FuzzedRequest {
        let mapper = mappers[message.count / 4 % 2]
        let body = RequestBody(pool: slabs)
        begin(mapper, recipientCount: message.count % 4, body)
        var start = 0
        for length in lengths where mapper.failure == nil {
            let piece = message.extracting(start..<start + length).copied()
            mapper.feed(piece.span)
            start += length
        }
        if mapper.failure == nil { mapper.finish() }
        while mapper.failure == nil && !mapper.drain(upTo: 1_000) {}
        var request = FuzzedRequest()
        request.failure = mapper.failure
        request.losses = mapper.allLosses
        request.isGroup = mapper.held != nil
        if mapper.failure == nil {
            request.json = mapper.held.map { contents(of: $0) } ?? contents(of: body)
        }
        mapper.end()
        body.discard()
        require(slabs.outstanding == 0, "slabs are left over")
        return request
    }

    /// Zero recipients stand for one that the headers do not name.
    private func begin(_ mapper: MessageMapper, recipientCount: Int, _ body: RequestBody) {
        let recipients =
            recipientCount == 0
            ? ["nobody@example.org"] : Array(Self.addresses.prefix(recipientCount))
        let sender = Array("sender@example.com".utf8)
        mapper.begin(
            sender: sender.span, recipientCount: recipients.count, files: files, into: body)
        for recipient in recipients {
            let address = Array(recipient.utf8)
            mapper.addRecipient(address.span)
        }
    }

    private func contents(of body: RequestBody) -> [UInt8] {
        body.complete()
        var bytes: [UInt8] = []
        while let slab = body.nextReady {
            bytes += slab.bytes.copied()
            body.handedOver(slab, isHeld: false)
        }
        return bytes
    }

    private func contents(of buffer: SpillBuffer) -> [UInt8] {
        written(capacity: buffer.byteCount + 1) { region in
            while region.count < buffer.byteCount {
                require(buffer.read(at: region.count, into: &region) > 0, "held bytes are gone")
            }
        }
    }
}

/// No object but `variables`, which is the sender's own, has a key twice.
private func requireUniqueKeys(_ json: [UInt8]) {
    var reader = JSONReader()
    var keys: [Set<String>] = []
    while true {
        switch reader.next(json.span) {
        case .objectStart: keys.append([])
        case .objectEnd: keys.removeLast()
        case .key(let range):
            let key = JSONReader.unescaped(json.span, range)
            require(keys[keys.count - 1].insert(key).inserted, "a key twice: \(key)")
            if key == "variables" { _ = reader.skipValue(json.span) }
        case .end: return
        case .invalid(let at): fatalError("invalid JSON at byte \(at)")
        default: continue
        }
    }
}
