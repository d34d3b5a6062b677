// One HTTP/2 connection without its I/O, as a client or as a server (RFC 9113): nghttp2's framing,
// HPACK and flow control, driven by bytes.
//
// It takes bytes and gives bytes. It has no socket, no clock and no closure of its owner. The owner
// gives it what has come (`receive`), reads what that means (`nextEvent`), and writes what `next`
// says. The content of DATA frames never passes through here: `next` says how many bytes of which
// stream may go, and the owner writes the frame's head and those bytes.
//
// Whatever a peer sends costs bounded memory and linear time: heads and header blocks have bounds,
// floods end the session with ENHANCE_YOUR_CALM (`FrameMeter`), and so does a peer that makes us
// queue answers without reading them. A field that is added as a secret is never indexed by HPACK,
// and every copy of it is wiped.

import CNGHTTP2
import Glibc
import Wire

/// One side of one HTTP/2 connection. For one thread at a time.
package final class HTTP2Session {
    /// Frames of ours (answers to the peer's frames, above all) that may wait to be written.
    static let queuedFramesMax = 1_000
    /// Bytes of all heads of one `receive`.
    static let arenaBytesMax = 1_048_576
    /// Bytes that nghttp2 is given at once; then its queue is looked at.
    private static let sliceBytes = 16_384
    private static let noSlot = -1

    package let options: HTTP2Options
    private let library: OpaquePointer
    private var streams = StreamTable()
    private var uploads = UploadLine()
    /// The upload whose turn it is.
    private var chosen = noSlot
    /// Small messages wait for its frame, and these have asked meanwhile.
    private var isForced = false
    private var held: [Int] = []
    private var meter: FrameMeter

    // What has come.

    private var events: [HTTP2Event] = []
    private var eventsTaken = 0
    /// Events that show heads or the input.
    private var inputEvents = 0
    private var heads = HeadArena()
    /// The input of the `receive` under way.
    private var inputStart: UnsafePointer<UInt8>?
    private var now: UInt64 = 0
    private var flood: HTTP2Flood?
    private var hasFailed = false
    /// It has failed, and what is still to be written ends with GOAWAY (RFC 9113 section 5.4.1).
    private var hasLastWords = false
    /// Set with the event `.failed`.
    package private(set) var failure: HTTP2Failure?

    // What is to be written.

    private var outputStart: UnsafePointer<UInt8>?
    private var outputCount = 0
    private var frame: HTTP2DataFrame?

    /// The number of streams of ours that the peer takes at once: 100 until it has said.
    package private(set) var peerStreamsMax = 100
    /// The peer has said how many streams it takes, which its first frame does (RFC 9113 section 3.4).
    package private(set) var hasPeerSettings = false
    /// The peer has sent GOAWAY.
    package private(set) var hasPeerGone = false
    /// We have sent GOAWAY.
    package private(set) var isDraining = false

    /// A session whose preface and settings are the first output.
    package init(_ options: HTTP2Options) {
        self.options = options
        meter = FrameMeter(readsPreface: options.role == .server)
        library = Self.makeLibrary(options)
        nghttp2_session_set_user_data(library, Unmanaged.passUnretained(self).toOpaque())
        announce(to: library)
    }

    deinit { nghttp2_session_del(library) }

    // MARK: - Input

    /// Takes bytes of the peer, all of them. The events of the last ones must have been taken.
    /// - Parameters:
    ///   - bytes: the ranges of the events are into them; not kept.
    ///   - now: nanoseconds of a clock that does not go back; for the rates of floods.
    package func receive(_ bytes: Bytes, now: UInt64) {
        precondition(inputEvents == 0, "the events of the last input come first")
        heads.removeComplete()
        guard !hasFailed else { return }
        self.now = now
        let fault = meter.take(bytes, now: now)
        let end = fault?.offset ?? bytes.count
        bytes.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return }
            inputStart = start
            var offset = 0
            while offset < end, !hasFailed {
                let count = min(Self.sliceBytes, end - offset)
                feed(start + offset, count)
                offset += count
            }
            inputStart = nil
        }
        if let fault, !hasFailed { note(fault.flood) }
    }

    private func feed(_ start: UnsafePointer<UInt8>, _ count: Int) {
        let result = nghttp2_session_mem_recv(library, start, count)
        if result == Int(NGHTTP2_ERR_FLOODED.rawValue) { return note(.unreadOutput) }
        if result < 0 {
            let reason = String(cString: nghttp2_strerror(Int32(result)))
            // To a client of another protocol GOAWAY says nothing (RFC 9113 section 3.4).
            return result == Int(NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue)
                ? fail(.protocolError, reason) : terminate(.protocolError, reason)
        }
        if nghttp2_session_get_outbound_queue_size(library) > Self.queuedFramesMax + streams.count {
            note(.unreadOutput)
        }
    }

    /// The next thing that has happened; nil when there is nothing more. Things happen in `receive`,
    /// and (streams that close, a failure) in `next`.
    package func nextEvent() -> HTTP2Event? {
        guard eventsTaken < events.count else { return nil }
        let event = events[eventsTaken]
        eventsTaken += 1
        if eventsTaken == events.count {
            events.removeAll(keepingCapacity: true)
            eventsTaken = 0
        }
        switch event {
        case .closed(let stream, _): streams.close(stream.slot)
        case .head, .data: inputEvents -= 1
        default: break
        }
        return event
    }

    /// The value of the first field of `head` with this name, which is in lower case: a range of
    /// `headBytes`. Until the next `receive`.
    package func find(_ name: StaticString, in head: HTTP2Head) -> Range<Int>? {
        heads.find(name, in: head.fields)
    }

    /// Name and value of each field of `head`, in their order: ranges of `headBytes`.
    package func fields(of head: HTTP2Head) -> [(name: Range<Int>, value: Range<Int>)] {
        head.fields.map { heads[$0] }
    }

    /// Names and values of the heads of the last `receive`.
    package var headBytes: Bytes {
        @_lifetime(borrow self)
        get { _overrideLifetime(heads.memory.span, borrowing: self) }
    }

    /// The owner has used bytes of a stream's body: the peer may send as many more. Only with
    /// `HTTP2Options.opensWindows` false; harmless for a stream that is closed.
    package func consumed(_ byteCount: Int, of stream: HTTP2Stream) {
        guard streams.holds(stream) else { return }
        let count = min(byteCount, streams[stream.slot].unconsumed)
        streams[stream.slot].unconsumed -= count
        nghttp2_session_consume(library, stream.id, count)
    }

    // MARK: - Output

    /// What is to be written next. Everything before must have been written or queued. Call it until
    /// it says `.nothing`, or stop earlier when the connection takes no more.
    package func next() -> HTTP2Output {
        wipeOutput()
        guard !hasFailed || hasLastWords else { return .nothing }
        if chosen == Self.noSlot, uploads.isDue { isForced = choose() }
        while true {
            var start: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(library, &start)
            if count < 0 {
                hasLastWords = false
                fail(.internalError, String(cString: nghttp2_strerror(Int32(count))))
                return .nothing
            }
            if count > 0, let start {
                (outputStart, outputCount) = (start, count)
                return .bytes(isSecret: holdsFields)
            }
            if let frame {
                self.frame = nil
                return .data(frame)
            }
            guard choose() else { return .nothing }
        }
    }

    /// The bytes of `.bytes`; until the next call of `next`.
    package var output: Bytes {
        @_lifetime(borrow self)
        get {
            let span = UnsafeBufferPointer(start: outputStart, count: outputCount).span
            return _overrideLifetime(span, borrowing: self)
        }
    }

    /// Whether the output is a HEADERS or a CONTINUATION frame.
    private var holdsFields: Bool {
        guard let outputStart, outputCount >= HTTP2DataFrame.headBytes else { return false }
        return outputStart[3] == 1 || outputStart[3] == 9
    }

    /// nghttp2 has done with what was written, and fills the same memory again.
    private func wipeOutput() {
        if holdsFields, let outputStart {
            explicit_bzero(UnsafeMutablePointer(mutating: outputStart), outputCount)
        }
        outputStart = nil
        outputCount = 0
    }

    /// Gives an upload its turn.
    @discardableResult
    private func choose() -> Bool {
        endTurn()
        let window = connectionWindow
        while !uploads.isEmpty, uploads.mayUse(window: window), let slot = uploads.popFirst() {
            let state = streams[slot]
            streams[slot].isQueued = false
            guard state.isUpload, state.hasOutput,
                nghttp2_session_get_stream_remote_window_size(library, state.id) > 0
            else { continue }
            chosen = slot
            nghttp2_session_resume_data(library, state.id)
            return true
        }
        return false
    }

    /// The turn of the upload is over, whether it sent a frame or not.
    private func endTurn() {
        chosen = Self.noSlot
        isForced = false
        for slot in held where streams[slot].id != 0 {
            nghttp2_session_resume_data(library, streams[slot].id)
        }
        held.removeAll(keepingCapacity: true)
    }

    private func enqueue(_ slot: Int) {
        guard streams[slot].isUpload, streams[slot].hasOutput, !streams[slot].isQueued else {
            return
        }
        streams[slot].isQueued = true
        uploads.append(slot)
    }

    /// Neither side has anything more to say: the connection can be closed.
    package var isOver: Bool {
        hasFailed && !hasLastWords
            || nghttp2_session_want_read(library) == 0
                && nghttp2_session_want_write(library) == 0
    }

    // MARK: - Streams

    /// Streams that are open, or whose `.closed` was not taken.
    package var streamCount: Int { streams.count }

    /// Whether `open` opens a stream that may leave at once.
    package var canOpen: Bool {
        streams.count < peerStreamsMax && !isClosedToStreams
    }

    /// Whether `open` opens no stream any more, however long the owner waits.
    package var isClosedToStreams: Bool {
        hasFailed || hasPeerGone || isDraining
            || nghttp2_session_check_request_allowed(library) == 0
    }

    /// A client's request.
    /// - Parameters:
    ///   - hasBody: `offer` or `finish` follow; else the request ends with its head.
    ///   - isUpload: its frames go after those of others (`UploadLine`).
    /// - Returns: nil when the session takes no new streams (`canOpen`).
    package func open(_ fields: HTTP2Fields, hasBody: Bool, isUpload: Bool) -> HTTP2Stream? {
        guard canOpen else { return nil }
        var state = StreamState()
        state.isUpload = isUpload
        let slot = streams.open(state)
        let id = fields.withPairs { pairs in
            withUnsafePointer(to: bodySource(slot)) { source in
                nghttp2_submit_request(
                    library, nil, pairs.baseAddress, pairs.count, hasBody ? source : nil,
                    Self.userData(slot))
            }
        }
        guard id > 0 else {
            streams.close(slot)
            return nil
        }
        streams[slot].id = id
        meter.earnStream()
        return HTTP2Stream(id: id, slot: slot)
    }

    /// A server's answer; `fields` begins with `:status`.
    /// - Parameter hasBody: `offer` or `finish` follow; else the answer ends with its head.
    package func respond(to stream: HTTP2Stream, _ fields: HTTP2Fields, hasBody: Bool) {
        guard streams.holds(stream) else { return }
        fields.withPairs { pairs in
            withUnsafePointer(to: bodySource(stream.slot)) { source in
                _ = nghttp2_submit_response(
                    library, stream.id, pairs.baseAddress, pairs.count, hasBody ? source : nil)
            }
        }
    }

    /// A server's answer with status 1xx, before the answer itself.
    package func inform(_ stream: HTTP2Stream, _ fields: HTTP2Fields) {
        guard streams.holds(stream) else { return }
        fields.withPairs { pairs in
            _ = nghttp2_submit_headers(
                library, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, nil, pairs.baseAddress,
                pairs.count, nil)
        }
    }

    /// Fields that follow the body; only while a piece of it is still to go.
    package func trail(_ stream: HTTP2Stream, _ fields: HTTP2Fields) {
        guard streams.holds(stream) else { return }
        streams[stream.slot].hasTrailers = true
        fields.withPairs { pairs in
            _ = nghttp2_submit_trailer(library, stream.id, pairs.baseAddress, pairs.count)
        }
    }

    /// Offers the next piece of a stream's body, which lies in the owner's memory in a row. Frames of
    /// it follow in `next`; none goes over the end of the piece. The piece before must be used up.
    /// Harmless for a stream that is closed.
    /// - Parameters:
    ///   - byteCount: at least 1, unless `isLast`.
    ///   - isLast: the body ends with it.
    package func offer(_ byteCount: Int, isLast: Bool, to stream: HTTP2Stream) {
        guard streams.holds(stream), !streams[stream.slot].isAbandoned else { return }
        precondition(byteCount > 0 || isLast, "a piece has at least one byte")
        precondition(!streams[stream.slot].hasOutput, "the piece before is not used up")
        streams[stream.slot].piece = byteCount
        streams[stream.slot].isLast = isLast
        if streams[stream.slot].isUpload, byteCount > 0 {
            enqueue(stream.slot)
        } else {
            nghttp2_session_resume_data(library, stream.id)
        }
    }

    /// The body ends with what was offered. Harmless when that is known, and for a stream that is
    /// closed.
    package func finish(_ stream: HTTP2Stream) {
        guard streams.holds(stream), !streams[stream.slot].isLast,
            !streams[stream.slot].isAbandoned
        else { return }
        streams[stream.slot].isLast = true
        if streams[stream.slot].piece == 0 { nghttp2_session_resume_data(library, stream.id) }
    }

    /// Its frames go with those of small messages from now on, or after them.
    package func setUpload(_ stream: HTTP2Stream, _ isUpload: Bool) {
        guard streams.holds(stream) else { return }
        streams[stream.slot].isUpload = isUpload
        if !isUpload { nghttp2_session_resume_data(library, stream.id) }
    }

    /// Ends a stream at once. `.closed` follows; nothing else of the stream does. Harmless for a
    /// stream that is closed.
    package func reset(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        guard streams.holds(stream), !streams[stream.slot].isAbandoned else { return }
        streams[stream.slot].isAbandoned = true
        streams[stream.slot].piece = 0
        streams[stream.slot].isLast = false
        nghttp2_submit_rst_stream(
            library, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, code.rawValue)
    }

    /// Bytes of the stream that the peer takes now; 0 or less when it is shut, or not open.
    package func window(of stream: HTTP2Stream) -> Int {
        guard streams.holds(stream) else { return 0 }
        return Int(nghttp2_session_get_stream_remote_window_size(library, stream.id))
    }

    /// The same for all streams together.
    package var connectionWindow: Int { Int(nghttp2_session_get_remote_window_size(library)) }

    /// How often the peer has opened that window.
    package private(set) var connectionOpenings = 0

    /// Whether a body that came now would wait for that window, or an upload does.
    package var isShut: Bool {
        let window = connectionWindow
        return window <= 0 || !uploads.isEmpty && !uploads.mayUse(window: window)
    }

    /// Whether the HEADERS of a stream may have left.
    package func isHeadSent(_ stream: HTTP2Stream) -> Bool {
        streams.holds(stream) && streams[stream.slot].isHeadSent
    }

    // MARK: - The connection

    /// Asks the peer for a sign of life; `.pong` with the same number follows.
    package func ping(_ number: UInt64) {
        withUnsafeBytes(of: number.bigEndian) { bytes in
            _ = nghttp2_submit_ping(
                library, UInt8(NGHTTP2_FLAG_NONE.rawValue),
                bytes.bindMemory(to: UInt8.self).baseAddress)
        }
    }

    /// Takes no new streams of the peer's, and tells it which ones were taken. Those that are open
    /// go on.
    package func drain() {
        guard !isDraining else { return }
        isDraining = true
        nghttp2_submit_goaway(
            library, UInt8(NGHTTP2_FLAG_NONE.rawValue),
            nghttp2_session_get_last_proc_stream_id(library), 0, nil, 0)
    }

    /// The session ends because of what the peer has sent: GOAWAY is the last thing that is written.
    private func terminate(_ code: HTTP2ErrorCode, _ reason: String) {
        guard !hasFailed else { return }
        hasLastWords = nghttp2_session_terminate_session(library, code.rawValue) == 0
        fail(code, reason)
    }

    private func fail(_ code: HTTP2ErrorCode, _ reason: String) {
        guard !hasFailed else { return }
        hasFailed = true
        end(HTTP2Failure(code: code, flood: flood, reason: reason))
    }

    private func end(_ failure: HTTP2Failure) {
        guard self.failure == nil else { return }
        self.failure = failure
        isDraining = true
        events.append(.failed)
    }

    /// The peer sends too much of something.
    private func note(_ flood: HTTP2Flood?) {
        guard let flood, !hasFailed else { return }
        self.flood = flood
        terminate(.enhanceYourCalm, "too much of: \(flood.rawValue)")
    }
}

