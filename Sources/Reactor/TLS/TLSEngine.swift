// One TLS connection as a transformer: ciphertext in, plaintext out, and the reverse (RFC 8446, RFC
// 5246). It has no descriptor and no clock, and keeps no buffer while it is idle.
//
// OpenSSL does the handshake, and everything of TLS 1.2. With TLS 1.3 the engine seals and opens the
// records itself after the handshake. A server's engine then frees OpenSSL's connection. A client's
// engine keeps it for the tickets that come after the handshake; what OpenSSL would write is not sent.
// A server's engine makes OpenSSL's connection when the ClientHello is whole.

import CEpoll.KDF
import CEpoll.TLS

/// One side of one TLS connection.
final class TLSEngine {
    /// What a handshake needs next.
    enum HandshakeOutcome: Equatable {
        case needsInput, finished
        case failed(String)
    }

    /// Where decryption stands.
    enum DecryptStatus: Equatable {
        /// The plaintext buffer is full; there may be more without further input.
        case hasMore
        /// All input is used.
        case needsInput
        /// The peer's close_notify.
        case ended
        case failed(String)
    }

    /// What one call of `decrypt` has done.
    struct DecryptStep {
        /// Bytes of the input that were used.
        var used: Int
        /// In the loop's shared buffer; valid until the next call on any engine of the loop.
        var plaintext: UnsafeRawBufferPointer
        var status: DecryptStatus
    }

    /// Keeps the SSL_CTX and what its callbacks need alive.
    let context: TLSContext
    /// The name of the server that a client talks to; the key of its session cache.
    let serverName: String?
    /// OpenSSL's connection; nil before a server has the whole ClientHello, and after the engine has
    /// taken over both directions.
    private var ssl: OpaquePointer?
    private let handle: OpaquePointer
    private let port: TLSPort
    /// A server's, until the ClientHello is whole; what has come of it; the bytes of the handshake.
    private var gate = ClientHelloGate()
    private var beginning: [UInt8] = []
    private var handshakeBytes = 0
    /// A server's: the part of a record that has come.
    private var partial = TLSPartialRecord()
    /// The messages after the handshake; a client's way to give OpenSSL their tickets.
    private var messages: TLSMessageReader
    private(set) var passage: TLSTicketPassage?
    private(set) var sealer: TLSRecordSealer?
    private var opener: TLSRecordOpener?
    /// Between the first secret and the end of the handshake.
    private var secrets = TLSTrafficSecrets()
    /// What was negotiated; nil before the handshake is done.
    private(set) var info: TLSInfo?

    /// - Parameter serverName: nil for a server's side.
    /// - Returns: nil when OpenSSL refuses; its error queue says why.
    init?(context: TLSContext, handle: OpaquePointer, port: TLSPort, serverName: String?) {
        self.context = context
        self.handle = handle
        self.port = port
        self.serverName = serverName
        messages = TLSMessageReader(takesTickets: serverName != nil)
        port.engineMade()
        guard let serverName else { return }
        guard let ssl = makeSSL() else { return nil }
        SSL_set_connect_state(ssl)
        guard expect(serverName, of: ssl) else { return nil }
        context.resumeSession(serverName, on: ssl)
    }

    private func makeSSL() -> OpaquePointer? {
        ssl = ct_new(handle, port.pointer)
        guard let ssl else { return nil }
        port.connectionMade()
        ct_set_owner(ssl, Unmanaged.passUnretained(self).toOpaque())
        return ssl
    }

    deinit {
        secrets.wipe()
        freeSSL()
        port.engineFreed()
    }

    private func freeSSL() {
        guard let ssl else { return }
        // Without this OpenSSL takes the connection for broken and spoils its session.
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        SSL_free(ssl)
        self.ssl = nil
        port.connectionFreed()
    }

