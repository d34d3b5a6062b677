// How messages are held on their way, each setting with its one default.

/// Settings of messages in flight.
package struct MessageOptions: Sendable, Equatable {
    /// Request bodies up to this size are held whole; larger ones are cut through.
    package var bufferThresholdBytes = 262_144
    /// The folder of the unlinked files that hold what memory must not; nil for the first usable
    /// state folder.
    package var temporaryFolder: String?
    /// Bytes of all these files together; nil for an eighth of what is free at start.
    package var temporaryBytesMax: Int?
    /// How long a message is remembered whose 250 the client cannot have seen.
    package var duplicateWindowMilliseconds = 86_400_000
    /// How long it is remembered who of a group has a message that others did not get yet. Longer than
    /// any mail server keeps trying.
    package var groupWindowMilliseconds = 604_800_000

    /// Where records are kept that outlive connections.
    package var ledger = LedgerPlace.memory

    package init() {}
}

/// Where the ledger is at home.
package enum LedgerPlace: Sendable, Equatable {
    /// In this process: a restart forgets it.
    case memory
    /// In a SQLite file of this path.
    case file(String)
    /// In a Valkey or Redis server, for a fleet.
    case server(LedgerServerAddress)
}

/// Where a Valkey or Redis server is: `valkey://user@host:6379/0`, `valkeys://` over TLS.
package struct LedgerServerAddress: Sendable, Equatable {
    package var isTLS = false
    /// Empty for the default user.
    package var user = ""
    /// Name or address literal (without brackets).
    package var host: String
    package var port: UInt16 = 6_379
    package var database = 0
    /// PEM file that replaces the system's trust store.
    package var caFile: String?
    /// File with user, password and secret.
    package var credentialsFile: String?

    package init(host: String) { self.host = host }

    /// - Returns: nil for anything but a URL of that form; a password in it is refused.
    package init?(url: String) {
        guard let colon = url.firstRange(of: "://") else { return nil }
        switch url[..<colon.lowerBound].lowercased() {
        case "valkey", "redis": break
        case "valkeys", "rediss": isTLS = true
        default: return nil
        }
        var rest = url[colon.upperBound...]
        if let slash = rest.firstIndex(of: "/") {
            let path = rest[rest.index(after: slash)...]
            rest = rest[..<slash]
            guard let number = path.isEmpty ? 0 : Self.number(path), number < 65_536 else {
                return nil
            }
            database = number
        }
        if let at = rest.lastIndex(of: "@") {
            user = String(rest[..<at])
            rest = rest[rest.index(after: at)...]
            guard !user.isEmpty, user.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3A })
            else { return nil }
        }
        var name = rest[...]
        if rest.hasPrefix("[") {
            guard let bracket = rest.firstIndex(of: "]") else { return nil }
            name = rest[rest.index(after: rest.startIndex)..<bracket]
            rest = rest[rest.index(after: bracket)...]
            guard name.contains(":") else { return nil }
        } else {
            name = rest[..<(rest.firstIndex(of: ":") ?? rest.endIndex)]
            rest = rest[name.endIndex...]
        }
        if rest.hasPrefix(":") {
            guard let number = Self.number(rest.dropFirst()), let port = UInt16(exactly: number),
                port > 0
            else { return nil }
            self.port = port
        } else if !rest.isEmpty {
            return nil
        }
        host = String(name)
        let isHost = host.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && !"/@?#[]".utf8.contains($0)
        }
        guard !host.isEmpty, isHost else { return nil }
    }

    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } ? Int(text) : nil
    }
}

extension LedgerServerAddress: CustomStringConvertible {
    /// The URL.
    package var description: String {
        let name = host.utf8.contains(0x3A) ? "[\(host)]" : host
        let path = database == 0 ? "" : "/\(database)"
        return "\(isTLS ? "valkeys" : "valkey")://\(name):\(port)\(path)"
    }
}
