// Flags: the server's certificates and the keys of its session tickets. SIGHUP reads the flags and
// the files again.

import ArgumentParser
import Reactor
import Relay

struct CertificateFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "PEM file with a certificate and its chain. Repeatable; see --tls-folder.",
            discussion: "Environment: POSTSCALE_TLS_CERT.", valueName: "file"))
    var tlsCert: [String] = []

    @Option(
        help: ArgumentHelp(
            "PEM file with the certificate's private key: one for each --tls-cert, in their order.",
            discussion: "Environment: POSTSCALE_TLS_KEY.", valueName: "file"))
    var tlsKey: [String] = []

    @Option(
        help: ArgumentHelp(
            "Folder with fullchain.pem and privkey.pem, or with such folders. Repeatable.",
            discussion: """
                As certbot writes them: /etc/letsencrypt/live/smtp.example.com, or \
                /etc/letsencrypt/live. Of several certificates the name that a client asks for \
                chooses; a client that asks for none gets the one for --hostname, or else the \
                first. Without any certificate: the folder $CREDENTIALS_DIRECTORY (systemd). \
                SIGHUP reads all certificates again.
                """, valueName: "folder"))
    var tlsFolder: [String] = []

    @Option(
        help: ArgumentHelp(
            "File of session ticket keys, 80 bytes each, for relays that share their clients.",
            discussion: """
                The first key seals, all open: openssl rand 80 >ticket.key. Without it the relay \
                makes keys of its own and changes them every six hours. SIGHUP reads it again.
                """, valueName: "file"))
    var ticketKeys: String?

    /// Where the certificates come from: flags or their variables, a credential of systemd, or a
    /// self-signed one for the sandbox.
    /// - Throws: `ValidationError` that says how to get a certificate, or what is wrong with a folder.
    func source(environment: [String: String], hasSandbox: Bool) throws -> CertificateSource {
        let isNamed = !tlsCert.isEmpty || !tlsKey.isEmpty
        func files(_ flag: [String], _ variable: String) -> [String] {
            flag.isEmpty ? environment[variable].map { [$0] } ?? [] : flag
        }
        var found: [TLSCertificateFiles] = []
        if isNamed || tlsFolder.isEmpty {
            found = try CertificateFiles.pairs(
                certificates: files(tlsCert, "POSTSCALE_TLS_CERT"),
                keys: files(tlsKey, "POSTSCALE_TLS_KEY"))
        }
        for folder in tlsFolder { found += try CertificateFiles.inFolder(folder) }
        if !found.isEmpty { return .files(found) }
        let folder = environment["CREDENTIALS_DIRECTORY"]
        if let pair = CertificateFiles.inCredentials(folder) { return .files([pair]) }
        guard !hasSandbox else { return .selfSigned }
        throw ValidationError(
            """
            No certificate: give --tls-cert FILE and --tls-key FILE (PEM), or --tls-folder.
            A free one: certbot certonly --standalone -d smtp.example.com
              (then --tls-folder /etc/letsencrypt/live/smtp.example.com).
            To try the relay without one, with an API of its own: --sandbox.
            """)
    }
}

/// Finds the files of certificates: pairs that are named, and folders as certbot writes them.
enum CertificateFiles {
    private static let certificateName = "fullchain.pem"
    private static let keyName = "privkey.pem"

    /// The pair in `folder`. Without one: the pair of each folder in it, in the order of names.
    /// - Throws: `ValidationError` when there is no pair.
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

    /// The pair in systemd's folder of credentials; nil without one.
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
    /// - Throws: `ValidationError` when their numbers differ.
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
