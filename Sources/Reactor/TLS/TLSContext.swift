// Certificates and policy of TLS, shared by all loops (an SSL_CTX locks itself).
//
// TLS 1.2 and 1.3; forward secrecy and authenticated encryption only (RFC 9325 section 4); no
// renegotiation, no compression. Buffers are released while a connection is idle.

import CEpoll.KDF
import CEpoll.TLS
import Glibc

/// A certificate with its chain, and its key: two PEM files.
public struct TLSCertificateFiles: Sendable, Equatable {
    /// The server's certificate first, then its chain.
    public let certificate: String
    /// The private key of the first certificate.
    public let key: String

    /// Two paths; nothing is read yet.
    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// What a certificate says of itself.
public struct TLSCertificateFacts: Sendable, Equatable {
    /// The DNS names that it is for.
    public let names: [String]
    /// Seconds since 1970 when it begins; nil if that cannot be read.
    public let notBefore: Int64?
    /// Seconds since 1970 when it ends.
    public let notAfter: Int64?
    /// Another one has signed it, and no chain comes with it.
    public let lacksIssuer: Bool
}

/// One SSL_CTX: certificates and policy, shared by all loops.
public final class TLSContext: Sendable {
    /// OpenSSL counts references to it and guards it with its own locks. It is set up before it is
    /// shared, and never changed after that.
    private nonisolated(unsafe) let handle: OpaquePointer
    private let sessions = TLSSessionCache()
    /// The keys that seal a server's tickets; shared with the context that replaces this one.
    private let tickets: TLSTickets
    /// The other certificates of a server, by name; nil when it has one only.
    private let others: TLSServerNames?

    private static let ciphers =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        + "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        + "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    private static let suites =
        "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    /// Groups for the key exchange, best first: the first list that the library takes. OpenSSL 3.5 has
    /// the hybrid with ML-KEM (FIPS 203). A star is a key share that a client sends, so that a server
    /// without the hybrid needs no second ClientHello.
    private static let groups = ["*X25519MLKEM768:*X25519:P-256:P-384", "X25519:P-256:P-384"]

    private init(
        isServer: Bool, groups: String?, tickets: TLSTickets = TLSTickets(),
        others: TLSServerNames? = nil
    ) throws(TLSError) {
        self.tickets = tickets
        self.others = others
        guard let method = isServer ? TLS_server_method() : TLS_client_method() else {
            throw TLSError("TLS")
        }
        let derives = ct_kdf_load() == 1
        guard let handle = derives ? ct_kdf_context(method) : SSL_CTX_new(method) else {
            throw TLSError("TLS")
        }
        self.handle = handle
        ct_set_mode(handle, Int(SSL_MODE_RELEASE_BUFFERS))
        if !derives { Self.readKeyLog(of: handle) }
        ct_set_options(handle)
        // Without this OpenSSL asks on the terminal, and the process stands still until somebody answers.
        SSL_CTX_set_default_passwd_cb(handle) { _, _, _, _ in -1 }
        if isServer { ct_wipe_plaintext(handle) }
        guard ct_set_versions(handle, TLS1_2_VERSION, TLS1_3_VERSION) == 1,
            SSL_CTX_set_cipher_list(handle, TLSContext.ciphers) == 1,
            SSL_CTX_set_ciphersuites(handle, TLSContext.suites) == 1
        else { throw TLSError("TLS policy") }
        // OpenSSL 3.5 takes an empty list, and then no handshake succeeds.
        if groups == "" { throw TLSError(line: "TLS groups: the list is empty") }
        let lists = groups.map { [$0] } ?? TLSContext.groups
        guard lists.contains(where: { ct_set_groups(handle, $0) == 1 }) else {
            throw TLSError("TLS groups \(lists[lists.count - 1])")
        }
        OpenSSLError.clear()
    }

    deinit { SSL_CTX_free(handle) }

    /// How OpenSSL tells the traffic secrets when the key derivation is not ours; they go to the engine
    /// and nowhere else. It prints five secrets for each handshake, byte by byte.
    private static func readKeyLog(of handle: OpaquePointer) {
        SSL_CTX_set_keylog_callback(handle) { ssl, line in
            guard let ssl, let line, let owner = ct_owner(ssl) else { return }
            Unmanaged<TLSEngine>.fromOpaque(owner).takeUnretainedValue().learn(line)
        }
    }

    /// A server's: PEM chain and key from files.
    /// - Parameter speaksHTTP2: lets clients choose between HTTP/2 and HTTP/1.1 (ALPN, RFC 7301);
    ///   those that name neither go on without a choice.
    public static func server(
        certificateFile: String, keyFile: String, speaksHTTP2: Bool = false
    ) throws(TLSError) -> TLSContext {
        let files = TLSCertificateFiles(certificate: certificateFile, key: keyFile)
        let context = try server(certificates: [files], defaultName: nil, tickets: TLSTickets())
        if speaksHTTP2 { TLSApplicationProtocol.letClientsChoose(context.handle) }
        return context
    }

