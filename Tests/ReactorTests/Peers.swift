// Peers that are not the reactor's: a plain socket without any memory of the heap, and OpenSSL's own
// client, which asks for what our client never asks for.

import CEpoll.System
import CEpoll.TLS
import Glibc
import Testing

@testable import Reactor

/// A socket that is connected to a listener, non-blocking.
final class RawSocket {
    let descriptor: Int32

    init(to address: SocketAddress) throws {
        descriptor = cs_tcp_socket(AF_INET, 1)
        // Small, so that a test fills them soon.
        cs_set_option(descriptor, SOL_SOCKET, SO_SNDBUF, 8_192)
        cs_set_option(descriptor, SOL_SOCKET, SO_RCVBUF, 8_192)
        let status = address.withSockaddr { [descriptor] in cs_connect(descriptor, $0, $1) }
        try #require(status == 0)
    }

    deinit { close(descriptor) }

    /// Sends as much as the kernel takes at once; returns how many bytes.
    func send(_ bytes: [UInt8]) -> Int {
        max(0, Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL)))
    }

    /// What has arrived: empty for nothing yet, nil for the end.
    func receive() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count > 0 { return Array(bytes[..<count]) }
        return count < 0 && errno == EAGAIN ? [] : nil
    }
}

/// OpenSSL's client, over memory.
final class OpenSSLClient {
    private let context: OpaquePointer
    private let ssl: OpaquePointer
    private let port = TLSPort()
    private let output = OutputQueue(pool: SlabPool())

    /// - Parameters:
    ///   - version: `TLS1_2_VERSION` or `TLS1_3_VERSION`.
    ///   - fragmentCode: max_fragment_length, 1 to 4 (RFC 6066 section 4); 0 for none.
    ///   - serverName: of the server that it asks for.
    ///   - earlier: whose session it offers, if there is one.
    ///   - groups: OpenSSL's own list for nil.
    init(
        version: Int32, fragmentCode: UInt8 = 0, serverName: String? = nil,
        resuming earlier: OpenSSLClient? = nil, groups: String? = nil
    ) throws {
        context = try #require(SSL_CTX_new(TLS_client_method()))
        try #require(ct_set_versions(context, version, version) == 1)
        try #require(SSL_CTX_set_tlsext_max_fragment_length(context, fragmentCode) == 1)
        if let groups { try #require(ct_set_groups(context, groups) == 1) }
        ssl = try #require(ct_new(context, port.pointer))
        SSL_set_connect_state(ssl)
        if let serverName { try #require(ct_set_server_name(ssl, serverName) == 1) }
        if let earlier {
            let session = SSL_get1_session(earlier.ssl)
            try #require(SSL_set_session(ssl, session) == 1)
            SSL_SESSION_free(session)
        }
    }

    /// Whether the handshake has resumed the session that was offered.
    var isResumed: Bool { SSL_session_reused(ssl) == 1 }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    /// Continues the handshake; the answer is in `take`.
    func shakeHands(_ input: [UInt8]) -> Bool {
        var isDone = false
        run(input) { isDone = SSL_do_handshake(ssl) == 1 }
        return isDone
    }

    /// A whole handshake with an engine of ours.
    func shakeHands(with server: TLSEngine, _ downstream: OutputQueue) {
        var isClientDone = false
        for _ in 0..<4 where !isClientDone || server.info == nil {
            if !isClientDone { isClientDone = shakeHands(downstream.taken()) }
            let bytes = take()
            if server.info == nil, !bytes.isEmpty {
                _ = bytes.withUnsafeBytes {
                    server.handshake($0, into: downstream, at: .readClock())
                }
            }
        }
        #expect(isClientDone && server.info != nil)
    }

    func write(_ bytes: [UInt8]) {
        run([]) { #expect(SSL_write(ssl, bytes, Int32(bytes.count)) == bytes.count) }
    }

    /// The plaintext in `input`; nil when TLS has failed or ended.
    func read(_ input: [UInt8]) -> [UInt8]? {
        var plaintext: [UInt8]? = []
        var room = [UInt8](repeating: 0, count: 65_536)
        run(input) {
            while true {
                let count = SSL_read(ssl, &room, Int32(room.count))
                if count > 0 {
                    plaintext? += room[..<Int(count)]
                } else {
                    if SSL_get_error(ssl, count) != SSL_ERROR_WANT_READ { plaintext = nil }
                    return
                }
            }
        }
        return plaintext
    }

    /// A request to renegotiate (TLS 1.2); nothing but it is written.
    func renegotiate() {
        run([]) {
            #expect(SSL_renegotiate(ssl) == 1)
            _ = SSL_do_handshake(ssl)
        }
    }

    /// What is to be sent.
    func take() -> [UInt8] { output.taken() }

    private func run(_ input: [UInt8], _ body: () -> Void) {
        ERR_clear_error()
        input.withUnsafeBytes { _ = port.run(input: $0, output: output, body) }
        ERR_clear_error()
    }
}

extension OutputQueue {
    /// Everything queued, as the kernel would take it.
    func taken() -> [UInt8] {
        var bytes: [UInt8] = []
        while let slab = first {
            slab.bytes.withUnsafeBytes { bytes += Array($0) }
            consume(slab.count)
        }
        return bytes
    }
}

/// The heap of this process. Glibc's own figures, read through malloc_info(3).
enum Heap {
    /// A sanitizer brings an allocator of its own, of which `bytesInUse` knows nothing.
    static let isMeasured = getenv("SANITIZED") == nil

    /// Bytes that are allocated now.
    static func bytesInUse() -> Int {
        typealias Report = @convention(c) (Int32, UnsafeMutablePointer<FILE>) -> Int32
        guard let symbol = dlsym(nil, "malloc_info") else { return 0 }
        var text: UnsafeMutablePointer<CChar>?
        var size = 0
        guard let file = open_memstream(&text, &size) else { return 0 }
        _ = unsafeBitCast(symbol, to: Report.self)(0, file)
        fclose(file)
        defer { free(text) }
        guard let text else { return 0 }
        // The totals of all arenas are the last of their kind.
        let lines = String(cString: text).split(separator: "\n").map(String.init)
        func last(_ name: String) -> Int {
            guard let line = lines.last(where: { $0.hasPrefix("<\(name)") }),
                let start = line.range(of: "size=\"")
            else { return 0 }
            return Int(line[start.upperBound...].prefix { $0 != "\"" }) ?? 0
        }
        return last("system type=\"current\"") + last("total type=\"mmap\"")
            - last("total type=\"fast\"") - last("total type=\"rest\"")
    }
}

extension String {
    fileprivate func range(of text: String) -> Range<Index>? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) {
                return index..<self.index(index, offsetBy: text.count)
            }
            index = self.index(after: index)
        }
        return nil
    }
}
