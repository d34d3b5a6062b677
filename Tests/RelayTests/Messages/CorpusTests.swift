// The golden pairs of Tests/Corpus: a message, and next to it the API request that it becomes.
//
// Tests/Corpus/README.md says how a pair is written. Each message is mapped whole, byte by byte and
// cut at random places; request and losses must be the same to the letter each time.

import Foundation
import TestSupport
import Testing

@testable import Mapping
@testable import Relay

/// One pair of Tests/Corpus.
private struct CorpusPair {
    let message: MappedMessage
    let request: NSDictionary?
    let refusal: String?
    let isGroup: Bool
    let losses: [String: Int]

    init(_ name: String) throws {
        let file = corpusFolder.appending(path: name)
        let data = try Data(contentsOf: file.appendingPathExtension("json"))
        let fields = try #require(
            try JSONSerialization.jsonObject(with: data) as? [String: Any], "\(name)")
        let known = ["note", "from", "rcpt", "losses", "group", "request", "refused"]
        try #require(Set(fields.keys).isSubset(of: known), "\(name): an unknown key")
        try #require(!(fields["note"] as? String ?? "").isEmpty, "\(name): without a note")
        var message = MappedMessage(
            bytes: Array(try Data(contentsOf: file.appendingPathExtension("eml"))))
        if let sender = fields["from"] as? String { message.sender = sender }
        if let recipients = fields["rcpt"] as? [String] { message.recipients = recipients }
        self.message = message
        request = fields["request"] as? NSDictionary
        refusal = fields["refused"] as? String
        try #require((request == nil) != (refusal == nil), "\(name): request or refused")
        isGroup = fields["group"] as? Bool ?? false
        losses = fields["losses"] as? [String: Int] ?? [:]
    }
}

private let corpusFolder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Corpus")

/// "structure/nested-multiparts" and so on, in order.
private let pairNames: [String] = {
    let root = corpusFolder.path + "/"
    let all = FileManager.default.enumerator(at: corpusFolder, includingPropertiesForKeys: nil)
    return (all?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "json" }
        .map { $0.deletingPathExtension().path.replacingOccurrences(of: root, with: "") }.sorted()
}()

@Suite("Golden pairs")
struct CorpusTests {
    @Test("There are at least 150 pairs, and no half ones")
    func count() throws {
        let all = FileManager.default.enumerator(at: corpusFolder, includingPropertiesForKeys: nil)
        let messages = (all?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "eml" }
        #expect(messages.count == pairNames.count)
        #expect(pairNames.count >= 150)
    }

    @Test("Every message becomes its request, however it is cut", arguments: pairNames)
    func pair(_ name: String) throws {
        let golden = try CorpusPair(name)
        let bench = MapperBench()
        let count = golden.message.content.count
        var plans = Splits.plans(for: count, seed: UInt64(count), random: 7)
        // Byte by byte takes too long for a large message.
        if count > 65_536 { plans.remove(at: 1) }
        for plan in plans {
            let result = bench.map(golden.message, cut: plan)
            try check(result, golden, name)
        }
    }

    /// One customer's message must not show in another's, wherever its client left.
    @Test("A message leaves nothing to the next of the same mapper")
    func sequence() throws {
        let probes = try [
            "pictures/content-location-alone", "pictures/content-location-that-no-part-has",
            "structure/related-start-names-nothing", "structure/plain-text",
        ].map { ($0, try CorpusPair($0)) }
        let bench = MapperBench()
        let mapper = MessageMapper(
            options: MappingOptions(), charsets: bench.charsets, scratch: bench.scratch,
            pool: bench.slabs, heldBytesMax: 262_144)
        var random = SeededGenerator(seed: 31)
        for name in pairNames {
            let golden = try CorpusPair(name)
            try check(bench.map(golden.message, with: mapper), golden, name)
            for (probe, pair) in probes {
                try check(bench.map(pair.message, with: mapper), pair, "\(probe) after \(name)")
            }
            for (probe, pair) in probes {
                let count = Int.random(in: 0...golden.message.content.count, using: &random)
                bench.abandon(golden.message, after: count, with: mapper)
                try check(
                    bench.map(pair.message, with: mapper), pair,
                    "\(probe) after \(count) bytes of \(name)")
            }
        }
        #expect(bench.slabs.outstanding == 0)
    }

    private func check(_ result: MappedRequest, _ golden: CorpusPair, _ name: String) throws {
        let losses = Dictionary(
            uniqueKeysWithValues: MappingLosses.Kind.allCases.map {
                ("\($0.name)", result.losses[$0])
            })
        #expect(losses.filter { $0.value > 0 } == golden.losses, "\(name)")
        if let refusal = golden.refusal {
            let reply = try #require(result.failure?.reply(isVerbose: false), "\(name)")
            #expect(reply.line == refusal, "\(name)")
        } else {
            #expect(result.failure == nil, "\(name)")
            #expect(result.isGroup == golden.isGroup, "\(name)")
            #expect(result.object == golden.request, "\(name)")
        }
    }
}