    /// A server's with several certificates, of which the client's server name selects one (RFC
    /// 6066 section 3); the first that covers a name serves it.
    ///
    /// - Parameters:
    ///   - certificates: at least one.
    ///   - defaultName: clients that name no server, or one that nothing covers, get the
    ///     certificate for this name, or else the first.
    ///   - tickets: what seals session tickets; a context that takes another's place shares it, so
    ///     that tickets stay good.
    ///   - groups: for the key exchange, best first, in OpenSSL's words; nil for the usual ones.
    /// - Throws: `TLSError` that names the file, or the groups.
    public static func server(
        certificates: [TLSCertificateFiles], defaultName: String?, tickets: TLSTickets,
        groups: String? = nil
    ) throws(TLSError) -> TLSContext {
        var contexts: [TLSContext] = []
        for files in certificates.dropFirst(certificates.count == 1 ? 1 : 0) {
            contexts.append(
                try TLSContext(certificate: files, groups: groups, tickets: tickets, others: nil))
        }
        guard !contexts.isEmpty else {
            return try TLSContext(
                certificate: certificates[0], groups: groups, tickets: tickets, others: nil)
        }
        let names = TLSServerNames(contexts.map { ($0.names, $0) })
        let standard = defaultName.flatMap { name in
            contexts.firstIndex { TLSServerNames([($0.names, $0)]).find(name) != nil }
        }
        return try TLSContext(
            certificate: certificates[standard ?? 0], groups: groups, tickets: tickets,
            others: names)
    }

    private convenience init(
        certificate files: TLSCertificateFiles, groups: String?, tickets: TLSTickets,
        others: TLSServerNames?
    ) throws(TLSError) {
        try self.init(isServer: true, groups: groups, tickets: tickets, others: others)
        guard SSL_CTX_use_certificate_chain_file(handle, files.certificate) == 1 else {
            throw TLSError("certificate \(files.certificate)")
        }
        guard SSL_CTX_use_PrivateKey_file(handle, files.key, SSL_FILETYPE_PEM) == 1,
            SSL_CTX_check_private_key(handle) == 1
        else { throw Self.keyError(files.key) }
        enableTickets()
        if others != nil { chooseByName() }
    }

    private static func keyError(_ file: String) -> TLSError {
        guard OpenSSLError.isOfPassphrase else { return TLSError("key \(file)") }
        OpenSSLError.clear()
        return TLSError(
            line: "key \(file): it has a passphrase; write it without: openssl pkey -in \(file)")
    }

    /// Lets the server name of a ClientHello choose among `others`.
    private func chooseByName() {
        ct_set_server_name_callback(handle) { ssl, name in
            guard let ssl, let name, let owner = ct_owner(ssl) else { return 0 }
            let engine = Unmanaged<TLSEngine>.fromOpaque(owner).takeUnretainedValue()
            guard let chosen = engine.context.others?.find(String(cString: name)) else { return 0 }
            return SSL_set_SSL_CTX(ssl, chosen.handle) == nil ? 0 : 1
        }
    }

    /// A server's from a new self-signed ECDSA P-256 certificate in memory, for `names` (DNS names
    /// and IP addresses), good for 30 days; `certificatePEM` shows it.
    /// - Parameters:
    ///   - speaksHTTP2: as for a server with files.
    ///   - groups: as for a server with several certificates.
    public static func selfSignedServer(
        names: [String], speaksHTTP2: Bool = false, groups: String? = nil
    ) throws(TLSError) -> TLSContext {
        let context = try TLSContext(isServer: true, groups: groups)
        if speaksHTTP2 { TLSApplicationProtocol.letClientsChoose(context.handle) }
        let identity = try TLSSelfSigned(names: names)
        guard SSL_CTX_use_certificate(context.handle, identity.certificate) == 1,
            SSL_CTX_use_PrivateKey(context.handle, identity.key) == 1
        else { throw TLSError("self-signed certificate") }
        context.enableTickets()
        return context
    }

    /// A client's: verifies against the system store, or only against `caFile` when given; checks
    /// the host name.
    ///
    /// - Parameters:
    ///   - protocols: what is offered in the handshake, best first (ALPN, RFC 7301); none for servers
    ///     of other protocols, which may refuse that. `TLSInfo` says what the server has chosen.
    ///   - groups: as for a server.
    ///   - resumesSessions: keeps sessions per server name for resumption.
    public static func client(
        caFile: String?, protocols: [TLSApplicationProtocol] = [.http11], groups: String? = nil,
        resumesSessions: Bool = true
    ) throws(TLSError) -> TLSContext {
        let context = try TLSContext(isServer: false, groups: groups)
        let handle = context.handle
        SSL_CTX_set_verify(handle, SSL_VERIFY_PEER, nil)
        if let caFile {
            guard SSL_CTX_load_verify_file(handle, caFile) == 1 else {
                throw TLSError("CA file \(caFile)")
            }
        } else {
            guard SSL_CTX_set_default_verify_paths(handle) == 1 else {
                throw TLSError("system certificate store")
            }
        }
        TLSApplicationProtocol.offer(protocols, on: handle)
        context.keepSessions(resumesSessions)
        return context
    }

