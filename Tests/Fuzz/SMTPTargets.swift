// Fuzz targets for a client's bytes before a message: command lines, and the framing of DATA.

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
    default: break
    }
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