    /// Demands a certificate for this host name or IP address (RFC 9525), and asks for the name
    /// (RFC 6066 section 3, which excludes addresses).
    private func expect(_ name: String, of ssl: OpaquePointer) -> Bool {
        let parameters = SSL_get0_param(ssl)
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return true }
        X509_VERIFY_PARAM_set_hostflags(
            parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        return X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1
            && ct_set_server_name(ssl, name) == 1
    }

    /// The time that the handshake under way was called with.
    var handshakeTime: MonotonicTime { port.now }

    /// Continues the handshake as far as `input` allows; answers go into `output`. A client has
    /// `ClientHelloGate.handshakeBytesMax` for all of it.
    func handshake(
        _ input: UnsafeRawBufferPointer, into output: OutputQueue, at now: MonotonicTime
    ) -> (used: Int, outcome: HandshakeOutcome) {
        precondition(info == nil, "the handshake is done")
        if let ssl, serverName != nil { return shakeHands(ssl, input, output, now) }
        if ssl == nil {
            let outcome = greet(input, output, now)
            guard outcome == .needsInput, ssl != nil else { return (input.count, outcome) }
        }
        guard let ssl else { return (input.count, .needsInput) }
        let room = ClientHelloGate.handshakeBytesMax - handshakeBytes
        let (used, outcome) = shakeHands(
            ssl, UnsafeRawBufferPointer(rebasing: input.prefix(room)), output, now)
        handshakeBytes += used
        guard outcome == .needsInput, used == room else { return (used, outcome) }
        return (
            used,
            .failed("a handshake of more than \(ClientHelloGate.handshakeBytesMax) bytes")
        )
    }

    /// Whether `handshake` with this input would answer a ClientHello, or refuse what is none: the
    /// expensive step of a server's handshake. It is not a step forward.
    func completesHello(_ input: UnsafeRawBufferPointer) -> Bool {
        guard ssl == nil, serverName == nil, info == nil else { return false }
        var look = gate
        return look.take(input) != .incomplete
    }

    /// Waits for the whole ClientHello; then there is OpenSSL's connection, and it has read what came
    /// before `input`.
    private func greet(
        _ input: UnsafeRawBufferPointer, _ output: OutputQueue, _ now: MonotonicTime
    ) -> HandshakeOutcome {
        switch gate.take(input) {
        case .refused(let line): return .failed(line)
        case .incomplete:
            beginning.append(contentsOf: input)
            return .needsInput
        case .whole: break
        }
        guard let ssl = makeSSL() else { return .failed(OpenSSLError.takeLine()) }
        SSL_set_accept_state(ssl)
        guard !beginning.isEmpty else { return .needsInput }
        handshakeBytes = beginning.count
        let outcome = beginning.withUnsafeBytes { shakeHands(ssl, $0, output, now).outcome }
        beginning = []
        return outcome
    }

    private func shakeHands(
        _ ssl: OpaquePointer, _ input: UnsafeRawBufferPointer, _ output: OutputQueue,
        _ now: MonotonicTime
    ) -> (used: Int, outcome: HandshakeOutcome) {
        OpenSSLError.clear()
        port.handshake(at: now)
        var outcome = HandshakeOutcome.needsInput
        let used = port.run(input: input, output: output) {
            let result = advance(ssl)
            if result == 1 {
                outcome = .finished
            } else if SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ {
                outcome = .failed(failureLine(ssl))
            }
        }
        if outcome == .finished {
            info = TLSInfo(of: ssl)
            takeOver(ssl)
        }
        return (used, outcome)
    }

    private func failureLine(_ ssl: OpaquePointer) -> String {
        let verdict = SSL_get_verify_result(ssl)
        let line = OpenSSLError.takeLine()
        guard verdict != Int(X509_V_OK), serverName != nil,
            let text = X509_verify_cert_error_string(verdict)
        else { return line }
        return "certificate verify failed: \(String(cString: text))"
    }

