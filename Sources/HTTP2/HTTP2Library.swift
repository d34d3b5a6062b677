// How a session's nghttp2 is made: settings, memory, and the callbacks through which it talks.
//
// nghttp2's own bounds are kept where they cost nothing. Two are taken off, and `FrameMeter` counts
// instead: resets a second, because a session has no clock of its own; CONTINUATION frames, because
// nghttp2 counts a frame again for each piece that its head comes in.

import CNGHTTP2

extension HTTP2Session {
    /// What nghttp2 keeps with a stream; never nil.
    static func userData(_ slot: Int) -> UnsafeMutableRawPointer? {
        UnsafeMutableRawPointer(bitPattern: slot + 1)
    }

    static func makeLibrary(_ options: HTTP2Options) -> OpaquePointer {
        var settings: OpaquePointer?
        var callbacks: OpaquePointer?
        var library: OpaquePointer?
        guard nghttp2_option_new(&settings) == 0, nghttp2_session_callbacks_new(&callbacks) == 0
        else { preconditionFailure("out of memory") }
        defer {
            nghttp2_option_del(settings)
            nghttp2_session_callbacks_del(callbacks)
        }
        nghttp2_option_set_no_auto_window_update(settings, options.opensWindows ? 0 : 1)
        nghttp2_option_set_no_closed_streams(settings, 1)
        nghttp2_option_set_max_reserved_remote_streams(settings, 0)
        nghttp2_option_set_max_outbound_ack(settings, queuedFramesMax + 1)
        nghttp2_option_set_stream_reset_rate_limit(settings, .max, .max)
        nghttp2_option_set_max_continuations(settings, .max)
        setInputCallbacks(callbacks)
        setOutputCallbacks(callbacks)
        var memory = WipingMemory.functions()
        let result =
            options.role == .client
            ? nghttp2_session_client_new3(&library, callbacks, nil, settings, &memory)
            : nghttp2_session_server_new3(&library, callbacks, nil, settings, &memory)
        guard result == 0, let library else { preconditionFailure("out of memory") }
        return library
    }

    /// Queues our settings and the window of the connection.
    func announce(to library: OpaquePointer) {
        var entries = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
                value: UInt32(options.streamWindowBytes)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                value: UInt32(options.headBytesMax)),
        ]
        entries.append(
            options.role == .client
                ? nghttp2_settings_entry(
                    settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0)
                : nghttp2_settings_entry(
                    settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                    value: UInt32(options.streamsMax)))
        let none = UInt8(NGHTTP2_FLAG_NONE.rawValue)
        nghttp2_submit_settings(library, none, entries, entries.count)
        nghttp2_session_set_local_window_size(
            library, none, 0, Int32(options.connectionWindowBytes))
    }

    private static func setInputCallbacks(_ callbacks: OpaquePointer?) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, data in
            guard let session = HTTP2Session.owner(data), let frame else { return 0 }
            return session.headBegan(frame.pointee)
        }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, _, name, nameCount, value, valueCount, _, data in
            guard let session = HTTP2Session.owner(data) else { return 0 }
            return session.field(
                UnsafeBufferPointer(start: name, count: nameCount),
                UnsafeBufferPointer(start: value, count: valueCount))
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, data in
            if let session = HTTP2Session.owner(data), let frame { session.received(frame.pointee) }
            return 0
        }
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) {
            _, _, _, data in
            HTTP2Session.owner(data)?.invalidCame()
            return 0
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
            _, _, id, start, count, data in
            if let session = HTTP2Session.owner(data), let start {
                session.contentCame(id, start, count)
            }
            return 0
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, code, data in
            HTTP2Session.owner(data)?.closed(id, code)
            return 0
        }
    }

    private static func setOutputCallbacks(_ callbacks: OpaquePointer?) {
        nghttp2_session_callbacks_set_before_frame_send_callback(callbacks) { _, frame, data in
            if let session = HTTP2Session.owner(data), let frame { session.willSend(frame.pointee) }
            return 0
        }
        nghttp2_session_callbacks_set_send_data_callback(callbacks) {
            _, frame, head, count, source, data in
            guard let session = HTTP2Session.owner(data), let frame, let head, let source else {
                return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
            }
            return session.send(
                frame.pointee.hd.stream_id, slot: Int(source.pointee.fd), count: count,
                flags: head[4])
        }
    }

    /// The body of the stream in `slot`: asks for lengths only.
    func bodySource(_ slot: Int) -> nghttp2_data_provider {
        nghttp2_data_provider(source: nghttp2_data_source(fd: Int32(slot))) {
            _, id, _, room, flags, source, data in
            guard let session = HTTP2Session.owner(data), let flags, let source else {
                return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
            }
            return session.content(
                of: id, slot: Int(source.pointee.fd), room: room, &flags.pointee)
        }
    }

    private static func owner(_ data: UnsafeMutableRawPointer?) -> HTTP2Session? {
        data.map { Unmanaged<HTTP2Session>.fromOpaque($0).takeUnretainedValue() }
    }
}
