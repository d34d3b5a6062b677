// Any charset to UTF-8, resumable.
//
// Promises: the output is valid UTF-8, in whole characters. A character that the end of an input
// cuts is kept (at most 16 bytes) and decoded as if it had not been cut. Every call takes input,
// writes, or finds the region too full. Bytes that cannot be decoded become U+FFFD and are counted.
// us-ascii and unknown charsets: a sequence that is valid UTF-8 stays, any other 8-bit byte is read
// as windows-1252. This is decided per character, so it needs no look ahead, and one broken
// character does not spoil its neighbours. Text without a label is ISO-2022-JP when its escapes stand
// near the start; before the first of them the two are the same. In charsets of 7 bits, 8-bit bytes
// that are valid UTF-8 are UTF-8.
// Sources: WHATWG Encoding Standard, RFC 1468, 1554, 1557, 1843, 1922, 2152, 2781.

import CEpoll.Kernels
import Glibc

/// Any charset to UTF-8, resumable. Owned by one text; its `CharsetCache` is the loop's.
package struct CharsetDecoder: ~Copyable {
    /// `feed` continues only while the region has room for this many bytes.
    package static let roomMin = 64

    private enum Mode {
        case utf8, sniffed
        case table(SingleByteTable)
        case multiByte(iconv_t, MultiByteLead)
        case shifted(iconv_t)
        case unicode
    }

    /// Characters or bytes that became U+FFFD so far.
    package private(set) var replacedCount = 0

    /// Owns the descriptor in `mode`.
    private let cache: CharsetCache
    private var mode: Mode
    private var carry = Carry()
    /// What is to be learned from the front of a text first, and how much of what it held is decoded.
    private var front: TextFront?
    private var frontTaken = 0
    /// Text without a label: bytes in which an escape of ISO-2022-JP may still come, and one that has
    /// begun.
    private var escapeBytesLeft = 0
    private var escape = Carry()
    private var shift = ShiftDecoder(.hz)
    private var unicode = UnicodeDecoder(.utf7)

    /// For a word or another piece of text. A byte order mark is taken off only from UTF-8.
    /// - Parameter cache: that of the loop that uses this decoder.
    package init(_ charset: Charset, cache: CharsetCache) {
        self.init(plain: charset, cache: cache)
        if charset.kind == .utf8 { front = TextFront(.word) }
    }

    /// For a whole text: a byte order mark counts more than `charset`, and HTML without a usable
    /// label may name its charset itself.
    /// - Parameter cache: that of the loop that uses this decoder.
    package init(text charset: Charset, isHTML: Bool, cache: CharsetCache) {
        self.init(plain: charset, cache: cache)
        let isUnlabelled = charset.kind == .undeclared || charset.kind == .unknown
        if isHTML, isUnlabelled {
            front = TextFront(.unlabelledHTML)
        } else {
            front = TextFront(charset.isWide ? .wideText : .text)
        }
    }

    /// Whether a text in UTF-8 that begins with `bytes` needs a decoder, because they may be a byte
    /// order mark.
    package static func mayBeMark(_ bytes: Bytes) -> Bool {
        bytes.count > 0 && TextFront.mayBeginMark(bytes[0])
    }

    private init(plain charset: Charset, cache: CharsetCache) {
        self.cache = cache
        mode = .sniffed
        use(charset)
    }

    private mutating func use(_ charset: Charset) {
        escapeBytesLeft = 0
        switch charset.kind {
        case .utf8: mode = .utf8
        case .usASCII, .unknown: mode = .sniffed
        case .undeclared:
            mode = .sniffed
            escapeBytesLeft = MetaCharset.frontBytesMax
        case .latin1AsWindows1252: mode = .table(.windows1252)
        case .listed(let index):
            let row = CharsetTable.rows[index]
            mode = Self.mode(of: row, index, cache)
            if case .shifted(let scheme) = row.form { shift = ShiftDecoder(scheme) }
            if case .unicode(let scheme) = row.form { unicode = UnicodeDecoder(scheme) }
        }
    }

    /// A charset that this system's iconv lacks is read as an unknown one.
    private static func mode(of row: CharsetRow, _ index: Int, _ cache: CharsetCache) -> Mode {
        switch row.form {
        case .singleByte, .userDefined: cache.table(index).map { .table($0) } ?? .sniffed
        case .multiByte(let lead):
            cache.descriptor(index).map { .multiByte($0, lead) } ?? .sniffed
        case .shifted:
            cache.descriptor(index).map { .shifted($0) } ?? .sniffed
        case .unicode: .unicode
        }
    }

    /// Decodes `input` into `output` and returns how many bytes it took: less than all only when
    /// `output` has fewer than `roomMin` bytes left.
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int {
        front == nil ? decode(input, into: &output) : feedFront(input, into: &output)
    }

    private mutating func decode(_ input: Bytes, into output: inout Region) -> Int {
        switch mode {
        case .utf8: return feedUTF8(input, into: &output, isSniffed: false)
        case .sniffed:
            guard escapeBytesLeft == 0, escape.count == 0 else {
                return feedUnlabelled(input, into: &output)
            }
            return feedUTF8(input, into: &output, isSniffed: true)
        case .table(let table):
            let result = table.convert(input, into: &output)
            replacedCount += result.replaced
            return result.taken
        case .multiByte(let descriptor, let lead):
            return feedMultiByte(input, into: &output, IconvStep(descriptor, lead))
        case .shifted(let descriptor):
            return feedShifted(input, into: &output, descriptor)
        case .unicode: return feedUnicode(input, into: &output)
        }
    }

    private mutating func feedUnicode(_ input: Bytes, into output: inout Region) -> Int {
        var taken = 0
        while taken < input.count && output.room >= Self.roomMin {
            if carry.count > 0 {
                taken += resumeForeign(with: input[taken], into: &output)
                continue
            }
            let run = unicode.takeRun(input, from: taken, into: &output)
            taken += run
            if run > 0 { continue }
            if input[taken] >= 0x80, unicode.isDirectUTF7 {
                taken += takeEightBit(input, at: taken, into: &output)
                continue
            }
            replacedCount += unicode.take(input[taken], into: &output)
            taken += 1
        }
        return taken
    }

    /// Writes U+FFFD for a cut character that is kept. False: it needs `roomMin` bytes of room;
    /// call again.
    package mutating func finish(into output: inout Region) -> Bool {
        guard output.room >= Self.roomMin else { return false }
        if front != nil {
            front?.finish()
            guard decodeHeld(into: &output), output.room >= Self.roomMin else { return false }
        }
        if escape.count > 0 {
            endEscape(into: &output)
            guard output.room >= Self.roomMin else { return false }
        }
        switch mode {
        case .utf8, .multiByte: if carry.count > 0 { replace(into: &output) }
        case .sniffed: writeAsWindows1252(carry.count, into: &output)
        case .table: break
        case .shifted(let descriptor):
            if carry.count > 0 { decodeForeignBytes(into: &output, descriptor) }
            if shift.isCut { replace(into: &output) }
        case .unicode: if unicode.isCut || carry.count > 0 { replace(into: &output) }
        }
        carry = Carry()
        return true
    }

    private mutating func replace(into output: inout Region) {
        output.append(scalar: 0xFFFD)
        replacedCount += 1
    }
}