    /// Decrypts `input` into the loop's plaintext buffer, several records if they are there.
    /// Answers of TLS itself go into `replies`.
    func decrypt(_ input: UnsafeRawBufferPointer, replies: OutputQueue) -> DecryptStep {
        if let opener { return open(input, with: opener, replies: replies) }
        // What OpenSSL has of a server's record is always whole.
        guard serverName == nil, !input.isEmpty else { return read(input, replies) }
        guard partial.isEmpty else { return readOn(input, replies) }
        let whole = TLSPartialRecord.wholeBytes(input)
        guard whole > 0 else { return readOn(input, replies) }
        var step = read(UnsafeRawBufferPointer(rebasing: input[..<whole]), replies)
        if step.status == .needsInput, step.used < input.count { step.status = .hasMore }
        return step
    }

    /// Decrypts the record of which the beginning is kept, if `input` has its end.
    private func readOn(_ input: UnsafeRawBufferPointer, _ replies: OutputQueue) -> DecryptStep {
        let (taken, record) = partial.take(input)
        guard let record else {
            return DecryptStep(
                used: taken, plaintext: UnsafeRawBufferPointer(start: nil, count: 0),
                status: .needsInput)
        }
        var step = record.withUnsafeBytes { read($0, replies) }
        step.used = taken
        if step.status == .needsInput, taken < input.count { step.status = .hasMore }
        return step
    }

    /// Has OpenSSL read `input`.
    private func read(_ input: UnsafeRawBufferPointer, _ replies: OutputQueue) -> DecryptStep {
        guard let ssl else { preconditionFailure("an engine without any way to read") }
        OpenSSLError.clear()
        var count = 0
        var status = DecryptStatus.hasMore
        let used = port.run(input: input, output: replies) {
            while status == .hasMore, count < port.plaintext.count {
                let result = SSL_read(
                    ssl, port.plaintext.baseAddress! + count, Int32(port.plaintext.count - count))
                if hasRefused(ssl, result) {
                    status = .failed("renegotiation refused")
                } else if result > 0 {
                    count += Int(result)
                    if port.inputLeft == 0, SSL_pending(ssl) == 0 { status = .needsInput }
                } else {
                    status = readStatus(ssl, SSL_get_error(ssl, result))
                }
            }
        }
        return DecryptStep(
            used: used, plaintext: UnsafeRawBufferPointer(rebasing: port.plaintext[..<count]),
            status: status)
    }

    /// Whether OpenSSL has refused to renegotiate. It answers each such request with a warning and
    /// reads on, so a peer could make us collect warnings (RFC 5246 section 7.2.2 allows to end the
    /// connection). OpenSSL writes nothing else while it reads TLS 1.2 without an error.
    private func hasRefused(_ ssl: OpaquePointer, _ result: Int32) -> Bool {
        guard port.recordsWritten > 0, SSL_version(ssl) == TLS1_2_VERSION else { return false }
        return result > 0 || SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ
    }

    private func readStatus(_ ssl: OpaquePointer, _ error: Int32) -> DecryptStatus {
        switch error {
        case SSL_ERROR_WANT_READ: .needsInput
        case SSL_ERROR_ZERO_RETURN: .ended
        default: .failed(failureLine(ssl))
        }
    }

    /// Encrypts `bytes` into `output`, a record for every 16,384 of them. Only after the handshake.
    /// False when the engine cannot continue; OpenSSL's error queue says why.
    func encrypt(_ bytes: UnsafeRawBufferPointer, into output: OutputQueue) -> Bool {
        if let sealer { return sealer.seal(bytes, into: output) }
        guard let ssl else { preconditionFailure("an engine without any way to write") }
        OpenSSLError.clear()
        var written = 0
        var result: Int32 = 0
        _ = port.run(input: UnsafeRawBufferPointer(start: nil, count: 0), output: output) {
            result = SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &written)
        }
        return result == 1 && written == bytes.count
    }

    /// Writes close_notify (RFC 8446 section 6.1). Only after the handshake.
    func closeNotify(into output: OutputQueue) {
        if let sealer {
            _ = sealer.sealAlert(TLSAlert.closeNotify, level: 1, into: output)
            return
        }
        guard let ssl else { return }
        OpenSSLError.clear()
        _ = port.run(input: UnsafeRawBufferPointer(start: nil, count: 0), output: output) {
            if SSL_shutdown(ssl) < 0 { OpenSSLError.clear() }
        }
    }

    /// Where what was decrypted so far has ended; nil while OpenSSL reads.
    var recordCut: TLSRecordCut? { opener?.cut }

    /// Whether the handshake has resumed an earlier session.
    var isResumed: Bool { info?.resumed ?? false }
}

