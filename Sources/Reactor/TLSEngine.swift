// One TLS connection as a transformer: ciphertext in, plaintext out, and the reverse (RFC 8446,
// RFC 5246). It has no descriptor and no clock, and keeps no buffer while it is idle.

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
    /// Whom a client talks to; the key of its session cache.
    let serverName: String?
    private let ssl: OpaquePointer
    private let port: TLSPort

    /// - Parameter serverName: nil for a server's side.
    /// - Returns: nil when OpenSSL refuses; its error queue says why.
    init?(context: TLSContext, handle: OpaquePointer, port: TLSPort, serverName: String?) {
        guard let ssl = ct_new(handle, port.pointer) else { return nil }
        self.context = context
        self.port = port
        self.serverName = serverName
        self.ssl = ssl
        guard let serverName else {
            SSL_set_accept_state(ssl)
            return
        }
        SSL_set_connect_state(ssl)
        ct_set_owner(ssl, Unmanaged.passUnretained(self).toOpaque())
        guard expect(serverName) else { return nil }
        context.resumeSession(serverName, on: ssl)
    }

    deinit {
        // Without this OpenSSL takes the connection for broken and spoils its session.
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        SSL_free(ssl)
    }

    /// Demands a certificate for this host name or IP address (RFC 9525), and asks for the name
    /// (RFC 6066 section 3, which excludes addresses).
    private func expect(_ name: String) -> Bool {
        let parameters = SSL_get0_param(ssl)
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return true }
        X509_VERIFY_PARAM_set_hostflags(
            parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        return X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1
            && ct_set_server_name(ssl, name) == 1
    }

    /// Goes on with the handshake as far as `input` allows; answers go into `output`.
    func handshake(
        _ input: UnsafeRawBufferPointer, into output: OutputQueue
    ) -> (used: Int, outcome: HandshakeOutcome) {
        OpenSSLError.clear()
        var outcome = HandshakeOutcome.needsInput
        let used = port.run(input: input, output: output) {
            let result = SSL_do_handshake(ssl)
            if result == 1 {
                outcome = .finished
            } else if SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ {
                outcome = .failed(failureLine())
            }
        }
        return (used, outcome)
    }

    private func failureLine() -> String {
        let verdict = SSL_get_verify_result(ssl)
        let line = OpenSSLError.takeLine()
        guard verdict != Int(X509_V_OK), serverName != nil,
            let text = X509_verify_cert_error_string(verdict)
        else { return line }
        return "certificate verify failed: \(String(cString: text))"
    }

    /// Decrypts `input` into the loop's plaintext buffer, several records if they are there.
    /// What TLS itself has to answer goes into `replies`.
    func decrypt(_ input: UnsafeRawBufferPointer, replies: OutputQueue) -> DecryptStep {
        OpenSSLError.clear()
        var count = 0
        var status = DecryptStatus.hasMore
        let used = port.run(input: input, output: replies) {
            while status == .hasMore, count < port.plaintext.count {
                let result = SSL_read(
                    ssl, port.plaintext.baseAddress! + count, Int32(port.plaintext.count - count))
                if result > 0 {
                    count += Int(result)
                    if port.inputLeft == 0, SSL_pending(ssl) == 0 { status = .needsInput }
                } else {
                    status = readStatus(SSL_get_error(ssl, result))
                }
            }
        }
        return DecryptStep(
            used: used, plaintext: UnsafeRawBufferPointer(rebasing: port.plaintext[..<count]),
            status: status)
    }

    private func readStatus(_ error: Int32) -> DecryptStatus {
        switch error {
        case SSL_ERROR_WANT_READ: .needsInput
        case SSL_ERROR_ZERO_RETURN: .ended
        default: .failed(failureLine())
        }
    }

    /// Encrypts `bytes` into `output`, a record for every 16,384 of them. Only after the
    /// handshake. False when the engine is beyond repair; OpenSSL's error queue says why.
    func encrypt(_ bytes: UnsafeRawBufferPointer, into output: OutputQueue) -> Bool {
        OpenSSLError.clear()
        var written = 0
        var result: Int32 = 0
        _ = port.run(input: UnsafeRawBufferPointer(start: nil, count: 0), output: output) {
            result = SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &written)
        }
        return result == 1 && written == bytes.count
    }

    /// Says goodbye (RFC 8446 section 6.1). Only after the handshake.
    func closeNotify(into output: OutputQueue) {
        OpenSSLError.clear()
        _ = port.run(input: UnsafeRawBufferPointer(start: nil, count: 0), output: output) {
            if SSL_shutdown(ssl) < 0 { OpenSSLError.clear() }
        }
    }

    /// Whether the handshake has resumed an earlier session.
    var isResumed: Bool { SSL_session_reused(ssl) == 1 }

    /// What was negotiated; nil before the handshake is done.
    var info: TLSInfo? {
        guard SSL_is_init_finished(ssl) == 1, let cipher = SSL_get_current_cipher(ssl) else {
            return nil
        }
        return TLSInfo(
            version: String(cString: SSL_get_version(ssl)),
            cipher: String(cString: SSL_CIPHER_get_name(cipher)), resumed: isResumed)
    }
}

/// What was negotiated.
public struct TLSInfo: Sendable {
    /// "TLSv1.3"
    public let version: String
    /// "TLS_AES_128_GCM_SHA256"
    public let cipher: String
    /// Whether an earlier session was resumed.
    public let resumed: Bool
}
