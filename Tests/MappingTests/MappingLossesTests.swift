// Sums of losses: no kind may be forgotten.

import Testing

@testable import Mapping

@Suite("Losses by kind")
struct MappingLossesTests {
    @Test("Adding takes every kind, each in a place of its own")
    func add() {
        var one = MappingLosses()
        for (index, kind) in MappingLosses.Kind.allCases.enumerated() { one[kind] = index + 1 }
        var sum = one
        sum.add(one)
        for (index, kind) in MappingLosses.Kind.allCases.enumerated() {
            #expect(one[kind] == index + 1 && sum[kind] == 2 * (index + 1), "\(kind)")
        }
        #expect(sum != one && sum.sum == 2 * one.sum)
        let places = MemoryLayout<MappingLosses>.size / MemoryLayout<Int>.size
        #expect(places == MappingLosses.Kind.allCases.count)
    }

    @Test("Each kind has a name of its own, and the summary shows those that were counted")
    func names() {
        var losses = MappingLosses()
        #expect(losses.summary.isEmpty)
        losses[.preambles] = 1
        losses[.headersNotPassed] = 2
        #expect(losses.summary == "headers_not_passed=2 preambles=1")
        let names = Set(MappingLosses.Kind.allCases.map { "\($0.name)" })
        #expect(names.count == MappingLosses.Kind.allCases.count)
    }

    @Test("Each kind has words of its own that fit into a reply, and no sign that ends one")
    func phrases() {
        let phrases = MappingLosses.Kind.allCases.map { "\($0.phrase)" }
        #expect(Set(phrases).count == phrases.count)
        for phrase in phrases {
            #expect(phrase.utf8.count <= 45 && !phrase.contains { ";()".contains($0) }, "\(phrase)")
            #expect(phrase.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }, "\(phrase)")
        }
    }

    @Test("An explanation has numbers and words")
    func explanation() {
        var losses = MappingLosses()
        #expect(losses.explanation.isEmpty && losses.phrases.isEmpty)
        losses[.signature] = 2
        losses[.headersNotPassed] = 1
        #expect(
            losses.explanation
                == "headers_not_passed=1 (header not passed on), signature=2 (signature not kept)")
        #expect(losses.phrases == ["header not passed on", "signature not kept"])
    }

    @Test("The sender hears of what matters, and not of what every message loses")
    func words() {
        var losses = MappingLosses()
        #expect(losses.wordsForSender.isEmpty)
        losses[.headersNotPassed] = 2
        losses[.addressesNotInEnvelope] = 3
        #expect(losses.wordsForSender.isEmpty)
        losses[.signature] = 1
        #expect(losses.wordsForSender == "signature not kept")
        losses[.charactersReplaced] = 7
        #expect(losses.wordsForSender == "characters replaced; signature not kept")
    }
}