// MARK: - Records without OpenSSL

extension TLSEngine {
    /// A line of OpenSSL's key log.
    func learn(_ line: UnsafePointer<CChar>) { secrets.learn(line) }

    /// `SSL_do_handshake`, and the traffic secrets that are derived meanwhile.
    private func advance(_ ssl: OpaquePointer) -> Int32 {
        let hear: ct_hear = { owner, isClients, secret, size in
            Unmanaged<TLSEngine>.fromOpaque(owner).takeUnretainedValue().secrets.learn(
                UnsafeBufferPointer(start: secret, count: size), isClients: isClients == 1)
        }
        return ct_kdf_handshake(ssl, hear, Unmanaged.passUnretained(self).toOpaque())
    }

    /// The handshake is done: with TLS 1.3 the engine seals and opens records from now on. Without
    /// the secrets, or with another version, OpenSSL continues.
    private func takeOver(_ ssl: OpaquePointer) {
        defer { secrets.wipe() }
        guard SSL_version(ssl) == TLS1_3_VERSION, let cipher = SSL_get_current_cipher(ssl),
            let suite = TLSSuite(identifier: SSL_CIPHER_get_protocol_id(cipher))
        else { return }
        let isServer = serverName == nil
        let contentBytesMax = Self.contentBytesMax(ssl)
        // A server's call that ends the handshake has written only the tickets under the key that
        // the engine takes over; a client's has written only what comes before that key.
        let sealed = isServer ? UInt64(port.recordsWritten) : 0
        let (own, peers) =
            isServer ? (secrets.server, secrets.client) : (secrets.client, secrets.server)
        guard
            let writing = TLSTrafficKey(
                suite: suite, secret: own, isSealing: true, sequence: sealed),
            let reading = TLSTrafficKey(suite: suite, secret: peers, isSealing: false, sequence: 0)
        else { return }
        if isServer {
            freeSSL()
        } else {
            guard
                let passing = TLSTrafficKey(
                    suite: suite, secret: peers, isSealing: true, sequence: 0)
            else { return }
            passage = TLSTicketPassage(key: passing, of: ssl)
        }
        opener = TLSRecordOpener(key: reading, contentBytesMax: contentBytesMax)
        sealer = TLSRecordSealer(key: writing, contentBytesMax: contentBytesMax)
    }

    /// Most bytes of a record: 2^14, or what a client has asked for (max_fragment_length, RFC 6066
    /// section 4: 1 is 2^9, 4 is 2^12).
    private static func contentBytesMax(_ ssl: OpaquePointer) -> Int {
        guard let session = SSL_get_session(ssl) else { return Stream.recordBytesMax }
        let code = Int(SSL_SESSION_get_max_fragment_length(session))
        return (1...4).contains(code) ? 256 << code : Stream.recordBytesMax
    }

    /// Opens all whole records of `input`, as far as the plaintext buffer has room.
    private func open(
        _ input: UnsafeRawBufferPointer, with opener: TLSRecordOpener, replies: OutputQueue
    ) -> DecryptStep {
        var used = 0
        var count = 0
        var status = DecryptStatus.hasMore
        reading: while port.plaintext.count - count >= TLSRecordOpener.roomBytes {
            let place = port.plaintext.baseAddress! + count
            switch opener.next(input, &used, into: place) {
            case .needsInput:
                status = .needsInput
                break reading
            case .record(TLSContent.applicationData, let size) where !messages.isCut: count += size
            case .record(let type, let size):
                let message = UnsafeRawBufferPointer(start: place, count: size)
                guard let end = take(type, message, opener, replies) else { continue }
                status = end
                break reading
            case .failed(let alert, let reason):
                status = refuse(alert, reason, replies)
                break reading
            }
        }
        return DecryptStep(
            used: used, plaintext: UnsafeRawBufferPointer(rebasing: port.plaintext[..<count]),
            status: status)
    }