// MARK: - The front of a text

extension CharsetDecoder {
    private mutating func feedFront(_ input: Bytes, into output: inout Region) -> Int {
        guard output.room >= Self.roomMin else { return 0 }
        var taken = 0
        if front?.isDecided == false { taken = front?.gather(input) ?? 0 }
        guard front?.isDecided == true, decodeHeld(into: &output) else { return taken }
        return taken + decode(input.extracting(taken..<input.count), into: &output)
    }

    /// Decodes what the front has held, once it is decided; false when the region is too full.
    private mutating func decodeHeld(into output: inout Region) -> Bool {
        guard let front else { return true }
        if frontTaken == 0, let charset = front.charset { use(charset) }
        if frontTaken < front.held.count {
            let held = front.held
            frontTaken += decode(held.span.extracting(frontTaken..<held.count), into: &output)
            guard frontTaken == held.count else { return false }
        }
        self.front = nil
        return true
    }

    /// Text without a label, as long as an escape of ISO-2022-JP may change what it is.
    private mutating func feedUnlabelled(_ input: Bytes, into output: inout Region) -> Int {
        var i = 0
        while i < input.count && output.room >= Self.roomMin {
            if escape.count > 0 || (escapeBytesLeft > 0 && input[i] == 0x1B) {
                escape.append(input[i])
                switch EscapeSearch.judge(escape.bytes) {
                case .needMore: i += 1
                case .yes:
                    i += 1
                    if !beginJIS(into: &output) { endEscape(into: &output) }
                case .no:
                    // The last byte is read again: it may be of a character, or an ESC.
                    escape.removeLast()
                    endEscape(into: &output)
                }
                continue
            }
            if escapeBytesLeft == 0 {
                return i + decode(input.extracting(i..<input.count), into: &output)
            }
            let window = input.extracting(i..<min(input.count, i + escapeBytesLeft))
            let end = window.firstIndex(of: 0x1B) ?? window.count
            let taken = feedUTF8(window.extracting(0..<end), into: &output, isSniffed: true)
            i += taken
            escapeBytesLeft -= taken
        }
        return i
    }

