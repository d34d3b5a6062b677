// The records of a TLS 1.3 connection after its handshake (RFC 8446 section 5): sealed straight
// into the output queue, opened straight from the backend's buffer.
//
// OpenSSL copies each record twice in each direction, and allocates for it. This code copies only
// records that a receive has cut, and an idle connection has no buffer. OpenSSL keeps the
// handshake, and all of TLS 1.2. Peers are hostile: nothing is delivered before its tag is checked.

/// What a record carries (RFC 8446 section 5.1).
enum TLSContent {
    static let changeCipherSpec: UInt8 = 20
    static let alert: UInt8 = 21
    static let handshake: UInt8 = 22
    static let applicationData: UInt8 = 23
}

/// Alerts that are sent and read here (RFC 8446 section 6).
enum TLSAlert {
    static let closeNotify: UInt8 = 0
    static let unexpectedMessage: UInt8 = 10
    static let badRecordMAC: UInt8 = 20
    static let recordOverflow: UInt8 = 22
    static let illegalParameter: UInt8 = 47
    static let decodeError: UInt8 = 50
    static let internalError: UInt8 = 80
    static let userCanceled: UInt8 = 90
}

/// Writes records.
struct TLSRecordSealer {
    static let headerBytes = 5
    /// Content up to this size is copied to the place that it is sent from, and encrypted there in
    /// one call.
    private static let inPlaceBytesMax = 1_024

    private let key: TLSTrafficKey
    private let contentBytesMax: Int

    /// - Parameter contentBytesMax: the most that one record may hold, up to 16,384.
    init(key: TLSTrafficKey, contentBytesMax: Int = Stream.recordBytesMax) {
        self.key = key
        self.contentBytesMax = contentBytesMax
    }

    /// Appends records with all of `content`, as many as it takes.
    /// - Returns: false when OpenSSL refuses; the connection cannot continue then.
    func seal(
        _ content: UnsafeRawBufferPointer, type: UInt8 = TLSContent.applicationData,
        into output: OutputQueue
    ) -> Bool {
        var offset = 0
        while offset < content.count {
            let count = min(contentBytesMax, content.count - offset)
            let piece = UnsafeRawBufferPointer(rebasing: content[offset..<offset + count])
            guard sealRecord(piece.bindMemory(to: UInt8.self), type, output) else { return false }
            offset += count
        }
        return true
    }

    /// A KeyUpdate that asks for none in return, and then the next key (RFC 8446 section 4.6.3).
    func sealKeyUpdate(into output: OutputQueue) -> Bool {
        withUnsafeBytes(of: (24, 0, 0, 1, 0) as (UInt8, UInt8, UInt8, UInt8, UInt8)) {
            seal($0, type: TLSContent.handshake, into: output)
        } && updateKey()
    }

    /// The next key, after a KeyUpdate.
    func updateKey() -> Bool { key.update() }

    /// - Parameter level: 1 is a warning, 2 is fatal.
    func sealAlert(_ alert: UInt8, level: UInt8, into output: OutputQueue) -> Bool {
        withUnsafeBytes(of: (level, alert)) {
            seal($0, type: TLSContent.alert, into: output)
        }
    }

    /// Appends one record, whose content may be longer than a peer accepts.
    func sealRecord(
        _ content: UnsafeBufferPointer<UInt8>, _ type: UInt8, _ output: OutputQueue
    ) -> Bool {
        if key.isWorn, type == TLSContent.applicationData {
            guard sealKeyUpdate(into: output) else { return false }
        }
        let body = content.count + 1 + TLSTrafficKey.tagBytes
        let header: (UInt8, UInt8, UInt8, UInt8, UInt8) = (
            TLSContent.applicationData, 3, 3, UInt8(body >> 8), UInt8(body & 0xFF)
        )
        return withUnsafeBytes(of: header) { header in
            output.append(header)
            guard
                key.begin(
                    header: header.baseAddress!.assumingMemoryBound(to: UInt8.self), tag: nil)
            else { return false }
            let room = output.reserve()
            if content.count <= Self.inPlaceBytesMax, room.count >= body {
                return sealInPlace(content, type, room, output)
            }
            return sealPiecewise(content, type, output)
        }
    }

