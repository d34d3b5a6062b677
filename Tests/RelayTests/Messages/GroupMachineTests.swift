// Hidden recipients: which is next, which are in the ledger, and the outcome of the whole.

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
        for index in results.indices { #expect(machine.next() == index) }
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
        machine.skip(2, messageID: [0x39])
        #expect(machine.messageIDs == [[0x39]] && machine.skippedCount == 1)
        while machine.next() != nil {}
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
            while let next = machine.next() {
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
        #expect(machine.next() == 0)
        machine.ended(0, outcome, isComplete: true)
        #expect((machine.next() == 1) == goesOn)
    }

    @Test("a recipient that had it from an earlier try is not sent to again")
    func skips() {
        var machine = GroupMachine(count: 3, inFlightMax: 8)
        machine.skip(0, messageID: [7])
        machine.skip(2, messageID: [9])
        #expect(machine.next() == 1)
        #expect(machine.next() == nil)
        machine.ended(1, Self.accepted, isComplete: true)
        #expect(machine.isDone)
        #expect(machine.outcome == .accepted(messageID: [7]))
        machine.recordsFromNowOn()
        let accepted = machine.takeToRecord()
        #expect(accepted.map(\.index) == [0, 1, 2])
        #expect(accepted.map(\.messageID) == [[7], Self.id, [9]])
    }

    @Test("a success for a request that was never complete is not believed")
    func incomplete() {
        var machine = GroupMachine(count: 2, inFlightMax: 1)
        #expect(machine.next() == 0)
        machine.ended(0, Self.accepted, isComplete: false)
        #expect(machine.isDone)
        #expect(machine.outcome == .unavailable(isUncertain: true))
        machine.recordsFromNowOn()
        #expect(machine.takeToRecord().isEmpty)
    }

    @Test("while the client waits, the ledger is not told of a success")
    func recordsNothing() {
        var machine = GroupMachine(count: 2, inFlightMax: 2)
        for index in 0..<2 { #expect(machine.next() == index) }
        machine.ended(0, Self.accepted, isComplete: true)
        #expect(machine.takeToRecord().isEmpty)
        machine.ended(1, Self.accepted, isComplete: true)
        #expect(machine.isDone && machine.takeToRecord().isEmpty)
        #expect(machine.recorded.isEmpty)
        // The client did not see its 250.
        machine.recordsFromNowOn()
        #expect(machine.takeToRecord().map(\.index) == [0, 1])
    }

    @Test(
        "when the whole is no success, the ledger is told which recipients have it",
        arguments: [invalid, limited])
    func recordsAtTheEnd(failure: Outcome) {
        var machine = GroupMachine(count: 3, inFlightMax: 3)
        machine.skip(2, messageID: [9])
        for index in 0..<2 { #expect(machine.next() == index) }
        machine.ended(1, failure, isComplete: true)
        #expect(machine.takeToRecord().isEmpty)
        machine.ended(0, Self.accepted, isComplete: true)
        #expect(machine.isDone)
        #expect(machine.takeToRecord().map(\.index) == [0, 2])
        #expect(machine.takeToRecord().isEmpty)
    }

    @Test("once the client may be gone, the ledger is told of each at once, and of each once")
    func recordsAtOnce() {
        var machine = GroupMachine(count: 3, inFlightMax: 3)
        for index in 0..<3 { #expect(machine.next() == index) }
        machine.ended(0, Self.accepted, isComplete: true)
        machine.recordsFromNowOn()
        #expect(machine.takeToRecord().map(\.index) == [0])
        machine.ended(2, Self.accepted, isComplete: true)
        #expect(machine.takeToRecord().map(\.index) == [2])
        machine.ended(1, .allSuppressed, isComplete: true)
        #expect(machine.isDone && machine.takeToRecord().isEmpty)
        #expect(machine.recorded == [0, 2])
    }
}
