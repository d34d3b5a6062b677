// What SIGHUP does: it reads settings, certificates and ticket keys again, and gives them to the loops.
//
// Everything is read and checked before anything changes. An error is logged, and the relay goes on
// as it was. Open sessions keep the limits and the certificate that they began with.

import ArgumentParser
import Glibc
import Log
import Logging
import Reactor
import Relay

/// Reads the files again and has the loops adopt what has changed.
struct Reload {
    private let reader: SettingsReader
    private let shared: Shared
    private let roster: WorkerRoster
    private let tickets: TLSTickets

    init(reader: SettingsReader, shared: Shared, roster: WorkerRoster, tickets: TLSTickets) {
        self.reader = reader
        self.shared = shared
        self.roster = roster
        self.tickets = tickets
    }

    /// One SIGHUP. On the main thread.
    func perform() {
        do {
            let (read, needRestart) = try reader.readAgain()
            let settings = read.configuration.reloadable
            let ticketKeys = try settings.readTicketKeys()
            // A certificate made for the sandbox stays: its clients may have a copy of it.
            let certificates =
                settings.certificate == .selfSigned
                ? shared.serverTLS
                : try settings.loadCertificates(
                    hostname: read.configuration.hostname,
                    groups: shared.configuration.tlsGroups, sealing: tickets)
            try tickets.use(ticketKeys)
            shared.adopt(settings, certificates)
            roster.tellAll { $0.adopt(settings, certificates) }
            report(certificates, needRestart)
        } catch {
            shared.log.event(
                .error, "reload-refused", ["reason": RunCommand.message(for: error)])
        }
    }

    private func report(_ certificates: TLSContext, _ needRestart: [String]) {
        if !needRestart.isEmpty {
            shared.log.event(
                .warning, "reload-needs-restart", ["flags": needRestart.joined(separator: " ")])
        }
        certificates.warnOfDates(in: shared.log, now: Int64(time(nil)))
        shared.log.event(
            .notice, "reloaded",
            [
                "certificates": "\(certificates.servedNames.count)",
                "valid_until": certificates.notAfter.map {
                    Timestamp.text(seconds: Int($0), milliseconds: 0)
                } ?? "",
            ])
    }
}
