// The calls of the admin listener that change something in the running relay, and how their JSON is
// read: one flat object with the fields of the call and no other. A key is named by its hash, never by
// itself; an error does not repeat what was given, because it may be a key.

import Logging
import Reactor
import Wire

/// What an operator asks the relay to do.
package enum AdminCall: Equatable {
    /// The next MAIL of this sending domain, or of this key, is not refused for a limit that the API
    /// named earlier.
    case forgetDomainLimit(String)
    case forgetKeyLimit(UInt64)
    /// The next login with this key asks the API.
    case forgetKey(UInt64)
    /// Transcripts of sessions, for some minutes.
    case trace(TraceRules.Subject, minutes: Int)
    case setLogLevel(Logger.Level)

    /// A body that is not the call's.
    package struct Fault: Error, Equatable {
        package let reason: String
    }

    /// The paths of the calls.
    package static let paths: Set<String> = [
        "/limits/forget", "/keys/forget", "/trace", "/log-level",
    ]

    /// Minutes of a trace without `minutes`.
    package static let usualMinutes = 10
    /// A domain is never longer (RFC 5321 4.5.3.1.2).
    private static let domainBytesMax = 255

    /// - Parameter path: one of `paths`.
    /// - Throws: `Fault` with what would do instead.
    package init(path: String, body: [UInt8]) throws(Fault) {
        let fields = try AdminFields(body.span)
        switch path {
        case "/limits/forget": self = try Self.forgetLimit(fields)
        case "/keys/forget":
            try fields.check(only: ["key"])
            guard let key = try Self.key(fields) else {
                throw Fault(reason: #"give {"key": "<hash>"}."#)
            }
            self = .forgetKey(key)
        case "/trace": self = try Self.trace(fields)
        case "/log-level": self = try Self.logLevel(fields)
        default: preconditionFailure("\(path) is no call")
        }
    }

    private static func forgetLimit(_ fields: AdminFields) throws(Fault) -> AdminCall {
        try fields.check(only: ["domain", "key"])
        switch (fields.texts["domain"], try key(fields)) {
        case (let domain?, nil):
            guard isDomain(domain) else {
                throw Fault(reason: "domain: give a domain such as example.com, without an @.")
            }
            return .forgetDomainLimit(domain.lowercased())
        case (nil, let key?): return .forgetKeyLimit(key)
        default:
            throw Fault(reason: #"give either {"domain": "example.com"} or {"key": "<hash>"}."#)
        }
    }

    private static func trace(_ fields: AdminFields) throws(Fault) -> AdminCall {
        try fields.check(only: ["key", "address", "minutes"])
        let minutes = fields.numbers["minutes"] ?? usualMinutes
        guard minutes >= 1, minutes <= TraceRules.minutesMax else {
            throw Fault(reason: "minutes: give 1 to \(TraceRules.minutesMax).")
        }
        switch (try key(fields), fields.texts["address"]) {
        case (let key?, nil): return .trace(.key(key), minutes: minutes)
        case (nil, let address?):
            guard let block = AddressBlock(address) else {
                throw Fault(
                    reason: "address: give an address or a block such as 192.0.2.0/24.")
            }
            return .trace(.addresses(block), minutes: minutes)
        default:
            throw Fault(reason: #"give either {"key": "<hash>"} or {"address": "192.0.2.7"}."#)
        }
    }

    private static func logLevel(_ fields: AdminFields) throws(Fault) -> AdminCall {
        try fields.check(only: ["level"])
        guard let level = fields.texts["level"].flatMap(Logger.Level.init(rawValue:)) else {
            throw Fault(reason: badLevel)
        }
        return .setLogLevel(level)
    }

    static let badLevel =
        "level: give one of "
        + Logger.Level.allCases.map(\.rawValue).joined(separator: ", ") + "."

    private static func key(_ fields: AdminFields) throws(Fault) -> UInt64? {
        guard let text = fields.texts["key"] else { return nil }
        guard let hash = TraceRules.hash(text) else {
            throw Fault(
                reason: "key: give a hash of 16 to 64 hexadecimal digits, not a key: "
                    + "printf %s KEY | sha256sum.")
        }
        return hash
    }

    /// With a dot, which no key has: a key that is given by mistake must not be logged.
    private static func isDomain(_ text: String) -> Bool {
        text.contains(".") && text.utf8.count <= domainBytesMax
            && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != 0x40 }
    }
}

/// A flat JSON object of texts and whole numbers.
private struct AdminFields {
    private(set) var texts: [String: String] = [:]
    private(set) var numbers: [String: Int] = [:]

    private static let fault = AdminCall.Fault(
        reason: "give one JSON object whose values are texts and whole numbers, each name once.")

    init(_ body: Bytes) throws(AdminCall.Fault) {
        var reader = JSONReader()
        guard reader.next(body) == .objectStart else { throw Self.fault }
        while true {
            switch reader.next(body) {
            case .key(let range):
                try readValue(of: JSONReader.unescaped(body, range), body, &reader)
            case .objectEnd:
                guard reader.next(body) == .end else { throw Self.fault }
                return
            default: throw Self.fault
            }
        }
    }

    private mutating func readValue(
        of name: String, _ body: Bytes, _ reader: inout JSONReader
    ) throws(AdminCall.Fault) {
        guard texts[name] == nil, numbers[name] == nil else { throw Self.fault }
        switch reader.next(body) {
        case .string(let range): texts[name] = JSONReader.unescaped(body, range)
        case .number(let range):
            guard let number = Int(body.extracting(range).copiedText()) else { throw Self.fault }
            numbers[name] = number
        default: throw Self.fault
        }
    }

    /// Throws when there is a field that the call does not have, or one of the wrong type.
    func check(only names: [String]) throws(AdminCall.Fault) {
        let isKnown =
            texts.keys.allSatisfy { names.contains($0) && $0 != "minutes" }
            && numbers.keys.allSatisfy { names.contains($0) && $0 == "minutes" }
        guard isKnown else {
            throw AdminCall.Fault(
                reason: "the fields of this call are \(names.joined(separator: ", "))"
                    + (names.contains("minutes") ? "; minutes is a number." : "; each is a text."))
        }
    }
}