// MARK: - What nghttp2 tells

extension HTTP2Session {
    private func stream(_ id: Int32) -> HTTP2Stream? {
        guard id > 0, let data = nghttp2_session_get_stream_user_data(library, id) else {
            return nil
        }
        let stream = HTTP2Stream(id: id, slot: Int(bitPattern: data) - 1)
        return streams.holds(stream) ? stream : nil
    }

    /// A header block begins.
    func headBegan(_ frame: nghttp2_frame) -> Int32 {
        heads.begin()
        guard frame.hd.type == UInt8(NGHTTP2_HEADERS.rawValue),
            frame.headers.cat == NGHTTP2_HCAT_REQUEST
        else { return 0 }
        var state = StreamState()
        state.id = frame.hd.stream_id
        state.isHeadSent = true
        let slot = streams.open(state)
        nghttp2_session_set_stream_user_data(library, state.id, Self.userData(slot))
        return 0
    }

    func field(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Int32 {
        guard heads.blockBytes + name.count + value.count + 32 <= options.headBytesMax,
            heads.byteCount <= Self.arenaBytesMax
        else {
            note(meter.countInvalid(now: now))
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
        }
        heads.append(name.span, value.span)
        return 0
    }

    func received(_ frame: nghttp2_frame) {
        let stream = stream(frame.hd.stream_id)
        switch frame.hd.type {
        case UInt8(NGHTTP2_HEADERS.rawValue):
            if let stream { headEnded(stream, frame.hd.flags) }
        case UInt8(NGHTTP2_SETTINGS.rawValue): settingsCame(frame.hd.flags)
        case UInt8(NGHTTP2_PING.rawValue) where frame.hd.flags & 1 != 0: pongCame(frame.ping)
        case UInt8(NGHTTP2_GOAWAY.rawValue):
            hasPeerGone = true
            events.append(
                .goaway(
                    lastID: frame.goaway.last_stream_id,
                    HTTP2ErrorCode(rawValue: frame.goaway.error_code)))
        case UInt8(NGHTTP2_WINDOW_UPDATE.rawValue):
            uploads.see(window: connectionWindow)
            if frame.hd.stream_id == 0 { connectionOpenings &+= 1 }
            guard let stream, streams[stream.slot].hasOutput else { break }
            enqueue(stream.slot)
            events.append(.window(stream))
        default: break
        }
        let isContent =
            frame.hd.type == UInt8(NGHTTP2_HEADERS.rawValue)
            || frame.hd.type == UInt8(NGHTTP2_DATA.rawValue)
        if isContent, frame.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0, let stream,
            !streams[stream.slot].isAbandoned
        {
            events.append(.end(stream))
        }
    }

    private func headEnded(_ stream: HTTP2Stream, _ flags: UInt8) {
        heads.end()
        let status = heads.status
        let kind: HTTP2Head.Kind
        if options.role == .server {
            kind = streams[stream.slot].hasAnswer ? .trailers : .request
            streams[stream.slot].hasAnswer = true
        } else if streams[stream.slot].hasAnswer {
            kind = .trailers
        } else {
            kind = status < 200 ? .interim : .answer
            streams[stream.slot].hasAnswer = status >= 200
            if kind == .interim { note(meter.countInterim(now: now)) }
        }
        guard !streams[stream.slot].isAbandoned else { return }
        let isAnswer = kind == .answer || kind == .interim
        inputEvents += 1
        events.append(
            .head(
                stream,
                HTTP2Head(
                    kind: kind, status: isAnswer ? status : 0, isEnd: flags & 1 != 0,
                    fields: heads.blockFields)))
    }

    private func settingsCame(_ flags: UInt8) {
        guard flags & 1 == 0 else { return }
        hasPeerSettings = true
        peerStreamsMax = Int(
            nghttp2_session_get_remote_settings(
                library, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
        // Windows of streams may have been opened.
        for slot in 0..<streams.capacity { enqueue(slot) }
        events.append(.settings(maxConcurrentStreams: peerStreamsMax))
    }

    private func pongCame(_ ping: nghttp2_ping) {
        let number = withUnsafeBytes(of: ping.opaque_data) { $0.loadUnaligned(as: UInt64.self) }
        events.append(.pong(UInt64(bigEndian: number)))
    }

    func contentCame(_ id: Int32, _ start: UnsafePointer<UInt8>, _ count: Int) {
        guard let inputStart, count > 0 else { return }
        guard let stream = stream(id), !streams[stream.slot].isAbandoned else {
            if !options.opensWindows { nghttp2_session_consume_connection(library, count) }
            return
        }
        if !options.opensWindows { streams[stream.slot].unconsumed += count }
        let offset = start - inputStart
        if case .data(stream, let range) = events.last, range.upperBound == offset {
            events[events.count - 1] = .data(stream, range.lowerBound..<offset + count)
        } else {
            inputEvents += 1
            events.append(.data(stream, offset..<offset + count))
        }
    }

    func invalidCame() { note(meter.countInvalid(now: now)) }

    func closed(_ id: Int32, _ code: UInt32) {
        guard let stream = stream(id) else { return }
        let state = streams[stream.slot]
        if state.unconsumed > 0 {
            streams[stream.slot].unconsumed = 0
            nghttp2_session_consume_connection(library, state.unconsumed)
        }
        streams[stream.slot].piece = 0
        streams[stream.slot].isLast = false
        if chosen == stream.slot { endTurn() }
        if options.role == .server, code == 0 { meter.earnStream() }
        let code = HTTP2ErrorCode(rawValue: code)
        let isUnprocessed =
            options.role == .client && !state.hasAnswer
            && (!state.isHeadSent || code == .refusedStream || code == .http11Required)
        events.append(.closed(stream, HTTP2Ending(code: code, isUnprocessed: isUnprocessed)))
    }

    /// A frame of ours is about to leave.
    func willSend(_ frame: nghttp2_frame) {
        if frame.hd.type == UInt8(NGHTTP2_HEADERS.rawValue) {
            if let stream = stream(frame.hd.stream_id) { streams[stream.slot].isHeadSent = true }
        } else if frame.hd.type == UInt8(NGHTTP2_GOAWAY.rawValue), frame.goaway.error_code != 0 {
            // What nghttp2 found wrong stands in the frame.
            let data = UnsafeBufferPointer(
                start: frame.goaway.opaque_data, count: frame.goaway.opaque_data_len)
            let reason = String(decoding: data, as: UTF8.self)
            let code = HTTP2ErrorCode(rawValue: frame.goaway.error_code)
            end(HTTP2Failure(code: code, flood: nil, reason: reason.isEmpty ? "\(code)" : reason))
        }
    }

    /// How many bytes of a stream go into the frame that is being made.
    func content(of id: Int32, slot: Int, room: Int, _ flags: inout UInt32) -> Int {
        guard streams[slot].id == id, streams[slot].hasOutput, !streams[slot].isAbandoned else {
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        let state = streams[slot]
        if state.isUpload, state.piece > 0, chosen != slot {
            enqueue(slot)
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        if isForced, chosen != slot {
            held.append(slot)
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        let count = min(room, state.piece)
        flags |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
        if count == state.piece, state.isLast {
            flags |= NGHTTP2_DATA_FLAG_EOF.rawValue
            if state.hasTrailers { flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue }
        }
        return count
    }

    /// A DATA frame is made; its content is the owner's.
    func send(_ id: Int32, slot: Int, count: Int, flags: UInt8) -> Int32 {
        let state = streams[slot]
        streams[slot].piece -= count
        let isPieceDone = count == state.piece
        if isPieceDone, state.isLast { streams[slot].isLast = false }
        frame = HTTP2DataFrame(
            stream: HTTP2Stream(id: id, slot: slot), count: count, isEnd: flags & 1 != 0,
            isPieceDone: isPieceDone)
        meter.earnUpdates(count)
        uploads.sent(count, isUpload: state.isUpload)
        if chosen == slot { endTurn() }
        enqueue(slot)
        return NGHTTP2_ERR_PAUSE.rawValue
    }
}
