// The MIME structure of a message as the relay reads it: every multipart and leaf, with its size
// and the SHA-256 of its content without transfer encoding (FIPS 180-4).
//
// It is for people and for comparisons with other parsers; the relay itself walks a message once.

import COpenSSL
import Wire

/// A message's entities in the order of the message, and its header block.
struct MessageStructure {
    /// One multipart or leaf.
    struct Entity {
        /// Multiparts around it.
        var depth: Int
        var isMultipart: Bool
        var head: EntityHead
        /// Content without its transfer encoding; of what its head makes a file, as it is sent: without text
        /// after its base64. Nothing for a multipart.
        var byteCount = 0
        /// Lower-case hexadecimal; empty for a multipart.
        var sha256 = ""
    }

    private(set) var entities: [Entity] = []
    /// The message's header block with its blank line.
    private(set) var header: [UInt8] = []

    /// Walks a whole message. A refused message has the entities in front of the fault.
    init(of message: Bytes, charsets: CharsetCache) {
        var walker = PartWalker(charsets: charsets)
        var leaf = LeafDigest()
        var offset = 0
        var isFed = true
        while true {
            let event = isFed ? walker.next(message, &offset) : walker.finish()
            switch event {
            case .needInput: isFed = false
            case .messageHeader(let place): header = walker.bytes(place, in: message).copied()
            case .multipartStart where walker.isInPieces: break
            case .multipartStart:
                entities.append(
                    Entity(
                        depth: walker.leafDepth - 1, isMultipart: true, head: walker.leafHead))
            case .leafStart:
                leaf.begin(walker.leafHead.traits)
                let depth = walker.leafDepth - (walker.isInPieces ? 1 : 0)
                entities.append(Entity(depth: depth, isMultipart: false, head: walker.leafHead))
            case .content(let place):
                let content = walker.bytes(place, in: message).copied()
                leaf.feed(content.span)
            case .leafEnd:
                let (count, digest) = leaf.finish()
                entities[entities.count - 1].byteCount = count
                entities[entities.count - 1].sha256 = digest
            case .end, .failed: return
            }
        }
    }
}

/// Size and SHA-256 of a leaf's decoded content.
private struct LeafDigest: ~Copyable {
    private let context: OpaquePointer
    private var decoder = TransferDecoder(.identity)
    /// What a file's base64 passes first: text after it is not of the file.
    private var filter: Base64Filter?
    private var byteCount = 0

    init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    mutating func begin(_ traits: EntityTraits) {
        decoder = TransferDecoder(traits.encoding)
        let isShown = traits.media == .textPlain || traits.media == .textHTML
        let isFile = traits.isAttachment || !isShown
        filter = isFile && traits.encoding == .base64 ? Base64Filter() : nil
        byteCount = 0
        precondition(EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1, "no SHA-256")
    }

    mutating func feed(_ content: Bytes) {
        guard filter != nil else { return decodeAll(content) }
        var taken = 0
        while taken < content.count {
            passFilter { filter, region in
                taken += filter.feed(content.extracting(taken...), into: &region)
                return true
            }
        }
    }

    private mutating func decodeAll(_ content: Bytes) {
        var taken = 0
        while taken < content.count {
            decode { decoder, region in
                taken += decoder.feed(content.extracting(taken...), into: &region)
                return true
            }
        }
    }

    mutating func finish() -> (count: Int, sha256: String) {
        while !passFilter({ $0.finish(into: &$1) }) {}
        while !decode({ $0.finish(into: &$1) }) {}
        let hex = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { digest in
            var length: UInt32 = 0
            precondition(EVP_DigestFinal_ex(context, digest.baseAddress, &length) == 1)
            return digest.prefix(Int(length)).map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined()
        }
        return (byteCount, hex)
    }

    /// One step of the filter, if there is one, and the decoding of what it lets through.
    @discardableResult
    private mutating func passFilter(_ step: (inout Base64Filter, inout Region) -> Bool) -> Bool {
        guard var passing = filter else { return true }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 8_192) { memory in
            var region = Region(memory)
            let isDone = step(&passing, &region)
            filter = passing
            decodeAll(region.bytes)
            return isDone
        }
    }

    @discardableResult
    private mutating func decode(
        _ step: (inout TransferDecoder, inout Region) -> Bool
    ) -> Bool {
        let context = context
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 8_192) { memory in
            var region = Region(memory)
            let isDone = step(&decoder, &region)
            byteCount += region.count
            precondition(EVP_DigestUpdate(context, memory.baseAddress, region.count) == 1)
            return isDone
        }
    }
}