    private func sealInPlace(
        _ content: UnsafeBufferPointer<UInt8>, _ type: UInt8,
        _ room: UnsafeMutableBufferPointer<UInt8>, _ output: OutputQueue
    ) -> Bool {
        let place = room.baseAddress!
        place.update(from: content.baseAddress!, count: content.count)
        place[content.count] = type
        let innerCount = content.count + 1
        guard key.transform(place, innerCount, into: place), key.seal(tag: place + innerCount)
        else { return false }
        output.commit(innerCount + TLSTrafficKey.tagBytes)
        return true
    }

    private func sealPiecewise(
        _ content: UnsafeBufferPointer<UInt8>, _ type: UInt8, _ output: OutputQueue
    ) -> Bool {
        guard transform(content, output) else { return false }
        let ended = withUnsafeBytes(of: type) {
            transform($0.bindMemory(to: UInt8.self), output)
        }
        return ended
            && withUnsafeTemporaryAllocation(of: UInt8.self, capacity: TLSTrafficKey.tagBytes) {
                guard key.seal(tag: $0.baseAddress!) else { return false }
                output.append(UnsafeRawBufferPointer($0))
                return true
            }
    }

    /// Encrypts from the caller's memory into as many slabs as it takes.
    private func transform(
        _ content: UnsafeBufferPointer<UInt8>, _ output: OutputQueue
    ) -> Bool {
        var offset = 0
        while offset < content.count {
            let room = output.reserve()
            let count = min(room.count, content.count - offset)
            guard key.transform(content.baseAddress! + offset, count, into: room.baseAddress!)
            else { return false }
            output.commit(count)
            offset += count
        }
        return true
    }
}

/// Where the input of an opener has ended.
struct TLSRecordCut: Equatable {
    /// Bytes of the last record, its header included; 0 before there was one.
    var recordBytes: Int
    /// Bytes that it lacks; 0 when the input has ended where it does.
    var missingBytes: Int
}

/// Finds and opens records, at whatever places receives cut them.
final class TLSRecordOpener {
    /// The result for some input.
    enum Verdict {
        /// The input is used up.
        case needsInput
        /// A record was opened: its type and how many bytes of content lie at the destination.
        case record(type: UInt8, count: Int)
        /// The peer broke the protocol; the alert says how.
        case failed(alert: UInt8, reason: String)
    }

    /// Most bytes of a record after its header: content, type, padding and tag. RFC 8446 section 5.2
    /// allows more, and section 5.4 then refuses it: the content with its padding is too long.
    static let bodyBytesMax = 16_384 + 1 + TLSTrafficKey.tagBytes
    /// Room that `next` needs at its destination.
    static let roomBytes = bodyBytesMax - TLSTrafficKey.tagBytes
    /// What a record that is cut gets at first.
    private static let firstBodyBytes = 4_096
    /// Most key updates of one connection; more than that is an attack.
    private static let updatesMax = 64

    private let key: TLSTrafficKey
    /// A record that a receive has cut: its header, and the body when its length is known.
    private var header: (UInt8, UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0, 0)
    private var headerCount = 0
    private var body: UnsafeMutablePointer<UInt8>?
    private var bodyCount = 0
    private var bodyCapacity = 0
    /// Bytes of the last record of which the header was whole.
    private var recordBytes = 0
    private var updates = 0
    private let contentBytesMax: Int

    /// - Parameter contentBytesMax: the most that the peer may put into a record.
    init(key: TLSTrafficKey, contentBytesMax: Int = Stream.recordBytesMax) {
        self.key = key
        self.contentBytesMax = contentBytesMax
    }

    deinit { body?.deallocate() }

    /// Where the input so far has ended. A record of which not even the header is whole is taken to be as
    /// long as the one before.
    var cut: TLSRecordCut {
        let missing = headerCount == 0 ? 0 : max(0, recordBytes - headerCount - bodyCount)
        return TLSRecordCut(recordBytes: recordBytes, missingBytes: missing)
    }

    /// The next record of `input` from `offset` on, which is moved forward.
    /// - Parameter destination: at least `roomBytes`; holds the content afterwards.
    func next(
        _ input: UnsafeRawBufferPointer, _ offset: inout Int,
        into destination: UnsafeMutableRawPointer
    ) -> Verdict {
        let bytes = input.bindMemory(to: UInt8.self)
        if headerCount > 0 { return resume(bytes, &offset, destination) }
        let left = bytes.count - offset
        guard left >= TLSRecordSealer.headerBytes else { return keep(bytes, &offset, destination) }
        let start = bytes.baseAddress! + offset
        let count = Int(start[3]) << 8 | Int(start[4])
        if let fault = Self.fault(start, count) { return fault }
        guard left >= TLSRecordSealer.headerBytes + count else {
            return keep(bytes, &offset, destination)
        }
        recordBytes = TLSRecordSealer.headerBytes + count
        offset += recordBytes
        return open(start, start + TLSRecordSealer.headerBytes, count, destination)
    }

