// Whether clients will accept the relay's certificates, for `check`.

import Glibc
import Log
import Reactor
import Relay

/// Looks at the certificates and their keys.
struct CertificateCheck {
    private static let day: Int64 = 86_400
    /// A certificate that is renewed by a program is renewed earlier than this.
    private static let daysEnough: Int64 = 14

    private let configuration: Configuration

    init(_ configuration: Configuration) { self.configuration = configuration }

    /// - Parameter now: seconds since 1970.
    func findings(now: Int64) -> [Finding] {
        let settings = configuration.reloadable
        if let fault = Self.fault(of: configuration.tlsGroups) { return [fault] }
        guard case .files(let files) = settings.certificate else {
            return [
                .warn(
                    "certificate", "made at each start; no client can know it",
                    "give --tls-folder, or --write-certificate for clients that should verify it")
            ]
        }
        let context: TLSContext
        do {
            context = try settings.loadCertificates(
                hostname: configuration.hostname, groups: configuration.tlsGroups,
                sealing: TLSTickets())
        } catch {
            return [
                .bad(
                    "certificate", "\(error)",
                    "both are PEM, the key belongs to the first certificate of the file, and this "
                        + "user may read them")
            ]
        }
        let certificates = context.certificates
        let dates = certificates.map { facts in
            // Of several, the line says which.
            let name = certificates.count > 1 ? "\(facts.names.first ?? "without a name"): " : ""
            return Self.dates(of: facts, name, now: now)
        }
        let chains = certificates.filter(\.lacksIssuer).map(Self.lacksIssuer)
        return dates + [name(of: context)] + chains + files.compactMap { Self.openKey($0.key) }
    }

    /// Groups that TLS does not know; nil when it takes them.
    private static func fault(of groups: String?) -> Finding? {
        do throws(TLSError) {
            _ = try TLSContext.selfSignedServer(names: ["localhost"], groups: groups)
            return nil
        } catch { return .bad("certificate", error.description, "correct --tls-groups") }
    }

    /// When it begins and ends.
    /// - Parameter name: what the line begins with.
    private static func dates(
        of facts: TLSCertificateFacts, _ name: String, now: Int64
    ) -> Finding {
        guard let begin = facts.notBefore, let end = facts.notAfter else {
            return .bad("certificate", "\(name)its dates cannot be read", "make it anew")
        }
        let renew = "renew it (certbot renew), then send SIGHUP"
        let date = text(end)
        if end <= now { return .bad("certificate", "\(name)ended at \(date)", renew) }
        if begin > now {
            return .bad(
                "certificate", "\(name)begins at \(text(begin)), and no client takes it before",
                "look at this machine's clock (timedatectl), or use the one before it")
        }
        guard end - now > daysEnough * day else {
            return .warn("certificate", "\(name)ends at \(date)", renew)
        }
        return .ok("certificate", "\(name)good until \(date)")
    }

    private static func text(_ seconds: Int64) -> String {
        Timestamp.text(seconds: Int(seconds), milliseconds: 0)
    }

    /// A certificate that stands alone in its file.
    private static func lacksIssuer(_ facts: TLSCertificateFacts) -> Finding {
        .warn(
            "certificate",
            "\(facts.names.first ?? "it") comes without its chain: clients cannot find its issuer",
            "the file has the certificate first, then its chain: fullchain.pem, not cert.pem")
    }

    /// Whether one of them is for the relay's name.
    private func name(of context: TLSContext) -> Finding {
        let names = context.servedNames.flatMap(\.self)
        let wanted = configuration.hostname.lowercased()
        let isThere = names.contains { name in
            let name = name.lowercased()
            guard name.hasPrefix("*."), let dot = wanted.firstIndex(of: ".") else {
                return name == wanted
            }
            return wanted[dot...] == name.dropFirst()
        }
        let list = names.prefix(5).joined(separator: " ")
        if isThere { return .ok("certificate", "for \(list)") }
        return .warn(
            "certificate", "for \(list), not for \(configuration.hostname)",
            "clients use a name that it has as their server; give it to --hostname, too")
    }

    /// A key that everybody may read; nil for a good one.
    private static func openKey(_ path: String) -> Finding? {
        var facts = stat()
        guard stat(path, &facts) == 0, facts.st_mode & 0o004 != 0 else { return nil }
        return .warn(
            "certificate", "everybody on this machine may read \(path)", "chmod o-r \(path)")
    }
}
