// Hidden recipients: which is next, which are in the ledger, and the outcome of the whole.

import Reactor
import Testing

@testable import APIClient
@testable import Relay

@Suite("Hidden recipients, one call each")
struct GroupMachineTests {
    static let id: [UInt8] = [0x31]
    static let accepted = Outcome.accepted(messageID: id)
    static let limited = Outcome.rateLimited(RateLimit(kind: "", retryAfterSeconds: nil))
    static let invalid = Outcome.invalidRequest(message: [])

    static let outcomes: [([Outcome], Outcome)] = [
        ([accepted, accepted], accepted),
        ([accepted, .allSuppressed], accepted),
        ([.allSuppressed, .allSuppressed], .allSuppressed),
        ([accepted, invalid, .allSuppressed], invalid),
        ([accepted, limited], limited),
        ([invalid, limited], limited),
        ([invalid, .unavailable(isUncertain: true)], .unavailable(isUncertain: true)),
        ([accepted, .forbidden(message: [])], .forbidden(message: [])),
    ]

    @Test("the outcome is the worst of all, what may pass being worse", arguments: outcomes)
    func outcome(results: [Outcome], expected: Outcome) {
        var machine = GroupMachine(count: results.count, inFlightMax: 8)
        for index in results.indices { #expect(machine.nextCall() == index) }
        for index in results.indices.reversed() {
            #expect(!machine.isDone)
            machine.ended(index, results[index], isComplete: true)
        }
        #expect(machine.isDone)
        #expect(machine.outcome == expected)
    }

    @Test("the message ids of those who have it are told, with those of an earlier try")
    func messageIDs() {
        var machine = GroupMachine(count: 4, inFlightMax: 8)
        let known = LedgerRecord(.delivered(messageID: [0x39]), until: .never)
        machine.found([nil, nil, known, nil], isRenewed: false)
        #expect(machine.messageIDs == [[0x39]] && machine.knownCount == 1)
        while machine.nextCall() != nil {}
        machine.ended(3, .accepted(messageID: [0x33]), isComplete: true)
        machine.ended(0, Self.invalid, isComplete: true)
        machine.ended(1, .accepted(messageID: [0x32]), isComplete: true)
        #expect(machine.messageIDs == [[0x32], [0x39], [0x33]])
    }

    @Test("no more calls at a time than allowed, and everybody gets one")
    func bound() {
        var machine = GroupMachine(count: 10, inFlightMax: 3)
        var sent: [Int] = []
        var flying: [Int] = []
        while !machine.isDone {
            while let next = machine.nextCall() {
                sent.append(next)
                flying.append(next)
            }
            #expect(flying.count <= 3)
            machine.ended(flying.removeFirst(), Self.accepted, isComplete: true)
        }
        #expect(sent == Array(0..<10))
    }

    @Test(
        "a failure that all calls would meet stops the rest",
        arguments: [
            (limited, false), (Outcome.keyRefused, false),
            (Outcome.unavailable(isUncertain: true), false),
            (invalid, true), (Outcome.allSuppressed, true), (accepted, true),
        ])
    func stops(outcome: Outcome, goesOn: Bool) {
        var machine = GroupMachine(count: 3, inFlightMax: 1)
        #expect(machine.nextCall() == 0)
        machine.ended(0, outcome, isComplete: true)
        #expect((machine.nextCall() == 1) == goesOn)
    }

    private static func at(_ seconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 1_000_000_000).advanced(byMilliseconds: seconds * 1_000)
    }

    private static func record(_ fact: LedgerFact, _ seconds: Int = 10) -> LedgerRecord {
        LedgerRecord(fact, until: at(seconds))
    }

    private static func calls(_ machine: inout GroupMachine) -> [Int] {
        var calls: [Int] = []
        while let next = machine.nextCall() { calls.append(next) }
        return calls
    }

    @Test("a recipient that has it, or was refused for good, is not asked again")
    func skips() {
        var machine = GroupMachine(count: 4, inFlightMax: 8)
        machine.found(
            [
                Self.record(.delivered(messageID: [7])), nil, Self.record(.refused(.suppressed)),
                Self.record(.delivered(messageID: [9])),
            ], isRenewed: false)
        #expect(machine.knownCount == 3)
        #expect(Self.calls(&machine) == [1])
        machine.ended(1, Self.accepted, isComplete: true)
        #expect(machine.isDone)
        #expect(machine.outcome == .accepted(messageID: [7]))
        #expect(machine.takeNotes().isEmpty)
        #expect(machine.recorded == [0, 2, 3])
    }

