// Where a Valkey or Redis server is, and how a relay talks to it.

import Relay

/// What the machine of one connection goes by.
struct TalkOptions: Sendable {
    /// In front of every name in the server.
    var prefix = Array("postscale:".utf8)
    /// Of the access list; empty for the default user.
    var user: [UInt8] = []
    /// Empty: none.
    var password: [UInt8] = []
    var database = 0
    /// The fleet has a secret of its own, of which the key for digests is made.
    var hasSecret = false
    /// How long lists of scopes count: not less than the records in them.
    var acceptedMilliseconds = 86_400_000
    var leaseMilliseconds = 120_000
    var groupMilliseconds = 604_800_000
    /// An acceptance that is being told is kept from others for so long; longer than a client may be
    /// silent.
    var takenMilliseconds = 120_000
    /// A server that owes its answer for so long is out of reach. The loop's timers take up to ten
    /// milliseconds more.
    var patienceMilliseconds = 40
    /// And after so long it is gone.
    var silenceMilliseconds = 1_000
    /// How often a connection is tried out.
    var beatMilliseconds = 1_000
    /// Changes that are sent at once, when many wait.
    var batchChanges = 256
    var owed = OwedChanges.Bounds()
}

/// What a ledger in a server is made of.
package struct ServerLedgerOptions: Sendable {
    package var address: LedgerServerAddress
    package var credentials = LedgerCredentials()
    /// As in the relay's settings: how long records count.
    package var duplicateMilliseconds = 86_400_000
    package var groupMilliseconds = 604_800_000
    package var apiTimeoutMilliseconds = 50_000
    package var bounds = LedgerTable.Bounds()
    /// How long the answer of a name service is used.
    package var dnsMilliseconds = 30_000

    package init(address: LedgerServerAddress) { self.address = address }

    var talk: TalkOptions {
        var options = TalkOptions()
        options.user = credentials.user.isEmpty ? Array(address.user.utf8) : credentials.user
        options.password = credentials.password
        options.database = address.database
        options.hasSecret = !credentials.secret.isEmpty
        options.acceptedMilliseconds = duplicateMilliseconds + 1_000
        options.groupMilliseconds = groupMilliseconds + 1_000
        options.leaseMilliseconds = apiTimeoutMilliseconds + 1_000
        return options
    }
}

/// What the file of `--ledger-credentials` holds. Lines of `name=value`; empty ones and those that
/// begin with `#` do not count.
package struct LedgerCredentials: Sendable, CustomStringConvertible {
    package fileprivate(set) var user: [UInt8] = []
    package fileprivate(set) var password: [UInt8] = []
    /// Of the fleet: the same at each relay.
    fileprivate(set) var secret: [UInt8] = []

    package init() {}

    /// - Returns: nil for a file that says something else.
    package init?(_ file: [UInt8]) {
        for line in file.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            if line.first == 0x23 { continue }
            guard let equals = line.firstIndex(of: 0x3D) else { return nil }
            let value = Array(line[(equals + 1)...])
            switch String(decoding: line[..<equals], as: UTF8.self) {
            case "user": user = value
            case "password": password = value
            case "secret": secret = value
            default: return nil
            }
        }
    }

    package var description: String { "LedgerCredentials(hidden)" }
}
