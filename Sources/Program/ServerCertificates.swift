// Reads the server's certificates and the keys of its session tickets, at start and at each SIGHUP.

import ArgumentParser
import Log
import Reactor
import Relay

extension ReloadableSettings {
    /// The server's certificates from their files, or a new one in memory.
    /// - Parameters:
    ///   - hostname: of several certificates, the one for this name is the default.
    ///   - groups: for the key exchange; nil for the usual ones.
    /// - Throws: `TLSError` that names the file, or the groups.
    func loadCertificates(
        hostname: String, groups: String?, sealing tickets: TLSTickets
    ) throws -> TLSContext {
        switch certificate {
        case .files(let files):
            return try TLSContext.server(
                certificates: files, defaultName: hostname, tickets: tickets, groups: groups)
        case .selfSigned:
            return try TLSContext.selfSignedServer(
                names: [hostname, "localhost", "127.0.0.1", "::1"], groups: groups)
        }
    }

    /// The keys for session tickets; nil when there is no file of them.
    /// - Throws: `ValidationError` that names the file.
    func readTicketKeys() throws -> [UInt8]? {
        guard let ticketKeyFile else { return nil }
        do {
            let bytes = try SmallFile.read(ticketKeyFile)
            try TLSTickets().use(bytes)
            return bytes
        } catch let error as FileError {
            throw ValidationError("--ticket-keys \(error).")
        } catch {
            throw ValidationError("--ticket-keys \(ticketKeyFile): \(error).")
        }
    }
}

extension TLSContext {
    /// Says in the log which certificates no client accepts today. They are used all the same, because
    /// it may be this machine's clock that is wrong.
    /// - Parameter now: seconds since 1970.
    func warnOfDates(in log: EventLog, now: Int64) {
        for facts in certificates {
            let hasEnded = facts.notAfter.map { $0 <= now } ?? false
            let hasBegun = facts.notBefore.map { $0 <= now } ?? true
            guard hasEnded || !hasBegun else { continue }
            let date = Timestamp.text(
                seconds: Int((hasEnded ? facts.notAfter : facts.notBefore) ?? 0), milliseconds: 0)
            log.event(
                .warning, "certificate-not-valid",
                [
                    "names": facts.names.joined(separator: " "),
                    "reason": hasEnded ? "ended at \(date)" : "begins at \(date)",
                    "remedy": hasEnded
                        ? "renew it (certbot renew), then send SIGHUP"
                        : "look at this machine's clock, or use the one before it",
                ])
        }
    }
}
