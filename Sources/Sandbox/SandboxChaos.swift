// Chaos: a share of the messages meets a fault, whatever key they come with.
//
// By flag (`--chaos 429=5,503=2`) and, while the sandbox runs, by the inbox page or `PUT
// /sandbox/chaos`. A key with a fault of its own keeps that one.

import Wire

/// How many of a hundred messages meet which fault.
package struct SandboxChaos: Equatable, Sendable {
    /// The faults, by the names that flag and REST call have for them.
    static let kinds: [(name: String, effect: SandboxEffect)] = [
        ("429", .limited(.minute)), ("500", .broken), ("503", .down), ("slow", .slow),
        ("reset", .reset),
    ]

    /// Percent of each kind, in the order of `kinds`; 100 at most in all.
    private(set) var percents = [Int](repeating: 0, count: SandboxChaos.kinds.count)

    package init() {}

    /// Reads "429=5,slow=10".
    /// - Returns: nil for another name, a name that comes twice, and shares of more than 100 percent in all.
    package init?(_ text: String) {
        var seen: Set<Int> = []
        for part in text.split(separator: ",") {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            guard sides.count == 2, let percent = Int(sides[1]),
                let index = Self.kinds.firstIndex(where: { $0.name == sides[0] }),
                seen.insert(index).inserted, set(index, percent)
            else { return nil }
        }
        guard percents.reduce(0, +) <= 100 else { return nil }
    }

    /// Reads `{"429":5,"slow":10}`; what is not named is 0.
    init?(json body: Bytes) {
        var reader = JSONReader()
        guard reader.next(body) == .objectStart else { return nil }
        while case .key(let range) = reader.next(body) {
            let name = JSONReader.unescaped(body, range)
            guard let index = Self.kinds.firstIndex(where: { $0.name == name }),
                case .number(let digits) = reader.next(body),
                let percent = Int(body.extracting(digits).copiedText()), set(index, percent)
            else { return nil }
        }
        guard reader.next(body) == .end, percents.reduce(0, +) <= 100 else { return nil }
    }

    private mutating func set(_ index: Int, _ percent: Int) -> Bool {
        guard (0...100).contains(percent) else { return false }
        percents[index] = percent
        return true
    }

    /// The fault that a message meets; nil for none.
    /// - Parameter roll: 0 to 99, a random number.
    func effect(_ roll: Int) -> SandboxEffect? {
        var upTo = 0
        for (kind, percent) in zip(Self.kinds, percents) {
            upTo += percent
            if roll < upTo { return kind.effect }
        }
        return nil
    }

    /// `{"429":5,…}`, every kind.
    var json: [UInt8] {
        JSONDocument.object {
            for (kind, percent) in zip(Self.kinds, percents) { $0.field(kind.name, percent) }
        }
    }
}