    /// The bytes of an escape are text.
    private mutating func endEscape(into output: inout Region) {
        let text = escape
        escape = Carry()
        escapeBytesLeft = max(0, escapeBytesLeft - text.count)
        if carry.count > 0 { writeInvalid(carry.count, into: &output, isSniffed: true) }
        output.append(text.bytes)
    }

    /// An escape of ISO-2022-JP came: the text is that from here on. False: iconv lacks it.
    private mutating func beginJIS(into output: inout Region) -> Bool {
        if carry.count > 0 { writeInvalid(carry.count, into: &output, isSniffed: true) }
        use(.iso2022JP)
        guard case .shifted(let descriptor) = mode else { return false }
        let sequence = escape
        escape = Carry()
        var taken = 0
        while taken < sequence.count {
            taken = convertGathered(sequence.bytes, from: taken, into: &output, descriptor)
        }
        return true
    }
}

// MARK: - UTF-8 in 7-bit text

extension CharsetDecoder {
    /// Takes a character of UTF-8 at `start`, or its cut beginning; nil when it is none.
    private mutating func takeForeign(
        _ input: Bytes, at start: Int, into output: inout Region
    ) -> Int? {
        switch UTF8Sequence.at(start, in: input) {
        case .character(let length):
            output.append(input.extracting(start..<start + length))
            return length
        case .incomplete:
            carry.keep(input.extracting(start..<input.count))
            return input.count - start
        case .invalid: return nil
        }
    }

    /// Takes 8-bit bytes of a UTF-7 text, which are UTF-8 or broken.
    private mutating func takeEightBit(
        _ input: Bytes, at start: Int, into output: inout Region
    ) -> Int {
        if let taken = takeForeign(input, at: start, into: &output) { return taken }
        replace(into: &output)
        guard case .invalid(let bytes) = UTF8Sequence.at(start, in: input) else { return 1 }
        return bytes
    }

    /// Continues such a character, which is kept. Returns 0 when `byte` is not part of it.
    private mutating func resumeForeign(
        with byte: UInt8, into output: inout Region
    ) -> Int {
        let before = carry
        carry.append(byte)
        switch UTF8Sequence.at(0, in: carry.bytes) {
        case .incomplete: return 1
        case .character:
            output.append(carry.bytes)
            carry = Carry()
            return 1
        case .invalid:
            carry = before
            if case .shifted(let descriptor) = mode {
                decodeForeignBytes(into: &output, descriptor)
            } else {
                replace(into: &output)
                carry = Carry()
            }
            return 0
        }
    }

    /// The kept bytes are no UTF-8: they are of the charset's 8-bit form.
    private mutating func decodeForeignBytes(into output: inout Region, _ home: iconv_t) {
        let kept = carry
        carry = Carry()
        shift.readEightBit()
        var taken = 0
        while taken < kept.count {
            taken = convertGathered(kept.bytes, from: taken, into: &output, home)
        }
    }
}

// MARK: - UTF-8