    /// Handles an alert or a handshake message of the peer; nil when reading continues.
    private func take(
        _ type: UInt8, _ message: UnsafeRawBufferPointer, _ opener: TLSRecordOpener,
        _ replies: OutputQueue
    ) -> DecryptStatus? {
        if messages.isCut, type != TLSContent.handshake {
            return refuse(
                TLSAlert.unexpectedMessage,
                "a record of type \(type) inside a handshake message", replies)
        }
        switch type {
        case TLSContent.handshake: return takeMessages(message, opener, replies)
        case TLSContent.alert where message.count == 2: return Self.alertStatus(message[1])
        default:
            return refuse(
                TLSAlert.unexpectedMessage, "unexpected message of type \(type)", replies)
        }
    }

    /// The meaning of a peer's alert, whatever its level; nil when reading continues.
    private static func alertStatus(_ alert: UInt8) -> DecryptStatus? {
        switch alert {
        case TLSAlert.closeNotify: return .ended
        case TLSAlert.userCanceled: return nil
        default:
            let text = SSL_alert_desc_string_long(Int32(alert)).map { String(cString: $0) } ?? ""
            return .failed("alert \(text) (SSL alert number \(alert))")
        }
    }

    private func takeMessages(
        _ content: UnsafeRawBufferPointer, _ opener: TLSRecordOpener, _ replies: OutputQueue
    ) -> DecryptStatus? {
        let (ticketBytes, verdict) = messages.take(content)
        if ticketBytes > 0, let ssl, let passage {
            let tickets = UnsafeRawBufferPointer(rebasing: content[..<ticketBytes])
            if let alert = passage.pass(tickets, to: ssl, through: port) {
                return refuse(alert, OpenSSLError.takeLine(), replies)
            }
        }
        switch verdict {
        case .part: return nil
        case .fault(let alert, let reason): return refuse(alert, reason, replies)
        case .update(let asksForOne):
            guard opener.update() else {
                return refuse(TLSAlert.unexpectedMessage, "too many key updates", replies)
            }
            let isAnswered = !asksForOne || sealer?.sealKeyUpdate(into: replies) ?? false
            return isAnswered
                ? nil : refuse(TLSAlert.internalError, "key update failed", replies)
        }
    }

    private func refuse(
        _ alert: UInt8, _ reason: String, _ replies: OutputQueue
    ) -> DecryptStatus {
        _ = sealer?.sealAlert(alert, level: 2, into: replies)
        return .failed(reason)
    }
}

/// What was negotiated.
public struct TLSInfo: Sendable {
    /// "TLSv1.3"
    public let version: String
    /// "TLS_AES_128_GCM_SHA256"
    public let cipher: String
    /// The group of the key exchange, "x25519" or "X25519MLKEM768"; empty when there was none.
    public let group: String
    /// Whether an earlier session was resumed.
    public let resumed: Bool
    /// What is spoken; nil when nothing was agreed upon.
    public let applicationProtocol: TLSApplicationProtocol?
}

extension TLSInfo {
    /// nil while a handshake goes on.
    init?(of ssl: OpaquePointer) {
        guard SSL_is_init_finished(ssl) == 1, let cipher = SSL_get_current_cipher(ssl) else {
            return nil
        }
        self.init(
            version: String(cString: SSL_get_version(ssl)),
            cipher: String(cString: SSL_CIPHER_get_name(cipher)),
            group: ct_group_name(ssl).map { String(cString: $0) } ?? "",
            resumed: SSL_session_reused(ssl) == 1,
            applicationProtocol: TLSApplicationProtocol(of: ssl))
    }
}