    /// Moves to the peer's next key.
    /// - Returns: false when that failed, or when the peer does it too often.
    func update() -> Bool {
        updates += 1
        return updates <= Self.updatesMax && key.update()
    }

    /// Takes the beginning of a record out of the input.
    private func keep(
        _ input: UnsafeBufferPointer<UInt8>, _ offset: inout Int,
        _ destination: UnsafeMutableRawPointer
    ) -> Verdict {
        guard offset < input.count else { return .needsInput }
        return resume(input, &offset, destination)
    }

    private func resume(
        _ input: UnsafeBufferPointer<UInt8>, _ offset: inout Int,
        _ destination: UnsafeMutableRawPointer
    ) -> Verdict {
        while headerCount < TLSRecordSealer.headerBytes {
            guard offset < input.count else { return .needsInput }
            withUnsafeMutableBytes(of: &header) { $0[headerCount] = input[offset] }
            headerCount += 1
            offset += 1
        }
        let count = Int(header.3) << 8 | Int(header.4)
        if body == nil {
            let fault = withUnsafeBytes(of: header) {
                Self.fault($0.baseAddress!.assumingMemoryBound(to: UInt8.self), count)
            }
            if let fault { return fault }
            recordBytes = TLSRecordSealer.headerBytes + count
        }
        let taken = min(count - bodyCount, input.count - offset)
        let memory = reserve(bodyCount + taken, of: count)
        if taken > 0 {
            (memory + bodyCount).update(from: input.baseAddress! + offset, count: taken)
        }
        bodyCount += taken
        offset += taken
        guard bodyCount == count else { return .needsInput }
        defer {
            memory.deallocate()
            body = nil
            bodyCount = 0
            headerCount = 0
        }
        return withUnsafeBytes(of: header) {
            open($0.baseAddress!.assumingMemoryBound(to: UInt8.self), memory, count, destination)
        }
    }

    /// Memory for the first `used` bytes of a body. A length that a stranger only announces costs 4
    /// KiB at most.
    private func reserve(_ used: Int, of count: Int) -> UnsafeMutablePointer<UInt8> {
        if let body, used <= bodyCapacity { return body }
        bodyCapacity = used <= Self.firstBodyBytes ? min(count, Self.firstBodyBytes) : count
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: bodyCapacity)
        if let body {
            memory.update(from: body, count: bodyCount)
            body.deallocate()
        }
        body = memory
        return memory
    }

    private static func fault(_ header: UnsafePointer<UInt8>, _ count: Int) -> Verdict? {
        guard header[0] == TLSContent.applicationData else {
            return .failed(
                alert: TLSAlert.unexpectedMessage,
                reason: "a record of type \(header[0]) after the handshake")
        }
        guard count <= bodyBytesMax else {
            return .failed(alert: TLSAlert.recordOverflow, reason: "record too long")
        }
        guard count > TLSTrafficKey.tagBytes else {
            return .failed(alert: TLSAlert.badRecordMAC, reason: "record too short")
        }
        return nil
    }

    private func open(
        _ header: UnsafePointer<UInt8>, _ body: UnsafePointer<UInt8>, _ count: Int,
        _ destination: UnsafeMutableRawPointer
    ) -> Verdict {
        var innerCount = count - TLSTrafficKey.tagBytes
        let content = destination.assumingMemoryBound(to: UInt8.self)
        guard key.begin(header: header, tag: body + innerCount),
            key.transform(body, innerCount, into: content),
            key.isDone
        else {
            OpenSSLError.clear()
            return .failed(alert: TLSAlert.badRecordMAC, reason: "bad record mac")
        }
        // The record's type and any number of zeros follow the content (RFC 8446 section 5.4).
        while innerCount > 0, content[innerCount - 1] == 0 { innerCount -= 1 }
        guard innerCount > 0 else {
            return .failed(alert: TLSAlert.unexpectedMessage, reason: "a record without content")
        }
        guard innerCount - 1 <= contentBytesMax else {
            return .failed(alert: TLSAlert.recordOverflow, reason: "record too long")
        }
        return .record(type: content[innerCount - 1], count: innerCount - 1)
    }
}