extension CharsetDecoder {
    private mutating func feedUTF8(
        _ input: Bytes, into output: inout Region, isSniffed: Bool
    ) -> Int {
        var i = 0
        while i < input.count && output.room >= Self.roomMin {
            if carry.count > 0 {
                i += resumeUTF8(with: input[i], into: &output, isSniffed: isSniffed)
                continue
            }
            let run = validUTF8Run(input, from: i, room: output.room)
            output.append(input.extracting(i..<run))
            i = run
            guard i < input.count && output.room >= Self.roomMin else { break }
            switch UTF8Sequence.at(i, in: input) {
            case .character: break
            case .incomplete:
                carry.keep(input.extracting(i..<input.count))
                i = input.count
            case .invalid(let bytes):
                carry.keep(input.extracting(i..<i + bytes))
                i += bytes
                writeInvalid(bytes, into: &output, isSniffed: isSniffed)
            }
        }
        return i
    }

    /// The end of the valid characters from `start`, as far as they fit in `room`.
    private func validUTF8Run(_ input: Bytes, from start: Int, room: Int) -> Int {
        let limit = min(input.count, start + room)
        var i = start
        while i < limit {
            if input[i] < 0x80 {
                i += input.withUnsafeBufferPointer {
                    ck_find_high($0.baseAddress! + i, limit - i)
                }
            } else if case .character(let length) = UTF8Sequence.at(i, in: input),
                i + length <= limit
            {
                i += length
            } else {
                break
            }
        }
        return i
    }

    /// Continues the character that is kept. Returns 0 when `byte` is not part of it.
    private mutating func resumeUTF8(
        with byte: UInt8, into output: inout Region, isSniffed: Bool
    ) -> Int {
        carry.append(byte)
        switch UTF8Sequence.at(0, in: carry.bytes) {
        case .incomplete: return 1
        case .character:
            output.append(carry.bytes)
            carry = Carry()
            return 1
        case .invalid(let bytes):
            // All that was kept, without `byte`, which may begin a character.
            writeInvalid(bytes, into: &output, isSniffed: isSniffed)
            return 0
        }
    }

    /// Writes the first `count` kept bytes, which are not UTF-8, and empties the carry.
    private mutating func writeInvalid(
        _ count: Int, into output: inout Region, isSniffed: Bool
    ) {
        if isSniffed {
            writeAsWindows1252(count, into: &output)
        } else {
            replace(into: &output)
        }
        carry = Carry()
    }

    private mutating func writeAsWindows1252(_ count: Int, into output: inout Region) {
        _ = SingleByteTable.windows1252.convert(
            carry.bytes.extracting(0..<count), into: &output)
    }
}

// MARK: - Several bytes per character, by iconv

extension CharsetDecoder {
    private mutating func feedMultiByte(
        _ input: Bytes, into output: inout Region, _ step: IconvStep
    ) -> Int {
        var i = 0
        while i < input.count && output.room >= Self.roomMin {
            if carry.count > 0 {
                carry.append(input[i])
                i += 1
                resume(into: &output, step)
                continue
            }
            // No further than there may be room, so that no byte is searched with each region.
            let window = input.extracting(i..<min(input.count, i + output.room))
            let run = window.asciiRun(from: 0)
            if run > 0 {
                i += output.append(window.extracting(0..<run))
                continue
            }
            let (taken, outcome) = step.convert(window, into: &output, replaced: &replacedCount)
            i += taken
            if outcome == .incomplete {
                keep(window.extracting(taken..<window.count), into: &output)
                i += window.count - taken
            }
        }
        return i
    }

    /// Tries the kept bytes again, now that there is one more.
    private mutating func resume(into output: inout Region, _ step: IconvStep) {
        let kept = carry
        let (taken, outcome) = step.convert(kept.bytes, into: &output, replaced: &replacedCount)
        assert(outcome != .full)
        keep(kept.bytes.extracting(taken..<kept.count), into: &output)
    }

    /// Keeps the beginning of a character. No character is as long as `Carry`; a longer one would
    /// be replaced, so the decoder never waits for it.
    private mutating func keep(_ rest: Bytes, into output: inout Region) {
        if rest.count < Carry.bytesMax {
            carry.keep(rest)
        } else {
            replace(into: &output)
            carry = Carry()
        }
    }
}

// MARK: - 7-bit with shifts

// ISO-2022-JP, ISO-2022-KR, ISO-2022-CN and HZ: `ShiftDecoder` follows the shifts and turns the
// characters into their 8-bit form (EUC), which iconv converts without a state. So the state is the
// decoder's own and can be kept between inputs, and the extra characters of code pages (NEC row 13)
// decode too. Most text between two shifts is pairs of one set; those are converted in runs. Line ends
// shift back, as the RFCs demand of the writer.

