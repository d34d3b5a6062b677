// Limits of sending domains that warm up: so many messages in so much time, then 429.
//
// A domain has limits when its name says so (`minute2.day50.warming.test`) or when a call has set
// them (`POST /sandbox/limits`). A limit's time begins with the first message that it counts; when
// it is over, the count begins anew. Every other domain is warmed up and has none. A machine:
// times are arguments.

import Wire

/// The limits of all domains, and what is used of them.
struct SandboxWarming {
    /// One limit of a domain.
    struct Window: Equatable {
        let kind: SandboxLimit.Kind
        /// Messages in `seconds`.
        let limit: Int
        let seconds: Int
        fileprivate(set) var used = 0
        /// When the count begins anew; nil while nothing is counted.
        fileprivate(set) var end: Int?

        /// - Returns: nil for figures out of bounds.
        init?(kind: SandboxLimit.Kind, limit: Int, seconds: Int?) {
            let seconds = seconds ?? kind.seconds
            guard (0...1_000_000).contains(limit), (1...86_400).contains(seconds) else {
                return nil
            }
            self.kind = kind
            self.limit = limit
            self.seconds = seconds
        }

        fileprivate mutating func renew(now: Int) {
            guard let end, now >= end else { return }
            used = 0
            self.end = nil
        }
    }

    /// Below it the names of domains are limits.
    static let magicDomain = "warming.test"
    /// Domains that are remembered; then all are forgotten.
    private static let domainsMax = 10_000

    private var windows: [String: [Window]] = [:]

    /// All limits, by domain.
    var list: [(domain: String, windows: [Window])] {
        windows.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Whether a domain's name is to have limits.
    static func isMagic(_ domain: String) -> Bool {
        domain == magicDomain || domain.hasSuffix("." + magicDomain)
    }

    /// Whether a domain is below `magicDomain` and names no limit: a mistake.
    func isUnknown(_ domain: String) -> Bool {
        Self.isMagic(domain) && windows[domain] == nil && Self.windows(named: domain).isEmpty
    }

    /// The limit that a message from `domain` meets now; of several the one that ends last.
    mutating func limit(of domain: String, now: Int) -> SandboxLimit? {
        remember(domain)
        guard let index = windows.index(forKey: domain) else { return nil }
        for place in windows.values[index].indices { windows.values[index][place].renew(now: now) }
        return windows.values[index].filter { $0.used >= $0.limit }.map {
            SandboxLimit(
                kind: $0.kind, limit: $0.limit, waitSeconds: ($0.end ?? now + $0.seconds) - now)
        }.max { $0.waitSeconds < $1.waitSeconds }
    }

    /// A message from `domain` was accepted.
    mutating func count(_ domain: String, now: Int) {
        guard let index = windows.index(forKey: domain) else { return }
        for place in windows.values[index].indices {
            windows.values[index][place].used += 1
            if windows.values[index][place].end == nil {
                windows.values[index][place].end = now + windows.values[index][place].seconds
            }
        }
    }

    /// Sets a limit of a domain, in place of one of the same kind, with nothing used.
    mutating func set(_ window: Window, of domain: String) {
        remember(domain)
        var all = windows[domain] ?? []
        all.removeAll { $0.kind == window.kind }
        store(all + [window], of: domain)
    }

    mutating func removeAll() { windows = [:] }

    /// Begins to count for a domain whose name has limits.
    private mutating func remember(_ domain: String) {
        guard windows[domain] == nil else { return }
        let named = Self.windows(named: domain)
        if !named.isEmpty { store(named, of: domain) }
    }

    private mutating func store(_ list: [Window], of domain: String) {
        if windows.count >= Self.domainsMax, windows[domain] == nil { windows = [:] }
        windows[domain] = list
    }

    /// The limits in a domain's name: labels such as `minute2`, `hour10`, `day50-5s`; the time
    /// after the `-` replaces the usual one. Other labels make a domain unlike others.
    private static func windows(named domain: String) -> [Window] {
        guard domain.hasSuffix("." + magicDomain) else { return [] }
        return domain.dropLast(magicDomain.count + 1).split(separator: ".").compactMap(window)
    }

    private static func window(_ label: Substring) -> Window? {
        let names: [(String, SandboxLimit.Kind)] = [
            ("minute", .minute), ("hour", .hourly), ("day", .daily),
        ]
        guard let (name, kind) = names.first(where: { label.hasPrefix($0.0) }) else { return nil }
        let sides = label.dropFirst(name.count)
            .split(separator: "-", omittingEmptySubsequences: false)
        guard let limit = sides.first.flatMap({ SandboxText.number($0) }) else { return nil }
        if sides.count == 1 { return Window(kind: kind, limit: limit, seconds: nil) }
        guard sides.count == 2, sides[1].hasSuffix("s"),
            let seconds = SandboxText.number(sides[1].dropLast())
        else { return nil }
        return Window(kind: kind, limit: limit, seconds: seconds)
    }
}

extension SandboxWarming {
    /// What `POST /sandbox/limits` asks for:
    /// `{"domain":"shop.example","limit_type":"per_minute","limit":2,"window_seconds":10}`.
    /// - Returns: nil for anything else; the window may be left out.
    static func order(json body: Bytes) -> (domain: String, window: Window)? {
        var reader = JSONReader()
        var domain = ""
        var kind: SandboxLimit.Kind?
        var limit: Int?
        var seconds: Int?
        guard reader.next(body) == .objectStart else { return nil }
        while case .key(let range) = reader.next(body) {
            switch (JSONReader.unescaped(body, range), reader.next(body)) {
            case ("domain", .string(let text)): domain = JSONReader.unescaped(body, text)
            case ("limit_type", .string(let text)):
                kind = SandboxLimit.Kind(rawValue: JSONReader.unescaped(body, text))
            case ("limit", .number(let digits)): limit = Int(body.extracting(digits).copiedText())
            case ("window_seconds", .number(let digits)):
                guard let number = Int(body.extracting(digits).copiedText()) else { return nil }
                seconds = number
            default: return nil
            }
        }
        guard reader.next(body) == .end, let domain = SendAddress("x@\(domain)")?.domain,
            let kind, let limit, let window = Window(kind: kind, limit: limit, seconds: seconds)
        else { return nil }
        return (domain, window)
    }

    /// `{"limits":[{"domain":…,"limit_type":…,"limit":…,"used":…,"window_seconds":…}]}`
    var json: [UInt8] {
        JSONDocument.object {
            $0.array("limits") { array in
                for (domain, windows) in list {
                    for window in windows {
                        array.object {
                            $0.field("domain", domain)
                            $0.field("limit_type", window.kind.rawValue)
                            $0.field("limit", window.limit)
                            $0.field("used", window.used)
                            $0.field("window_seconds", window.seconds)
                        }
                    }
                }
            }
        }
    }
}
