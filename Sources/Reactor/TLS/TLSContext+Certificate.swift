// What a server's certificate says: for whom it is, until when, and itself as PEM.

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

extension TLSContext {
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
        var parts = tm()
        guard let certificate = ownCertificate,
            ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) == 1
        else { return nil }
        return Int64(timegm(&parts))
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