extension CharsetDecoder {
    /// Room for one character, in bytes, so that the gathered text always fits: two scalars, in JIS
    /// X 0213.
    private static let roomOfCharacter = 8
    /// Left free for what iconv needs.
    private static let roomOfFlush = 16

    private mutating func feedShifted(
        _ input: Bytes, into output: inout Region, _ home: iconv_t
    ) -> Int {
        var i = 0
        while i < input.count && output.room >= Self.roomMin {
            if carry.count > 0 {
                i += resumeForeign(with: input[i], into: &output)
                continue
            }
            if shift.mayBeForeign(input[i]) {
                if let foreign = takeForeign(input, at: i, into: &output) {
                    i += foreign
                    continue
                }
                shift.readEightBit()
            }
            if shift.isPlain {
                let run = plainRun(input, from: i, room: output.room)
                if run > i {
                    i += output.append(input.extracting(i..<run))
                    continue
                }
            }
            if let repertoire = shift.pairs {
                let taken = convertPairs(input, from: i, into: &output, step(repertoire, home))
                i += taken
                if taken > 0 { continue }
            }
            i = convertGathered(input, from: i, into: &output, home)
        }
        return i
    }

    /// Takes bytes one by one until text begins that converts faster, or that is of another
    /// repertoire; returns where it stopped.
    private mutating func convertGathered(
        _ input: Bytes, from start: Int, into output: inout Region, _ home: iconv_t
    ) -> Int {
        let charactersMax = min(
            GatheredCharacters.charactersMax,
            (output.room - Self.roomOfFlush) / Self.roomOfCharacter)
        var gathered = GatheredCharacters()
        let repertoire = shift.repertoire
        var i = start
        repeat {
            shift.take(input[i], into: &gathered)
            i += 1
        } while i < input.count && !shift.isPlain && shift.pairs == nil
            && shift.repertoire == repertoire && !shift.mayBeForeign(input[i])
            && gathered.characters + ShiftDecoder.charactersMax <= charactersMax
        convert(gathered.bytes, into: &output, step(repertoire, home))
        return i
    }

    /// Converts the pairs of printable bytes from `start`; returns how many bytes it took.
    private mutating func convertPairs(
        _ input: Bytes, from start: Int, into output: inout Region, _ step: IconvStep
    ) -> Int {
        let pairsMax = min(256, (output.room - Self.roomOfFlush) / Self.roomOfCharacter)
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 512) { memory in
            var count = 0
            while count < 2 * pairsMax, start + count + 1 < input.count,
                shift.isPairByte(input[start + count]), input[start + count + 1] &- 0x21 < 94
            {
                memory[count] = input[start + count] | 0x80
                memory[count + 1] = input[start + count + 1] | 0x80
                count += 2
            }
            let pairs = UnsafeMutableBufferPointer(rebasing: memory[0..<count])
            convert(UnsafeBufferPointer(pairs).span, into: &output, step)
            return count
        }
    }

    private mutating func convert(
        _ bytes: Bytes, into output: inout Region, _ step: IconvStep
    ) {
        let (taken, outcome) = step.convert(bytes, into: &output, replaced: &replacedCount)
        assert(outcome != .full)
        if taken < bytes.count { replace(into: &output) }
    }

    /// How the 8-bit form of a repertoire is converted.
    private func step(_ repertoire: ShiftRepertoire, _ home: iconv_t) -> IconvStep {
        let lead: MultiByteLead
        switch repertoire {
        case .home: return IconvStep(home, shift.homeLead)
        case .chinese: lead = .gb
        case .korean: lead = .uhc
        case .taiwanese: lead = .eucTW
        case .japanese2004: lead = .eucJISX0213
        }
        let descriptor = cache.descriptor(CharsetTable.row(of: lead))
        return descriptor.map { IconvStep($0, lead) } ?? IconvStep(home, shift.homeLead)
    }

    /// The end of the bytes from `start` that are plain ASCII and do not shift.
    private func plainRun(_ input: Bytes, from start: Int, room: Int) -> Int {
        let limit = min(input.count, start + room)
        var i = start
        while i < limit, ShiftDecoder.isPlain(input[i]) { i += 1 }
        return i
    }
}
