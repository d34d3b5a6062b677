// From flags to the files of certificates: pairs that are named, and folders as certbot writes them.

import ArgumentParser
import Reactor

/// Finds the files of certificates.
enum CertificateFiles {
    private static let certificateName = "fullchain.pem"
    private static let keyName = "privkey.pem"

    /// The pair in `folder`; or, when it has none, that of each folder in it, by name.
    /// - Throws: `ValidationError` when there is none at all.
    static func inFolder(_ folder: String) throws -> [TLSCertificateFiles] {
        if let own = pair(in: folder) { return [own] }
        let names: [String]
        do { names = try SmallFile.names(in: folder) } catch {
            throw ValidationError("--tls-folder \(error).")
        }
        let pairs = names.compactMap { pair(in: "\(folder)/\($0)") }
        guard !pairs.isEmpty else {
            throw ValidationError(
                "--tls-folder \(folder): neither it nor a folder in it has \(certificateName) and "
                    + "\(keyName).")
        }
        return pairs
    }

    /// The pair that systemd has put into the folder of credentials.
    static func inCredentials(_ folder: String?) -> TLSCertificateFiles? {
        folder.flatMap(pair(in:))
    }

    private static func pair(in folder: String) -> TLSCertificateFiles? {
        let files = TLSCertificateFiles(
            certificate: "\(folder)/\(certificateName)", key: "\(folder)/\(keyName)")
        let isThere =
            SmallFile.mayExist(files.certificate) && SmallFile.mayExist(files.key)
        return isThere ? files : nil
    }

    /// `--tls-cert` and `--tls-key` in pairs: the first with the first, and so on.
    /// - Throws: `ValidationError` when they are not as many.
    static func pairs(
        certificates: [String], keys: [String]
    ) throws -> [TLSCertificateFiles] {
        guard certificates.count == keys.count else {
            let missing =
                certificates.count > keys.count
                ? "--tls-cert without --tls-key" : "--tls-key without --tls-cert"
            throw ValidationError("\(missing): give both, PEM files, once for each certificate.")
        }
        return zip(certificates, keys).map { TLSCertificateFiles(certificate: $0, key: $1) }
    }
}
