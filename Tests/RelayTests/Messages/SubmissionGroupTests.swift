
import Testing

@testable import APIClient
@testable import Relay

@Suite("Hidden recipients, one call each")
struct SubmissionGroupTests {
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
            machine.ended(index, results[index])
        }
        #expect(machine.isDone)
        #expect(machine.outcome == expected)
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
            machine.ended(flying.removeFirst(), Self.accepted)
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
        machine.ended(0, outcome)
        #expect((machine.next() == 1) == goesOn)
    }

    @Test("who had it from an earlier try is not sent to again")
    func skips() {
        var machine = GroupMachine(count: 3, inFlightMax: 8)
        machine.skip(0, messageID: [7])
        machine.skip(2, messageID: [9])
        #expect(machine.next() == 1)
        #expect(machine.next() == nil)
        machine.ended(1, Self.accepted)
        #expect(machine.isDone)
        #expect(machine.outcome == .accepted(messageID: [7]))
        var accepted: [Int] = []
        machine.forEachAccepted { index, _ in accepted.append(index) }
        #expect(accepted == [0, 1, 2])
    }
}
