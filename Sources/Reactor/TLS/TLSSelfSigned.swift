// A certificate for users who have none yet: self-signed, ECDSA P-256, 30 days, in memory only (RFC
// 5280).

import CEpoll.TLS
import Glibc

/// A new key and its self-signed certificate.
final class TLSSelfSigned {
    private static let lifetimeSeconds = 30 * 86_400

    /// An X509.
    let certificate: OpaquePointer
    /// An EVP_PKEY.
    let key: OpaquePointer

    /// - Parameter names: DNS names and IP addresses, at least one; the first is the subject.
    init(names: [String]) throws(TLSError) {
        guard let key = ct_generate_p256() else { throw TLSError("P-256 key") }
        guard let certificate = X509_new() else {
            EVP_PKEY_free(key)
            throw TLSError("X.509 certificate")
        }
        self.key = key
        self.certificate = certificate
        let alternatives = try TLSSelfSigned.alternativeNames(names)
        guard fill(subject: names[0]), addExtensions(alternatives),
            X509_sign(certificate, key, EVP_sha256()) > 0
        else { throw TLSError("self-signed certificate for \(names[0])") }
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }

    private func fill(subject: String) -> Bool {
        guard let serial = BN_new() else { return false }
        defer { BN_free(serial) }
        let name = X509_get_subject_name(certificate)
        // A common name holds 64 characters; the names that count are the alternative ones.
        let common = Array(subject.utf8.prefix(64))
        return BN_rand(serial, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1
            && BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != nil
            && X509_set_version(certificate, 2) == 1
            && X509_gmtime_adj(X509_getm_notBefore(certificate), -3_600) != nil
            && X509_gmtime_adj(
                X509_getm_notAfter(certificate), TLSSelfSigned.lifetimeSeconds) != nil
            && X509_NAME_add_entry_by_txt(
                name, "CN", MBSTRING_UTF8, common, Int32(common.count), -1, 0) == 1
            && X509_set_issuer_name(certificate, name) == 1
            && X509_set_pubkey(certificate, key) == 1
    }

    private func addExtensions(_ alternatives: String) -> Bool {
        let extensions: [(Int32, String)] = [
            (NID_basic_constraints, "critical,CA:FALSE"),
            (NID_key_usage, "critical,digitalSignature"),
            (NID_ext_key_usage, "serverAuth"),
            (NID_subject_alt_name, alternatives),
        ]
        for (identifier, value) in extensions {
            guard let made = X509V3_EXT_conf_nid(nil, nil, identifier, value) else { return false }
            defer { X509_EXTENSION_free(made) }
            guard X509_add_ext(certificate, made, -1) == 1 else { return false }
        }
        return true
    }

    /// "DNS:localhost,IP:127.0.0.1", from names that cannot smuggle in anything else.
    private static func alternativeNames(_ names: [String]) throws(TLSError) -> String {
        guard !names.isEmpty else { throw TLSError(line: "self-signed certificate: no name") }
        var entries: [String] = []
        for name in names {
            let isPlain = name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
                    UInt8(ascii: ":"), UInt8(ascii: "*"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
            guard isPlain, !name.isEmpty else {
                throw TLSError(line: "self-signed certificate: \"\(name)\" is not a host name")
            }
            entries.append(isAddress(name) ? "IP:\(name)" : "DNS:\(name)")
        }
        return entries.joined(separator: ",")
    }

    private static func isAddress(_ name: String) -> Bool {
        var raw = in6_addr()
        return inet_pton(AF_INET, name, &raw) == 1 || inet_pton(AF_INET6, name, &raw) == 1
    }
}