    @Test("who was never tried comes first, then who was tried longest ago")
    func order() {
        var machine = GroupMachine(count: 5, inFlightMax: 8)
        machine.found(
            [
                Self.record(.tried, 30), nil, Self.record(.tried, 20),
                Self.record(.delivered(messageID: [1])), nil,
            ], isRenewed: false)
        #expect(Self.calls(&machine) == [1, 4, 2, 0])
    }

    /// Recipient 0 fails each time, one call at a time: nobody else may starve.
    @Test("a recipient that always fails keeps nobody else from the message")
    func starvation() {
        var known: [LedgerRecord?] = Array(repeating: nil, count: 4)
        for round in 1...4 {
            var machine = GroupMachine(count: 4, inFlightMax: 1)
            machine.found(known, isRenewed: false)
            while let next = machine.nextCall() {
                machine.ended(next, next == 0 ? Self.limited : Self.accepted, isComplete: true)
            }
            for note in machine.takeNotes() { known[note.index] = Self.record(note.fact, round) }
        }
        #expect(known.dropFirst().allSatisfy { $0?.fact == .delivered(messageID: Self.id) })
        #expect(known[0]?.fact == .tried)
    }

    @Test("a recipient refused for good in one try decides the reply of the last one")
    func refusedBefore() {
        for refusal in LedgerRefusal.allCases {
            var machine = GroupMachine(count: 2, inFlightMax: 2)
            machine.found([Self.record(.refused(refusal)), nil], isRenewed: false)
            #expect(Self.calls(&machine) == [1])
            machine.ended(1, Self.accepted, isComplete: true)
            let expected = refusal == .suppressed ? Self.accepted : refusal.outcome
            #expect(machine.outcome == expected)
            #expect(!machine.outcome.isForTheMoment)
        }
    }

    @Test("a success for a request that was never complete is not believed")
    func incomplete() {
        var machine = GroupMachine(count: 2, inFlightMax: 1)
        #expect(machine.nextCall() == 0)
        machine.ended(0, Self.accepted, isComplete: false)
        #expect(machine.isDone)
        #expect(machine.outcome == .unavailable(isUncertain: true))
        #expect(machine.takeNotes().map(\.fact) == [.tried])
    }

    @Test(
        "a try in which nobody was refused for the moment leaves nothing",
        arguments: [accepted, invalid, Outcome.allSuppressed, .forbidden(message: [])])
    func leavesNothing(other: Outcome) {
        var machine = GroupMachine(count: 2, inFlightMax: 2)
        #expect(Self.calls(&machine) == [0, 1])
        machine.ended(0, Self.accepted, isComplete: true)
        #expect(machine.takeNotes().isEmpty)
        machine.ended(1, other, isComplete: true)
        #expect(machine.isDone && machine.takeNotes().isEmpty && machine.recorded.isEmpty)
    }

    @Test("from the first refusal for the moment on, each fact is told at once, and once")
    func recordsAtOnce() {
        var machine = GroupMachine(count: 4, inFlightMax: 4)
        #expect(Self.calls(&machine) == [0, 1, 2, 3])
        machine.ended(0, Self.accepted, isComplete: true)
        machine.ended(2, Self.invalid, isComplete: true)
        #expect(machine.takeNotes().isEmpty)
        machine.ended(1, Self.limited, isComplete: true)
        let notes = machine.takeNotes()
        #expect(notes.map(\.index) == [0, 2, 1])
        #expect(
            notes.map(\.fact) == [.delivered(messageID: Self.id), .refused(.rejected), .tried])
        #expect(machine.takeNotes().isEmpty)
        machine.ended(3, Self.accepted, isComplete: true)
        #expect(machine.takeNotes().map(\.index) == [3])
        #expect(machine.recorded == [0, 1, 2, 3])
    }

    @Test("a record that was only read is not renewed; one that a try adds to is, when asked for")
    func renewal() {
        for (second, isRenewed, expected) in [
            (Self.accepted, true, [1, 2, 0]), (Self.limited, true, [1, 2]),
            (Self.accepted, false, [1, 2]),
        ] {
            var machine = GroupMachine(count: 3, inFlightMax: 3)
            machine.found(
                [Self.record(.delivered(messageID: [9])), nil, nil], isRenewed: isRenewed)
            #expect(Self.calls(&machine) == [1, 2])
            machine.ended(1, second, isComplete: true)
            machine.ended(2, Self.limited, isComplete: true)
            #expect(machine.takeNotes().map(\.index) == expected)
        }
    }
}
