// Whether the ledger's home can be used, for `check`.

import Glibc
import LedgerFile
import LedgerServer
import Reactor
import Relay

/// Looks at `--ledger`.
struct LedgerCheck {
    private let place: LedgerPlace
    private let hasSandbox: Bool

    init(_ messages: MessageOptions, hasSandbox: Bool) {
        place = messages.ledger
        self.hasSandbox = hasSandbox
    }

    func findings() -> [Finding] {
        switch place {
        case .memory where hasSandbox: [.ok("ledger", "in memory")]
        case .memory:
            [
                .warn(
                    "ledger", "in memory: a restart forgets whose 250 was not seen",
                    "give --ledger FILE, or a server for a fleet")
            ]
        case .file(let path): [Self.file(path)]
        case .server(let address): [Self.server(address)]
        }
    }

    private static func file(_ path: String) -> Finding {
        let advice = "the folder must be there, and belong to the relay's user"
        guard access(path, F_OK) == 0 else {
            let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
            if let fault = TemporaryFolder.fault(of: folder.isEmpty ? "/" : folder) {
                return .bad("ledger", "\(path): \(fault)", advice)
            }
            return .ok("ledger", "\(path) will be made")
        }
        guard access(path, R_OK | W_OK) == 0 else {
            return .bad("ledger", "\(path): \(String(cString: strerror(errno)))", advice)
        }
        do {
            let faults = try LedgerFileReport(path: path).faults()
            guard let first = faults.first else { return .ok("ledger", "\(path) is whole") }
            return .bad(
                "ledger", "\(path) is damaged: \(first)",
                "move it away; the relay makes another, and knows nothing of earlier tries")
        } catch {
            return .bad("ledger", "\(path): \(error)", "postscale-relay ledger \(path) --check")
        }
    }

    /// Asks a server whether it is there and lets the relay in (RESP).
    private static func server(_ address: LedgerServerAddress) -> Finding {
        let advice = "look at --ledger, at the server, and at the firewall between"
        let found: [SocketAddress]
        do throws(ResolveError) {
            found = try SocketAddress.resolve(host: address.host, port: address.port)
        } catch { return .bad("ledger", error.description, advice) }
        do {
            let credentials = try RelayProcess.credentials(of: address)
            let tls =
                address.isTLS
                ? try TLSContext.client(
                    caFile: address.caFile, protocols: [], resumesSessions: false) : nil
            let user = credentials.user.isEmpty ? Array(address.user.utf8) : credentials.user
            var request: [UInt8] = []
            if !credentials.password.isEmpty {
                let words = user.isEmpty ? [credentials.password] : [user, credentials.password]
                request += command([Array("AUTH".utf8)] + words)
            }
            request += command([Array("PING".utf8)])
            let lines = credentials.password.isEmpty ? 1 : 2
            let answer = Probe(address: found[0], tls: tls, serverName: address.host)
                .ask(request) { bytes in bytes.count { $0 == 0x0A } >= lines || bytes.first == 0x2D
                }
            if let failure = answer.failure {
                return .bad("ledger", "\(address): \(failure)", advice)
            }
            let replies = answer.bytes.split(separator: 0x0A)
            guard let refusal = replies.firstIndex(where: { $0.first == 0x2D }) else {
                return .ok("ledger", "\(address) answers within \(answer.milliseconds) ms")
            }
            let words = String(decoding: replies[refusal].dropFirst(), as: UTF8.self)
                .filter { !$0.isNewline }
            return .bad(
                "ledger", "\(address): \(words)",
                lines == 1 || refusal < lines - 1
                    ? "correct the file of --ledger-credentials" : "look at the server's log")
        } catch { return .bad("ledger", "\(address): \(error)", advice) }
    }

    private static func command(_ words: [[UInt8]]) -> [UInt8] {
        words.reduce(into: Array("*\(words.count)\r\n".utf8)) { bytes, word in
            bytes += Array("$\(word.count)\r\n".utf8) + word + [0x0D, 0x0A]
        }
    }
}
