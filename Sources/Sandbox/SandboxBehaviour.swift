// The magic keys: the name of a key tells what the sandbox does with it.
//
// `ps_live_…` and `ps_test_…` are valid, anything else is refused. A name from the table below,
// alone or with a further `_suffix` (so that a test can have a fresh key), makes things go wrong in
// one way; `_after_N` and `_for_N` between them say from when and how often. docs/sandbox.md shows
// the same table; a test compares them.

import HTTPServer
import Wire

/// What a key may do.
struct SandboxBehaviour: Equatable {
    /// Effect on every request but a send: the key check among them.
    private(set) var read = SandboxEffect.accept
    /// Effect on `POST /v1/send`.
    private(set) var send = SandboxEffect.accept
    /// `ps_test_…`: nothing is delivered, the status is `simulated`.
    let isTest: Bool
    /// So many requests are as usual before the effects begin.
    private(set) var after = 0
    /// So many requests meet the effects, then all is as usual again; nil for all.
    private(set) var times: Int?
    /// Whether reads are counted for `after` and `times`; else sends.
    private(set) var countsReads = false

    /// Names after `ps_test_`; of two that fit, the longer one counts. Besides these there are
    /// `send_<error>_<shape>` and `auth_<error>_<shape>`, with the names of `SandboxError`.
    static let table: [(name: String, read: SandboxEffect, send: SandboxEffect)] = [
        ("revoked", .revoked, .revoked),
        ("revoked_later", .accept, .revoked),
        ("forbidden", .accept, .forbidden),
        ("sendonly", .forbidden, .accept),
        ("limited", .accept, .limited(.daily)),
        ("limited_hourly", .accept, .limited(.hourly)),
        ("limited_minute", .accept, .limited(.minute)),
        ("limited_brief", .accept, .limited(.brief)),
        ("limited_key", .accept, .limited(.key)),
        ("limited_date", .accept, .limited(.date)),
        ("auth_limited", .limited(.minute), .accept),
        ("down", .accept, .down),
        ("auth_down", .down, .down),
        ("auth_hang", .hang, .accept),
        ("auth_slow", .slow, .accept),
        ("gateway", .accept, .badGateway),
        ("invalid", .accept, .invalid),
        ("conflict", .accept, .conflict),
        ("toolarge", .accept, .tooLarge),
        ("slow", .accept, .slow),
        ("lost", .accept, .lost),
        ("created", .accept, .created),
        ("closing", .accept, .closing),
        ("garbage", .accept, .garbage),
        ("reset", .accept, .reset),
        ("hang", .accept, .hang),
    ]

    /// The behaviour of `key`; nil when it has not the form of Postscale's keys.
    init?(key: [UInt8]?) {
        guard let key, key.count <= 512, key.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return nil
        }
        let text = String(decoding: key, as: UTF8.self)
        guard text.count > 8 else { return nil }
        if text.hasPrefix("ps_live_") {
            isTest = false
            return
        }
        guard text.hasPrefix("ps_test_") else { return nil }
        isTest = true
        let words = text.dropFirst(8).split(separator: "_", omittingEmptySubsequences: false)
        readTurns(words.dropFirst(readName(words)))
    }

    /// Whether the effects begin or end after some requests.
    var hasTurns: Bool { after > 0 || times != nil }

    /// What the key does after so many counted requests.
    func turn(_ count: Int) -> SandboxBehaviour {
        if count >= after, count - after < times ?? .max { return self }
        var usual = self
        (usual.read, usual.send) = (.accept, .accept)
        return usual
    }

    /// A send also meets `chaos`, when the key has no effect of its own.
    func meeting(_ chaos: SandboxEffect?) -> SandboxBehaviour {
        var behaviour = self
        if send == .accept, let chaos { behaviour.send = chaos }
        return behaviour
    }

    /// Whether a send is refused before its body is read.
    var isRefusedByHead: Bool { send == .tooLarge || send == .revoked }

    /// Takes over the effects that the first words name.
    /// - Returns: how many words the name has; 0 for an ordinary key.
    private mutating func readName(_ words: [Substring]) -> Int {
        if words.count >= 3, words[0] == "send" || words[0] == "auth",
            let error = SandboxError(words[1], words[2])
        {
            countsReads = words[0] == "auth"
            if countsReads { read = .error(error) } else { send = .error(error) }
            return 3
        }
        let fitting = Self.table.filter { words.starts(with: $0.name.split(separator: "_")) }
        guard let entry = fitting.max(by: { $0.name.count < $1.name.count }) else { return 0 }
        (read, send) = (entry.read, entry.send)
        countsReads = words[0] == "auth" || send == .accept
        return entry.name.split(separator: "_").count
    }

    /// Reads `after_N` and `for_N`, in this order, at the front of `words`.
    private mutating func readTurns(_ words: ArraySlice<Substring>) {
        var words = words
        func number(after word: String) -> Int? {
            guard words.first == word[...], let digits = words.dropFirst().first,
                let number = SandboxText.number(digits)
            else { return nil }
            words = words.dropFirst(2)
            return number
        }
        after = number(after: "after") ?? 0
        times = number(after: "for")
    }
}

/// How often each key was used, for keys whose effects begin or end after some requests. Holds
/// no key, only hashes; bounded.
struct SandboxTurns {
    /// Keys that are remembered; then all are forgotten.
    private static let keysMax = 10_000

    private var counts: [Int: Int] = [:]

    /// Counted requests of a key so far.
    func count(of key: [UInt8]) -> Int { counts[key.hashValue] ?? 0 }

    mutating func add(_ key: [UInt8]) {
        if counts.count == Self.keysMax { counts = [:] }
        counts[key.hashValue, default: 0] += 1
    }
}
