// Fuzz targets for a client's bytes before a message: command lines, and the framing of DATA and
// BDAT.

import Wire

let commandTarget = FuzzTarget(name: "Command") { bytes in
    let command = Command.parse(bytes)
    switch command {
    case .ehlo(let range), .helo(let range): requireInside(range, bytes)
    case .mail(let mail): requireInside(mail.path, bytes)
    case .rcpt(let recipient): requireInside(recipient.path, bytes)
    case .auth(let mechanism, let initial):
        requireInside(mechanism, bytes)
        if let initial { requireInside(initial, bytes) }
    case .bdat(let bdat):
        require(bdat.size >= 0 && bdat.size < .max, "a chunk without an end")
        require(isPlainSize(bdat.size, in: bytes), "a size that is not the one in the line")
    case .malformed(let fault) where isBdat(bytes): require(fault == .badChunk, "not refused")
    default: require(!isBdat(bytes), "BDAT as another command")
    }
}

/// The line says BDAT, so that a payload may follow.
private func isBdat(_ line: Bytes) -> Bool {
    var text = line.copied()[...]
    while let first = text.first, first == 0x20 || first == 0x09 { text.removeFirst() }
    // `BDAT:` is a header's name, and ends the session as well.
    let isHeader = text.prefix { $0 != 0x20 && $0 != 0x09 }.last == 0x3A
    return !isHeader && text.prefix(4).map { $0 & 0xDF }.elementsEqual(Array("BDAT".utf8))
}

/// The second word is this number in decimal, without anything else.
private func isPlainSize(_ size: Int, in line: Bytes) -> Bool {
    let words = line.copied().split { $0 == 0x20 || $0 == 0x09 }
    return words.count > 1 && words[1].elementsEqual(Array("\(size)".utf8))
}

/// The first byte decides where the rest is cut, the second one how long chunks are. Cut or whole,
/// the content is what was sent.
let chunkReaderTarget = FuzzTarget(name: "ChunkReader") { bytes in
    guard bytes.count > 2 else { return }
    let message = bytes.extracting(2..<bytes.count)
    let size = Int(bytes[1])
    for cut in [min(Int(bytes[0]), message.count), message.count] {
        let read = readChunks(message, of: size, cutAt: cut)
        let whole = size == 0 ? 0 : message.count / size * size
        require(read.content == message.extracting(0..<whole).copied(), "other content")
        let end = read.content.suffix(2)
        require(
            read.endsLine == (end.isEmpty || end.elementsEqual([0x0D, 0x0A])), "another line end")
    }
}

/// Reads as many whole chunks of `size` bytes as there are.
private func readChunks(
    _ bytes: Bytes, of size: Int, cutAt cut: Int
) -> (content: [UInt8], endsLine: Bool) {
    var reader = ChunkReader()
    var content: [UInt8] = []
    var chunksLeft = size == 0 ? 1 : bytes.count / size
    if chunksLeft > 0 { reader.begin(size: size) }
    for range in [0..<cut, cut..<bytes.count] {
        let input = bytes.extracting(range)
        var offset = 0
        reading: while chunksLeft > 0 {
            switch reader.next(input, &offset) {
            case .content(let range):
                content.append(contentsOf: input.extracting(range).copied())
            case .needInput: break reading
            case .end:
                chunksLeft -= 1
                if chunksLeft > 0 { reader.begin(size: size) }
            }
        }
    }
    return (content, reader.endsLine)
}

/// The first byte decides where the rest is cut. Cut or whole, the reader must give the same
/// result, and never pass on the end mark.
let dotReaderTarget = FuzzTarget(name: "DotReader") { bytes in
    guard bytes.count > 1 else { return }
    let message = bytes.extracting(1..<bytes.count)
    let cut = min(Int(bytes[0]), message.count)
    let whole = readData(message, cutAt: message.count)
    let split = readData(message, cutAt: cut)
    require(whole.content == split.content && whole.hasEnded == split.hasEnded, "split differs")
    let isEndInside = contains(whole.content, "\r\n.\r\n") && !contains(message.copied(), "\r\n..")
    require(!isEndInside, "the end of data was passed on")
}

private func readData(_ bytes: Bytes, cutAt cut: Int) -> (content: [UInt8], hasEnded: Bool) {
    var reader = DotReader()
    var content: [UInt8] = []
    for range in [0..<cut, cut..<bytes.count] {
        let input = bytes.extracting(range)
        var offset = 0
        reading: while true {
            switch reader.next(input, &offset) {
            case .content(let range):
                content.append(contentsOf: input.extracting(range).copied())
            case .literalCR: content.append(0x0D)
            case .needInput: break reading
            case .end: return (content, true)
            }
        }
    }
    return (content, false)
}

private func contains(_ bytes: [UInt8], _ text: StaticString) -> Bool {
    let needle = Array("\(text)".utf8)
    guard bytes.count >= needle.count else { return false }
    return (0...bytes.count - needle.count).contains {
        bytes[$0..<$0 + needle.count].elementsEqual(needle)
    }
}

/// Whole or in pieces, a PROXY header has the same meaning, and the reader takes no byte too many.
let proxyHeaderTarget = FuzzTarget(name: "ProxyHeader") { bytes in
    var reader = ProxyHeaderReader()
    let whole = reader.take(bytes)
    require(whole.used <= ProxyHeaderReader.binaryBytesMax, "a header without a bound")
    require(whole.step != .needsInput || whole.used == bytes.count, "bytes were left over")
    var cut = ProxyHeaderReader()
    var used = 0
    var step = ProxyHeaderReader.Step.needsInput
    for length in pieces(of: bytes) where step == .needsInput {
        let taken = cut.take(bytes.extracting(used..<used + length))
        used += taken.used
        step = taken.step
    }
    require(step == whole.step && used == whole.used, "split differs")
}

func requireInside(_ range: Range<Int>, _ bytes: Bytes) {
    require(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a range outside the input")
}
