// Whether the API can be asked from here, and whether it accepts a key, for `check`: its name, each of
// its addresses, TLS, the key check of a login, and the clock against the API's Date (RFC 9110 6.6.1).

import APIClient
import Glibc
import Log
import Reactor
import Wire

/// Looks at the API.
struct APICheck {
    /// A clock that is wrong by more makes certificates and tickets doubtful, in seconds.
    private static let skewMax: Int64 = 300
    /// Beyond this it is not kept by NTP.
    private static let skewEnough: Int64 = 10

    private let options: APIOptions
    private let groups: String?
    private let key: [UInt8]?

    /// - Parameters:
    ///   - groups: for the key exchange; nil for the usual ones.
    ///   - key: what to log in with; nil for none.
    init(_ options: APIOptions, groups: String?, key: [UInt8]?) {
        self.options = options
        self.groups = groups
        self.key = key
    }

    func findings() -> [Finding] {
        let endpoint = options.endpoint
        let addresses: [SocketAddress]
        do throws(ResolveError) {
            addresses = try SocketAddress.resolve(host: endpoint.host, port: endpoint.port)
        } catch {
            return [
                .bad(
                    "dns", error.description,
                    "look at /etc/resolv.conf; getent hosts \(endpoint.host) asks the same")
            ]
        }
        var findings: [Finding] = [
            .ok("dns", "\(endpoint.host) is \(addresses.map(\.host).joined(separator: ", "))")
        ]
        let answers: [ProbeAnswer]
        do throws(TLSError) {
            let tls = try context([.http11])
            let offered = try context(options.http.offered)
            answers = addresses.map { look(at: $0, asking: tls, offering: offered) }
        } catch {
            return findings + [.bad("api", error.description, "correct --api-ca or --tls-groups")]
        }
        let good = answers.firstIndex { $0.failure == nil }
        findings += zip(addresses, answers).map { Self.reached($0, $1, isNeeded: good == nil) }
        guard let good else { return findings }
        findings.append(http(addresses[good], answers[good]))
        guard !answers[good].bytes.isEmpty else {
            return findings + [
                .warn(
                    "login", "not asked: the question of this check is HTTP/1.1",
                    "send a message to see whether a key is accepted")
            ]
        }
        findings.append(login(answers[good]))
        findings.append(Self.clock(answers[good], now: Int64(time(nil))))
        return findings
    }

    private func context(_ protocols: [TLSApplicationProtocol]) throws(TLSError) -> TLSContext? {
        guard options.endpoint.isTLS else { return nil }
        return try TLSContext.client(
            caFile: options.caFile, protocols: protocols, groups: groups, resumesSessions: false)
    }

    // MARK: The question

    /// The question by HTTP/1.1; where the relay may speak HTTP/2 alone, only the handshake.
    private func look(
        at address: SocketAddress, asking tls: TLSContext?, offering offered: TLSContext?
    ) -> ProbeAnswer {
        let answer = options.http == .http2 ? nil : ask(address, tls)
        if let answer, answer.failure == nil || options.http == .http11 { return answer }
        let handshake = Probe(
            address: address, tls: offered, serverName: options.endpoint.host
        ).ask([]) { _ in true }
        guard let answer else { return handshake }
        return handshake.tls?.applicationProtocol == .http2 ? handshake : answer
    }

    /// The question that a login is: does this key read? Without a key the answer is 401.
    private func ask(_ address: SocketAddress, _ tls: TLSContext?) -> ProbeAnswer {
        let endpoint = options.endpoint
        var request = Array(
            ("GET \(endpoint.basePath)\(options.keyCheckPath) HTTP/1.1\r\n"
                + "Host: \(endpoint.authority)\r\nAccept: application/json\r\n"
                + "User-Agent: postscale-relay/\(RelayVersion.current)\r\nConnection: close\r\n")
                .utf8)
        if let key { request += Array("Authorization: Bearer ".utf8) + key + [0x0D, 0x0A] }
        request += [0x0D, 0x0A]
        return Probe(address: address, tls: tls, serverName: endpoint.host)
            .ask(request) { Self.head(of: $0) != nil }
    }

    private static func head(of bytes: [UInt8]) -> HTTPResponseHead? {
        guard case .head(let head) = HTTPResponseHead.parse(bytes.span) else { return nil }
        return head
    }

