// What the lines of clients are, for metrics, transcripts and their longest length.

import Reactor
import Wire

/// What a line of a client was.
enum CommandVerb: Int, CaseIterable {
    case ehlo, helo, starttls, auth, mail, rcpt, data, rset, noop, quit, vrfy, expn, help, bdat
    /// A browser, or an attack that speaks as one.
    case http
    /// Not understood, or too long.
    case malformed
    /// A line of an AUTH exchange.
    case response

    /// For metrics and transcripts.
    var word: String { "\(self)" }

    init(_ command: Command) {
        switch command {
        case .ehlo: self = .ehlo
        case .helo: self = .helo
        case .startTLS: self = .starttls
        case .auth: self = .auth
        case .mail: self = .mail
        case .rcpt: self = .rcpt
        case .data: self = .data
        case .rset: self = .rset
        case .noop: self = .noop
        case .quit: self = .quit
        case .vrfy: self = .vrfy
        case .expn: self = .expn
        case .help: self = .help
        case .bdat: self = .bdat
        case .httpVerb: self = .http
        case .malformed: self = .malformed
        }
    }
}

extension Command {
    /// AUTH carries its response; what closes the session does so at any length, and so does what
    /// has a payload.
    var mayBeLong: Bool {
        switch self {
        case .auth, .bdat, .httpVerb, .malformed(.badChunk): true
        default: false
        }
    }
}

/// Lines of clients by verb.
struct CommandCounts: Countable {
    private var counts = InlineArray<17, Int>(repeating: 0)

    mutating func count(_ verb: CommandVerb) { counts[verb.rawValue] &+= 1 }

    mutating func add(_ other: CommandCounts) {
        for index in 0..<17 { counts[index] &+= other.counts[index] }
    }

    subscript(verb: CommandVerb) -> Int { counts[verb.rawValue] }

    var reading: CounterReading {
        .byKind(CommandVerb.allCases.map { ($0.word, self[$0]) })
    }
}
