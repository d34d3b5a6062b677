// Which messages a run sends: one size, or sizes with weights.
//
// The choice depends on a message's number only, so every server gets the same sequence.

/// Shapes of test messages and how often each is sent.
struct MessageMix: Equatable, Sendable {
    struct Kind: Equatable, Sendable {
        var weight: Int
        var shape: TestMessage.Shape
        /// Approximate bytes on the wire, headers included.
        var bytes: Int
    }

    let kinds: [Kind]
    /// The mix as the user gave it: "4096", "transactional", "4k:90,1m:10".
    let name: String
    private let weightSum: Int

    init(name: String, kinds: [Kind]) {
        precondition(!kinds.isEmpty && kinds.allSatisfy { $0.weight > 0 })
        self.kinds = kinds
        self.name = name
        weightSum = kinds.reduce(0) { $0 + $1.weight }
    }

    /// All messages have one size: text, or attachments from 64 KB on.
    static func fixed(bytes: Int) -> MessageMix {
        MessageMix(
            name: "\(bytes)",
            kinds: [Kind(weight: 1, shape: .ofSize(bytes), bytes: bytes)])
    }

    /// Messages of shops and services: receipts, newsletters with a picture, a few documents.
    static let transactional = MessageMix(
        name: "transactional",
        kinds: [
            Kind(weight: 90, shape: .text, bytes: 4_096),
            Kind(weight: 9, shape: .illustrated, bytes: 61_440),
            Kind(weight: 1, shape: .attachments, bytes: 5_242_880),
        ])

    /// "transactional", a size, or sizes with weights: "4k:90,60k:9,5m:1"; nil for anything else.
    init?(_ text: String) {
        if text == "transactional" {
            self = .transactional
            return
        }
        var kinds: [Kind] = []
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = item.split(separator: ":", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), let bytes = MessageMix.bytes(parts[0]),
                let weight = parts.count == 2 ? Int(parts[1]) : 1, (1...1_000_000).contains(weight)
            else { return nil }
            kinds.append(Kind(weight: weight, shape: .ofSize(bytes), bytes: bytes))
        }
        guard !kinds.isEmpty else { return nil }
        self.init(name: text, kinds: kinds)
    }

    /// "4096", "4k", "5m" (powers of two); 512 bytes to 200 MB.
    static func bytes(_ text: some StringProtocol) -> Int? {
        let units: [(String, Int)] = [("k", 1_024), ("m", 1_048_576)]
        let lower = text.lowercased()
        let unit = units.first { lower.hasSuffix($0.0) }
        guard let number = Int(unit == nil ? lower : String(lower.dropLast())), number > 0,
            number <= 209_715_200
        else { return nil }
        let bytes = number * (unit?.1 ?? 1)
        return (512...209_715_200).contains(bytes) ? bytes : nil
    }

    /// Index into `kinds` for message `number`.
    func kind(ofMessage number: Int) -> Int {
        guard kinds.count > 1 else { return 0 }
        var place = Int(MessageMix.scatter(UInt64(number)) % UInt64(weightSum))
        for (index, kind) in kinds.enumerated() {
            place -= kind.weight
            if place < 0 { return index }
        }
        return kinds.count - 1
    }

    /// A number that looks random and is the same each time (SplitMix64's finisher).
    private static func scatter(_ number: UInt64) -> UInt64 {
        var bits = (number &+ 1) &* 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}
