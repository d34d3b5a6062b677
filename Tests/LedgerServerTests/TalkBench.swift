// One conversation with a server that is only a value, under a clock that the test turns.

import Reactor
import TestSupport
import Testing
import ValkeyModel

@testable import LedgerServer
@testable import Relay

let scope = LedgerScope(owner: 0xFFFF_0000_1111_2222, sender: 9)

func digest(_ number: UInt64) -> ContentDigest { ContentDigest(high: number, low: 77) }

/// A relay's conversation with the model of a server.
final class TalkBench {
    let model: ValkeyModel
    var talk: ServerTalk
    private(set) var now: MonotonicTime
    private(set) var effects: [ServerTalk.Effect] = []
    private var connection = ValkeyModel.Connection()
    /// How replies are cut: the longest piece; 0 for whole.
    var longestPiece = 0
    private var generator = SeededGenerator(seed: 1)
    private var nextLife: UInt64 = 100

    /// - Parameter model: another bench's, for a fleet.
    init(
        _ model: ValkeyModel = ValkeyModel(), process: UInt64 = 1, readsNews: Bool = false,
        at now: MonotonicTime = MonotonicTime(nanoseconds: 9_000_000_000),
        _ adjust: (inout TalkOptions) -> Void = { _ in }
    ) {
        self.model = model
        self.now = now
        var options = TalkOptions()
        adjust(&options)
        talk = ServerTalk(
            options: options, namer: ServerNamer(key: ContentHash.Key(words: (process, 2, 3, 4))),
            process: process, readsNews: readsNews)
    }

    func open() {
        connection = ValkeyModel.Connection()
        nextLife += 1
        talk.opened(life: nextLife, at: now, wallClock: wallClock)
        turn()
    }

    /// As the model's.
    private var wallClock: Int64 { Int64(now.nanoseconds / 1_000_000_000) }

    func beat() { talk.beat(life: 0xB, at: now, wallClock: wallClock) }

    func wait(_ milliseconds: Int) { now = now.advanced(byMilliseconds: milliseconds) }

    /// What was written reaches the server, and its replies come back.
    func turn() {
        while talk.hasOutput {
            var bytes: [UInt8] = []
            talk.takeOutput { output, _ in bytes = output.copied() }
            let milliseconds = now.nanoseconds / 1_000_000
            deliver(model.receive(bytes, from: connection, at: milliseconds))
        }
    }

    /// The commands leave, and nothing comes back.
    func lose() { talk.takeOutput { _, _ in } }

    func deliver(_ bytes: [UInt8]) {
        let longest = longestPiece == 0 ? bytes.count : longestPiece
        guard !bytes.isEmpty else { return collect() }
        var offset = 0
        for piece in Splits.plan(for: bytes.count, longest: longest, using: &generator) {
            talk.received(bytes[offset..<offset + piece].span, at: now)
            offset += piece
        }
        collect()
    }

    func close() {
        talk.closed(at: now)
        collect()
    }

    func collect() { effects += talk.takeEffects() }

    func takeEffects() -> [ServerTalk.Effect] {
        defer { effects = [] }
        return effects
    }

    /// What the server knows of a submission with these recipients.
    func ask(_ whole: UInt64?, _ recipients: [UInt64] = []) -> LedgerAnswer? {
        let id = talk.lookUp(
            LedgerQuestion(
                scope: scope, whole: whole.map { digest($0) },
                recipients: recipients.map { digest($0) }), at: now)
        turn()
        for case .answered(id, let answer) in takeEffects() { return answer }
        Issue.record("no answer")
        return nil
    }

    /// Whether the server says that the scope may have records.
    func mayHold() -> Bool {
        let ticket = talk.inquire(scope, at: now)
        turn()
        return talk.mayHold(ticket)
    }

    func apply(_ kind: LedgerChange.Kind, _ number: UInt64 = 1) {
        talk.apply([LedgerChange(kind, scope: scope, digest: digest(number))], at: now)
    }

    func barrier(_ id: Int) -> Bool { talk.barrier(id, at: now) }

    func put(_ fact: LedgerFact, _ number: UInt64 = 1, seconds: Int = 60) {
        apply(.put(fact, until: now.advanced(byMilliseconds: seconds * 1_000)), number)
    }

    /// Why the connection is of no use.
    var brokenReason: String? {
        for case .broken(let reason) in takeEffects() { return reason }
        return nil
    }
}