    /// - Parameter isNeeded: no other address answers.
    private static func reached(
        _ address: SocketAddress, _ answer: ProbeAnswer, isNeeded: Bool
    ) -> Finding {
        guard let failure = answer.failure else {
            return .ok("api", "\(address) answers within \(answer.milliseconds) ms")
        }
        let advice = advice(address, answer, failure)
        let words = "\(address): \(failure)"
        return isNeeded ? .bad("api", words, advice) : .warn("api", words, advice)
    }

    /// What to do about an address that gave no answer.
    private static func advice(
        _ address: SocketAddress, _ answer: ProbeAnswer, _ failure: String
    ) -> String {
        if failure.hasPrefix("TLS") {
            return "look at the clock, at --api-ca, and at what stands between: "
                + "openssl s_client -connect \(address)"
        }
        if answer.isOpen {
            return "it took the connection: look at --api-url (https or http, and the port), "
                + "and at what stands between"
        }
        if failure == SystemError.text(ECONNREFUSED) {
            return "nothing listens there, or a firewall says so: look at --api-url"
        }
        return "open the firewall for outgoing connections to port \(address.port); "
            + "if it is open, look at --api-url"
    }

    // MARK: What the answer says

    /// Which HTTP the relay will speak.
    private func http(_ address: SocketAddress, _ answer: ProbeAnswer) -> Finding {
        guard let tls = answer.tls else {
            let version = options.http == .http2 ? "HTTP/2" : "HTTP/1.1"
            return .ok("http", "\(version) without TLS")
        }
        if options.http == .http11 { return .ok("http", "HTTP/1.1 over \(tls.version)") }
        let offered = try? context(options.http.offered)
        let probe = Probe(address: address, tls: offered, serverName: options.endpoint.host)
        if probe.ask([], until: { _ in true }).tls?.applicationProtocol == .http2 {
            return .ok("http", "HTTP/2 over \(tls.version)")
        }
        guard options.http == .http2 else {
            return .ok("http", "HTTP/1.1 over \(tls.version); the API does not offer HTTP/2")
        }
        return .bad(
            "http", "the API does not offer HTTP/2, which --api-http 2 demands",
            "leave --api-http out: auto speaks what the API offers")
    }

    private func login(_ answer: ProbeAnswer) -> Finding {
        guard let head = Self.head(of: answer.bytes) else {
            return .bad("login", "the answer is no HTTP", "look at --api-url")
        }
        let isForeign = !Self.isJSON(answer.bytes)
        switch (head.status, key != nil) {
        case (_, _) where isForeign && head.status != 204:
            return .bad(
                "login", "\(head.status), and no JSON: something in front of the API answers",
                "look at --api-url and --key-check-path, and at proxies of this network")
        case (401, false), (403, false):
            return .ok("login", "the API wants a key; with --key-file it is tried")
        case (200...299, true): return .ok("login", "the API accepts the key")
        case (403, true): return .ok("login", "the API knows the key, which may send only")
        case (429, true): return .ok("login", "the API knows the key, and limits it now")
        case (401, true):
            return .bad("login", "the API refuses the key", "make another one in the dashboard")
        case (500..., _):
            return .bad(
                "login", "the API answers \(head.status)", "try again; look at its status page")
        default:
            return .bad(
                "login", "the API answers \(head.status)", "look at --api-url and --key-check-path")
        }
    }

    /// Whether the head says so.
    private static func isJSON(_ bytes: [UInt8]) -> Bool {
        field("content-type", of: bytes)?.lowercased().hasPrefix("application/json") ?? false
    }

    private static func clock(_ answer: ProbeAnswer, now: Int64) -> Finding {
        guard let text = field("date", of: answer.bytes),
            let date = HTTPDate.seconds(Array(text.utf8).span)
        else { return .ok("clock", "the API does not say what time it is") }
        let skew = abs(now - date)
        let side = now > date ? "after" : "before"
        let advice = "set it by NTP: timedatectl set-ntp true"
        if skew <= skewEnough { return .ok("clock", "as the API's, within \(max(1, skew)) s") }
        let words = "\(skew) s \(side) the API's"
        return skew > skewMax ? .bad("clock", words, advice) : .warn("clock", words, advice)
    }

    /// The first field of this name, lower case, in a head.
    private static func field(_ name: String, of bytes: [UInt8]) -> String? {
        let text = String(decoding: bytes.prefix(head(of: bytes)?.headBytes ?? 0), as: UTF8.self)
        for line in text.split(whereSeparator: \.isNewline) {
            let sides = line.split(separator: ":", maxSplits: 1)
            guard sides.count == 2, sides[0].lowercased() == name else { continue }
            return sides[1].split(separator: " ").joined(separator: " ")
        }
        return nil
    }
}
