// Fuzz targets for JSON, base64 and HTTP/1.1.

import Wire

let jsonReaderTarget = FuzzTarget(name: "JSONReader") { bytes in
    var reader = JSONReader()
    var tokens = 0
    reading: while true {
        switch reader.next(bytes) {
        case .end: break reading
        case .invalid(let at):
            require(at >= 0 && at <= bytes.count, "invalid at a place outside the input")
            break reading
        case .key(let range), .string(let range):
            requireInside(range, bytes)
            _ = JSONReader.unescaped(bytes, range)
        case .number(let range): requireInside(range, bytes)
        default: break
        }
        tokens += 1
        require(tokens <= bytes.count * 2 + 2, "more tokens than bytes")
    }
}

/// For any input, the output is a JSON string that the reader accepts; cut or whole, the same one.
let jsonEscaperTarget = FuzzTarget(name: "JSONEscaper") { bytes in
    let whole = escaped(bytes, cutAt: bytes.count, regionBytes: 4_096)
    let split = escaped(bytes, cutAt: bytes.count / 2, regionBytes: 16)
    require(whole == split, "split differs")
    let text = [0x22] + whole + [0x22]
    var reader = JSONReader()
    guard case .string = reader.next(text.span) else { fatalError("not a JSON string") }
    guard case .end = reader.next(text.span) else { fatalError("more than a JSON string") }
    require(String(validating: whole, as: UTF8.self) != nil, "not valid UTF-8")
}

private func escaped(_ bytes: Bytes, cutAt cut: Int, regionBytes: Int) -> [UInt8] {
    var escaper = JSONEscaper(lineEnds: .lineFeed)
    var offset = 0
    return collect(size: regionBytes) { region in
        while offset < bytes.count {
            let end = offset < cut ? cut : bytes.count
            let taken = escaper.feed(bytes.extracting(offset..<end), into: &region)
            offset += taken
            if offset < end { return false }
        }
        return escaper.finish(into: &region)
    }
}

/// The filter's text decodes to the same bytes as the decoder's result for the same input.
let base64Target = FuzzTarget(name: "Base64") { bytes in
    var filter = Base64Filter()
    var offset = 0
    let text = collect(size: 64) { region in
        offset += filter.feed(bytes.extracting(offset..<bytes.count), into: &region)
        return offset == bytes.count && filter.finish(into: &region)
    }
    require(text.count % 4 == 0, "not whole quads")
    var decoder = Base64Decoder()
    offset = 0
    let decoded = collect(size: 64) { region in
        offset += decoder.feed(text.span.extracting(offset..<text.count), into: &region)
        return offset == text.count && decoder.finish(into: &region)
    }
    require(decoder.strayCount == 0, "the filter let a stray byte through")
    require(decoded.count == filter.decodedCount, "the filter's count is wrong")
    var encoder = Base64Encoder()
    offset = 0
    let again = collect(size: 64) { region in
        offset += encoder.feed(decoded.span.extracting(offset..<decoded.count), into: &region)
        return offset == decoded.count && encoder.finish(into: &region)
    }
    require(again == text, "not the canonical text")
}

let responseHeadTarget = FuzzTarget(name: "HTTPResponseHead") { bytes in
    guard case .head(let head) = HTTPResponseHead.parse(bytes) else { return }
    require(head.headBytes <= bytes.count && head.status >= 100 && head.status < 1_000, "bad head")
    if let range = head.requestID { requireInside(range, bytes) }
    if let range = head.retryAfter { requireInside(range, bytes) }
}

let requestHeadTarget = FuzzTarget(name: "HTTPRequestHead") { bytes in
    guard case .head(let head) = HTTPRequestHead.parse(bytes) else { return }
    require(head.headBytes <= bytes.count, "bad head")
    requireInside(head.method, bytes)
    requireInside(head.target, bytes)
    for range in [head.authorization, head.contentType, head.host] {
        if let range { requireInside(range, bytes) }
    }
}

/// Cut or whole, chunked framing gives the same content and the same verdict.
let chunkedTarget = FuzzTarget(name: "ChunkedDecoder") { bytes in
    let whole = dechunked(bytes, cutAt: bytes.count)
    let split = dechunked(bytes, cutAt: bytes.count / 3)
    require(whole.content == split.content && whole.end == split.end, "split differs")
}

private func dechunked(_ bytes: Bytes, cutAt cut: Int) -> (content: [UInt8], end: String) {
    var decoder = ChunkedDecoder()
    var content: [UInt8] = []
    for range in [0..<cut, cut..<bytes.count] {
        let input = bytes.extracting(range)
        var offset = 0
        reading: while true {
            switch decoder.next(input, &offset) {
            case .content(let range):
                content.append(contentsOf: input.extracting(range).copied())
            case .needInput: break reading
            case .end(let next): return (content, "end \(range.lowerBound + next)")
            case .invalid(let reason): return (content, "invalid \(reason)")
            }
        }
    }
    return (content, "open")
}