    /// Whether a client's sessions are kept for resumption.
    private func keepSessions(_ isKeeping: Bool) {
        guard isKeeping else { return ct_set_session_cache(handle, Int(SSL_SESS_CACHE_OFF)) }
        ct_set_session_cache(
            handle, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE))
        SSL_CTX_sess_set_new_cb(handle) { ssl, session in
            guard let ssl, let session, let owner = ct_owner(ssl) else { return 0 }
            let engine = Unmanaged<TLSEngine>.fromOpaque(owner).takeUnretainedValue()
            guard let name = engine.serverName else { return 0 }
            return engine.context.sessions.keep(session, for: name) ? 1 : 0
        }
    }

    /// One ticket for each connection, sealed with keys that all loops share, good for the server
    /// name that the client has asked for; no session is kept on this side.
    private func enableTickets() {
        ct_set_session_cache(handle, Int(SSL_SESS_CACHE_OFF))
        ct_bind_sessions_to_names(handle)
        SSL_CTX_set_num_tickets(handle, 1)
        SSL_CTX_set_tlsext_ticket_key_evp_cb(handle) { ssl, name, iv, cipher, mac, seal in
            guard let ssl, let name, let iv, let cipher, let mac,
                let owner = ct_owner(ssl)
            else { return -1 }
            let engine = Unmanaged<TLSEngine>.fromOpaque(owner).takeUnretainedValue()
            let now = engine.handshakeTime
            return engine.context.tickets.keys.withLock { keys in
                seal == 1
                    ? keys.seal(name, iv, cipher, mac, now: now)
                    : keys.open(name, iv, cipher, mac, now: now)
            }
        }
    }

    /// An engine of this context, nil when OpenSSL refuses.
    ///
    /// - Parameter serverName: whom a client talks to; nil for a server's side.
    func makeEngine(port: TLSPort, serverName: String?) -> TLSEngine? {
        TLSEngine(context: self, handle: handle, port: port, serverName: serverName)
    }

    /// Offers the session kept for `serverName`, if there is one, on a client's SSL.
    func resumeSession(_ serverName: String, on ssl: OpaquePointer) {
        sessions.resume(serverName, on: ssl)
    }

    // MARK: What a server's certificate says

    /// A server's certificate, the default one of several; valid as long as the context.
    private var ownCertificate: OpaquePointer? { SSL_CTX_get0_certificate(handle) }

    /// A server's own certificate as PEM text, the default one of several.
    public var certificatePEM: String? {
        guard let certificate = ownCertificate, let memory = BIO_new(BIO_s_mem())
        else { return nil }
        defer { BIO_free(memory) }
        guard PEM_write_bio_X509(memory, certificate) == 1 else { return nil }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 65_536) { buffer in
            let count = BIO_read(memory, buffer.baseAddress, Int32(buffer.count))
            return String(decoding: buffer.prefix(Int(max(count, 0))), as: UTF8.self)
        }
    }

    /// Seconds since 1970 when the server certificate ends; of several, the first to end.
    public var notAfter: Int64? {
        guard let others else { return ownNotAfter }
        return others.all.compactMap(\.ownNotAfter).min()
    }

    private var ownNotAfter: Int64? {
        ownCertificate.flatMap { Self.seconds(X509_get0_notAfter($0)) }
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return Int64(timegm(&parts))
    }

    /// What each certificate of a server says of itself.
    public var certificates: [TLSCertificateFacts] {
        (others?.all ?? [self]).map { context in
            TLSCertificateFacts(
                names: context.names,
                notBefore: context.ownCertificate.flatMap {
                    Self.seconds(X509_get0_notBefore($0))
                },
                notAfter: context.ownNotAfter,
                lacksIssuer: ct_lacks_issuer(context.handle) == 1)
        }
    }

    /// For each certificate of a server the names that it is for.
    public var servedNames: [[String]] { others.map { $0.all.map(\.names) } ?? [names] }

    /// The DNS names that a server's certificate is for (RFC 5280 section 4.2.1.6), as they stand
    /// there; wildcards among them.
    public var names: [String] {
        guard let certificate = ownCertificate else { return [] }
        var names: [String] = []
        while let name = ct_certificate_name(certificate, Int32(names.count)) {
            names.append(String(cString: name))
            free(name)
        }
        return names
    }
}

/// What OpenSSL refused, on which file, in one line.
public struct TLSError: Error, Sendable, CustomStringConvertible {
    /// "certificate /etc/relay/tls.pem: No such file or directory".
    public let description: String

    /// `subject`, and the first error of OpenSSL's queue.
    init(_ subject: String) { description = "\(subject): \(OpenSSLError.takeLine())" }

    /// A line of our own.
    init(line: String) { description = line }
}
