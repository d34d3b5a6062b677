// The traffic secrets of one handshake, as our key derivation or OpenSSL's key log tells them.
//
// The key derivation (CEpoll.KDF) has them as bytes. Where OpenSSL uses its own, it reveals them only
// through the key log (draft-ietf-tls-keylogfile): a line is a label, the client's random and the
// secret, both in hexadecimal. Only the two secrets of application data are kept, and only until the
// handshake is over.

import CEpoll.TLS
import Glibc

/// Secrets of both directions (RFC 8446 section 7.1).
struct TLSTrafficSecrets {
    private(set) var client: [UInt8] = []
    private(set) var server: [UInt8] = []

    /// Takes one of the two.
    mutating func learn(_ secret: UnsafeBufferPointer<UInt8>, isClients: Bool) {
        if isClients { client = Array(secret) } else { server = Array(secret) }
    }

    /// Takes one line; others than those of application data are ignored.
    mutating func learn(_ line: UnsafePointer<CChar>) {
        if let secret = Self.secret(line, "CLIENT_TRAFFIC_SECRET_0 ") {
            client = secret
        } else if let secret = Self.secret(line, "SERVER_TRAFFIC_SECRET_0 ") {
            server = secret
        }
    }

    /// Overwrites both.
    mutating func wipe() {
        TLSTrafficKey.wipe(&client)
        TLSTrafficKey.wipe(&server)
        client = []
        server = []
    }

    /// The secret of a line that begins with `label`; nil for another line, or one that is odd.
    private static func secret(_ line: UnsafePointer<CChar>, _ label: StaticString) -> [UInt8]? {
        guard strncmp(line, label.utf8Start, label.utf8CodeUnitCount) == 0 else { return nil }
        var at = label.utf8CodeUnitCount
        while line[at] != 0, line[at] != 0x20 { at += 1 }
        guard line[at] == 0x20 else { return nil }
        at += 1
        var secret: [UInt8] = []
        secret.reserveCapacity(48)
        while let high = digit(line[at]), let low = digit(line[at + 1]) {
            secret.append(high << 4 | low)
            at += 2
        }
        return line[at] == 0 ? secret : nil
    }

    private static func digit(_ character: CChar) -> UInt8? {
        switch UInt8(bitPattern: character) {
        case let byte where byte >= 0x30 && byte <= 0x39: byte - 0x30
        case let byte where byte >= 0x61 && byte <= 0x66: byte - 0x57
        case let byte where byte >= 0x41 && byte <= 0x46: byte - 0x37
        default: nil
        }
    }
}
