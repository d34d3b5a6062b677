// What SIGHUP does: reads settings, certificates and ticket keys again, and gives them to the loops.
//
// Everything is read and checked before anything changes; what is wrong is logged, and the relay
// goes on as it was. Sessions that are open keep the limits and the certificate that they began with.

import ArgumentParser
import Log
import Logging
import Reactor
import Relay

/// Reads again what may change while the relay runs.
struct Reload {
    let reader: SettingsReader
    let shared: Shared
    let roster: WorkerRoster
    let tickets: TLSTickets

    /// One SIGHUP. On the main thread.
    func perform() {
        do {
            let (settings, needRestart) = try reader.readAgain()
            let ticketKeys = try settings.readTicketKeys()
            // A certificate made for the sandbox stays: its clients may have a copy of it.
            let certificates =
                settings.certificate == .selfSigned
                ? shared.serverTLS : try settings.loadCertificates(sealing: tickets)
            try tickets.use(ticketKeys)
            adopt(settings.configuration, certificates)
            if !needRestart.isEmpty {
                shared.log.event(
                    .warning, "reload-needs-restart",
                    ["flags": needRestart.joined(separator: " ")])
            }
            shared.log.event(
                .notice, "reloaded",
                [
                    "certificates": "\(certificates.servedNames.count)",
                    "valid_until": certificates.notAfter.map {
                        Timestamp.text(seconds: Int($0), milliseconds: 0)
                    } ?? "",
                ])
        } catch {
            shared.log.event(
                .error, "reload-refused", ["reason": RunCommand.message(for: error)])
        }
    }

    private func adopt(_ read: Configuration, _ certificates: TLSContext) {
        var configuration = shared.configuration
        configuration.limits = read.limits
        configuration.abuse = read.abuse
        configuration.proxies = read.proxies
        configuration.hasVerboseReplies = read.hasVerboseReplies
        shared.serverTLS = certificates
        shared.abuse.change(configuration.abuse)
        roster.tellAll { [configuration] in $0.adopt(configuration, certificates) }
    }
}

extension RelaySettings {
    /// The server's certificates from their files, or a new one in memory.
    /// - Throws: `TLSError` that names the file.
    func loadCertificates(sealing tickets: TLSTickets) throws -> TLSContext {
        let hostname = configuration.hostname
        switch certificate {
        case .files(let files):
            return try TLSContext.server(
                certificates: files, defaultName: hostname, tickets: tickets)
        case .selfSigned:
            return try TLSContext.selfSignedServer(
                names: [hostname, "localhost", "127.0.0.1", "::1"])
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
