// Whether the ledger's home can be used, for `check`.

import Glibc
import LedgerFile
import LedgerServer
import Reactor
import Relay

/// Looks at `--ledger`.
struct LedgerCheck {
    /// Room for some tens of thousands of records, in bytes.
    private static let bytesEnough = 16 << 20

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
            return full(path, in: folder.isEmpty ? "/" : folder)
                ?? .ok("ledger", "\(path) will be made")
        }
        guard access(path, R_OK | W_OK) == 0 else {
            return .bad("ledger", "\(path): \(String(cString: strerror(errno)))", advice)
        }
        var facts = stat()
        if stat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR {
            return .bad("ledger", "\(path) is a folder", "name a file in it: \(path)/ledger")
        }
        do {
            let faults = try LedgerFileReport(path: path).faults()
            guard let first = faults.first else {
                return full(path, in: path) ?? .ok("ledger", "\(path) is whole")
            }
            return .bad(
                "ledger", "\(path) is damaged: \(first)",
                "move it away; the relay makes another, and knows nothing of earlier tries")
        } catch {
            return .bad(
                "ledger", "\(path): \(error)", (error as? LedgerFileError)?.remedy ?? advice)
        }
    }

    /// A disk that has no room for records; nil when it has.
    private static func full(_ path: String, in place: String) -> Finding? {
        let bytes = TemporaryFolder.freeBytes(of: place)
        guard bytes < bytesEnough else { return nil }
        return .warn(
            "ledger", "\(path): \(bytes >> 10) KB are free on that disk",
            "free space there; without it records are in memory alone")
    }

    /// Asks a server whether it is there, lets the relay in, and takes writes (RESP). It uses the
    /// commands that a relay needs, and changes nothing.
    private static func server(_ address: LedgerServerAddress) -> Finding {
        let advice = "look at --ledger, at the server, and at the firewall between"
        let credentials: LedgerCredentials
        do { credentials = try RelayProcess.credentials(of: address) } catch {
            return .bad(
                "ledger", CheckCommand.message(for: error),
                "correct the file of --ledger-credentials")
        }
        let found: [SocketAddress]
        do throws(ResolveError) {
            found = try SocketAddress.resolve(host: address.host, port: address.port)
        } catch { return .bad("ledger", error.description, advice) }
        let tls: TLSContext?
        do throws(TLSError) {
            tls =
                address.isTLS
                ? try TLSContext.client(
                    caFile: address.caFile, protocols: [], resumesSessions: false) : nil
        } catch { return .bad("ledger", error.description, "correct --ledger-ca") }
        let questions = questions(address, credentials)
        let answer = Probe(address: found[0], tls: tls, serverName: address.host)
            .ask(questions.flatMap(command)) { bytes in
                bytes.count { $0 == 0x0A } >= questions.count || bytes.first == 0x2D
            }
        if let failure = answer.failure { return .bad("ledger", "\(address): \(failure)", advice) }
        guard let refusal = answer.bytes.split(separator: 0x0A).first(where: { $0.first == 0x2D })
        else { return .ok("ledger", "\(address) answers within \(answer.milliseconds) ms") }
        let words = String(decoding: refusal.dropFirst(), as: UTF8.self).filter { !$0.isNewline }
        return .bad("ledger", "\(address): \(words)", remedy(for: words))
    }

    /// Each has a reply of one line. The last one is a write that finds nothing to change.
    private static func questions(
        _ address: LedgerServerAddress, _ credentials: LedgerCredentials
    ) -> [[[UInt8]]] {
        var questions: [[[UInt8]]] = []
        let user = credentials.user.isEmpty ? Array(address.user.utf8) : credentials.user
        if !credentials.password.isEmpty {
            let words = user.isEmpty ? [credentials.password] : [user, credentials.password]
            questions.append([Array("AUTH".utf8)] + words)
        }
        if address.database != 0 { questions.append(words("SELECT \(address.database)")) }
        questions.append(words("EXISTS postscale:key"))
        questions.append(words("SET postscale:check 1 XX"))
        return questions
    }

    private static func words(_ text: String) -> [[UInt8]] {
        text.utf8.split(separator: 0x20).map { Array($0) }
    }

    /// What to do about a refusal, by its first word.
    private static func remedy(for words: String) -> String {
        switch words.prefix(while: { $0 != " " }) {
        case "NOAUTH", "WRONGPASS": "correct the file of --ledger-credentials"
        case "NOPERM":
            "let its user do what docs/fleet.md lists, with names that begin with postscale:"
        case "READONLY": "--ledger must lead to the primary, not to a replica"
        case "OOM": "give the server more memory (maxmemory)"
        case "LOADING": "wait until the server has read its data"
        case "ERR" where words.contains("DB index"): "correct the database in --ledger"
        default: "look at --ledger-credentials, and at the server's log"
        }
    }

    private static func command(_ words: [[UInt8]]) -> [UInt8] {
        words.reduce(into: Array("*\(words.count)\r\n".utf8)) { bytes, word in
            bytes += Array("$\(word.count)\r\n".utf8) + word + [0x0D, 0x0A]
        }
    }
}
