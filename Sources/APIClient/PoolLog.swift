// What a pool writes to the log: addresses, request ids, reasons; never a key, never a body.
//
// A dead address fails again and again. Its failures are logged at most once in ten seconds, with
// the number of failures that were not logged; those of the name service as seldom, without it.

import Log
import Reactor

/// The log events of one pool.
final class PoolLog {
    /// Until when failures of an address are only counted.
    private struct Silence {
        var until: MonotonicTime
        var suppressed: Int
    }

    private static let intervalMilliseconds = 10_000
    /// Addresses come and go with DNS; this bounds what is remembered about them.
    private static let addressesMax = 64

    private let log: EventLog
    private var silences: [SocketAddress: Silence] = [:]
    private var resolutionSilentUntil = MonotonicTime(nanoseconds: 0)

    init(log: EventLog) { self.log = log }

    func opened(_ address: SocketAddress, _ version: AddressReport.Version) {
        log.event(
            .debug, "api-connection-opened",
            ["address": "\(address)", "http": "\(version.rawValue)"])
    }

    func connectionFailed(_ address: SocketAddress, reason: String, at now: MonotonicTime) {
        if let silence = silences[address], silence.until > now {
            silences[address]?.suppressed += 1
            return
        }
        let suppressed = silences[address]?.suppressed ?? 0
        if silences.count >= PoolLog.addressesMax { silences.removeAll() }
        silences[address] = Silence(
            until: now.advanced(byMilliseconds: PoolLog.intervalMilliseconds), suppressed: 0)
        log.event(
            .warning, "api-connection-failed",
            ["address": "\(address)", "reason": reason, "suppressed": "\(suppressed)"])
    }

    func secured(_ address: SocketAddress, _ tls: TLSInfo) {
        log.event(
            .debug, "api-connection-secured",
            [
                "address": "\(address)", "version": tls.version, "cipher": tls.cipher,
                "group": tls.group, "resumed": "\(tls.resumed)",
            ])
    }

    /// Says which address; the outcome of the message is logged with its session.
    func uncertain(_ address: SocketAddress, reason: String, requestID: String) {
        log.event(
            .debug, "api-call-broken",
            ["address": "\(address)", "reason": reason, "request_id": requestID])
    }

    /// Something in front of the API has answered the check of a key. Answers to messages are logged
    /// with their session.
    func foreignAnswer(_ response: APIResponse) {
        log.event(
            .warning, "api-foreign-answer",
            [
                "status": "\(response.status)",
                "content_type": response.origin?.contentType ?? "",
                "server": response.origin?.server ?? "", "request_id": response.requestID,
            ])
    }

    func rests(_ address: SocketAddress, milliseconds: Int) {
        log.event(
            .info, "api-address-rests",
            ["address": "\(address)", "milliseconds": "\(milliseconds)"])
    }

    func limited(_ address: SocketAddress, connections: Int, milliseconds: Int) {
        log.event(
            .info, "api-address-limited",
            [
                "address": "\(address)", "connections": "\(connections)",
                "milliseconds": "\(milliseconds)",
            ])
    }

    func isBack(_ address: SocketAddress) {
        log.event(.info, "api-address-back", ["address": "\(address)"])
    }

    /// It agrees on HTTP/2 and refuses it.
    func demandsHTTP1(_ address: SocketAddress) {
        log.event(.notice, "api-address-http1", ["address": "\(address)"])
    }

    func resolutionFailed(_ host: String, reason: String, at now: MonotonicTime) {
        guard now >= resolutionSilentUntil else { return }
        resolutionSilentUntil = now.advanced(byMilliseconds: PoolLog.intervalMilliseconds)
        log.event(.warning, "api-host-not-resolved", ["host": host, "reason": reason])
    }
}
