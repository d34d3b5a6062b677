// The machine of one message: every phase with every event.

import Reactor
import TestSupport
import Testing

@testable import APIClient
@testable import Relay

private let now = MonotonicTime(nanoseconds: 1_000_000_000)
private let deadline = now.advanced(byMilliseconds: 50_000)
private let accepted = Outcome.accepted(messageID: [1])
private let refused = Outcome.invalidRequest(message: [2])
private let unavailable = Outcome.unavailable(isUncertain: false)
private let limited = Outcome.noRoom
private let uncertain = Outcome.unavailable(isUncertain: true)

/// The events of a message.
enum SubmissionEvent: CaseIterable, Hashable {
    case littleFed, muchFed, callHasGrown, callIsFull, apiWantsBody, mapperFailed
    case dot, unknownDot, lateDot
    case ledgerAsked, unknownToLedger, acceptedInLedger, refusedInLedger, underWay
    case otherMayHaveEnded, otherIsTooLate
    case bodyCompleted, bodyWaits
    case answeredAccepted, answeredRefused, answeredPartly, recordsWritten, stalled
    case clientInDoubt, abandoned, tooLarge, replySeen, replyUnseen

    func happens(to machine: inout SubmissionMachine) -> SubmissionVerdict? {
        switch self {
        case .littleFed: return machine.contentFed(bodyBytes: 100)
        case .muchFed: return machine.contentFed(bodyBytes: 101)
        case .callHasGrown: return machine.callHasGrown(isFull: false)
        case .callIsFull: return machine.callHasGrown(isFull: true)
        case .apiWantsBody: return machine.apiWantsBody()
        case .mapperFailed: return machine.mapperFailed(refused)
        case .dot: return machine.endOfData(by: deadline, at: now, isKnown: true)
        case .unknownDot: return machine.endOfData(by: deadline, at: now, isKnown: false)
        case .lateDot: return machine.endOfData(by: now, at: now, isKnown: true)
        case .ledgerAsked: machine.ledgerAsked()
        case .unknownToLedger: return machine.ledgerFound(.unknown)
        case .acceptedInLedger: return machine.ledgerFound(.known(accepted, isTaken: true))
        case .refusedInLedger: return machine.ledgerFound(.known(refused, isTaken: false))
        case .underWay: return machine.ledgerFound(.underWay)
        case .otherMayHaveEnded: return machine.otherMayHaveEnded(at: now)
        case .otherIsTooLate: return machine.otherMayHaveEnded(at: deadline)
        case .bodyCompleted: return machine.bodyCompleted()
        case .bodyWaits: return machine.bodyWaits()
        case .answeredAccepted: return machine.answered(accepted)
        case .answeredRefused: return machine.answered(refused)
        case .answeredPartly: return machine.answered(limited, owesRecords: true)
        case .recordsWritten: return machine.recordsWritten()
        case .stalled: return machine.stalled()
        case .clientInDoubt: return machine.clientInDoubt()
        case .abandoned: return machine.abandoned(as: .abandoned)
        case .tooLarge: return machine.abandoned(as: .tooLarge)
        case .replySeen: return machine.replySeen()
        case .replyUnseen: return machine.replyUnseen()
        }
        return nil
    }
}

@Suite("What a message does next")
struct SubmissionMachineTests {
    typealias Phase = SubmissionMachine.Phase

    static let phases: [Phase] = [
        .receiving(.held), .receiving(.cutThrough), .receiving(.paused), .decided(refused),
        .finishing, .asking(.watched), .asking(.inDoubt), .waiting(.watched), .waiting(.inDoubt),
        .completing(.watched), .completing(.inDoubt), .draining(.watched), .draining(.inDoubt),
        .awaiting(.watched), .awaiting(.inDoubt), .recording(limited, .watched),
        .recording(limited, .inDoubt), .abandoned, .done(accepted, .watched),
        .done(accepted, .inDoubt),
        .done(refused, .watched), .done(refused, .inDoubt), .gone,
    ]

    struct Cell {
        var to: Phase
        var verdict: SubmissionVerdict?
        init(_ to: Phase, _ verdict: SubmissionVerdict? = nil) {
            (self.to, self.verdict) = (to, verdict)
        }
    }

    /// The whole table. Phases and events that are not in it change nothing and ask for nothing.
    static let table: [(Phase, [SubmissionEvent: Cell])] = [
        (
            .receiving(.held),
            [
                .muchFed: Cell(.receiving(.cutThrough), .startCall),
                .mapperFailed: Cell(.decided(refused), .end(.nobody, .nothing)),
                .dot: Cell(.finishing, .askLedger),
                .unknownDot: Cell(.finishing, .completeBody(by: deadline)),
                .lateDot: Cell(
                    .done(unavailable, .watched), .end(.nobody, .nothing)),
                // There is no call yet, so nothing sends these events; the machine accepts them all
                // the same.
                .answeredAccepted: Cell(.decided(uncertain), .end(.nobody, .nothing)),
                .answeredRefused: Cell(.decided(refused), .end(.nobody, .nothing)),
                .answeredPartly: Cell(.decided(limited), .end(.nobody, .nothing)),
                .stalled: Cell(.decided(unavailable), .end(.nobody, .nothing)),
                .abandoned: Cell(.gone, .drop(.abandoned, settles: false)),
                .tooLarge: Cell(.gone, .drop(.tooLarge, settles: false)),
            ]
        ),
        (
            .receiving(.cutThrough),
            [
                .littleFed: Cell(.receiving(.cutThrough), .growCall),
                .muchFed: Cell(.receiving(.cutThrough), .growCall),
                .callIsFull: Cell(.receiving(.paused), .pauseSession),
                .mapperFailed: Cell(.decided(refused), .end(.nobody, .nothing)),
                .dot: Cell(.finishing, .askLedger),
                .unknownDot: Cell(.finishing, .completeBody(by: deadline)),
                .lateDot: Cell(
                    .done(unavailable, .watched), .end(.nobody, .nothing)),
                .answeredAccepted: Cell(.decided(uncertain), .end(.nobody, .nothing)),
                .answeredRefused: Cell(.decided(refused), .end(.nobody, .nothing)),
                .answeredPartly: Cell(.decided(limited), .end(.nobody, .nothing)),
                .stalled: Cell(.decided(unavailable), .end(.nobody, .nothing)),
                .abandoned: Cell(.gone, .drop(.abandoned, settles: false)),
                .tooLarge: Cell(.gone, .drop(.tooLarge, settles: false)),
            ]
        ),
        (
            .receiving(.paused),
            [
                .littleFed: Cell(.receiving(.paused), .growCall),
                .muchFed: Cell(.receiving(.paused), .growCall),
                .apiWantsBody: Cell(.receiving(.cutThrough), .continueSession),
                .mapperFailed: Cell(.decided(refused), .end(.sessionContinues, .nothing)),
                .dot: Cell(.finishing, .askLedger),
                .unknownDot: Cell(.finishing, .completeBody(by: deadline)),
                .lateDot: Cell(
                    .done(unavailable, .watched), .end(.nobody, .nothing)),
                .answeredAccepted: Cell(
                    .decided(uncertain), .end(.sessionContinues, .nothing)),
                .answeredRefused: Cell(
                    .decided(refused), .end(.sessionContinues, .nothing)),
                .answeredPartly: Cell(.decided(limited), .end(.sessionContinues, .nothing)),
                .stalled: Cell(
                    .decided(unavailable), .end(.sessionContinues, .nothing)),
                .abandoned: Cell(.gone, .drop(.abandoned, settles: false)),
                .tooLarge: Cell(.gone, .drop(.tooLarge, settles: false)),
            ]
        ),
        (
            .decided(refused),
            [
                .dot: Cell(.done(refused, .watched)),
                .unknownDot: Cell(.done(refused, .watched)),
                .lateDot: Cell(.done(refused, .watched)),
            ]
        ),
        (
            .finishing,
            [
                .mapperFailed: Cell(.done(refused, .watched), .end(.nobody, .nothing)),
                .ledgerAsked: Cell(.asking(.watched)),
                .unknownToLedger: Cell(.finishing, .completeBody(by: deadline)),
                .acceptedInLedger: Cell(
                    .done(accepted, .watched), .end(.nobody, .nothing)),
                .refusedInLedger: Cell(.done(refused, .watched), .end(.nobody, .nothing)),
                .underWay: Cell(.waiting(.watched), .waitForOther),
                // A group without any call answers inside `finish`, which does not wait.
                .answeredPartly: Cell(.done(limited, .watched), .end(.nobody, .nothing)),
                .bodyCompleted: Cell(.awaiting(.watched)),
                .bodyWaits: Cell(.draining(.watched)),
                // A group whose recipients all have the message makes no call.
                .answeredAccepted: Cell(
                    .done(accepted, .watched), .end(.nobody, .nothing)),
                .answeredRefused: Cell(.done(refused, .watched), .end(.nobody, .nothing)),
                .abandoned: Cell(.gone, .drop(.abandoned, settles: false)),
                .tooLarge: Cell(.gone, .drop(.tooLarge, settles: false)),
            ]
        ),
        (
            .asking(.watched),
            [
                .unknownToLedger: Cell(.completing(.watched), .completeBody(by: deadline)),
                .acceptedInLedger: Cell(
                    .done(accepted, .watched), .end(.sessionFinishes, .nothing)),
                .refusedInLedger: Cell(.done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .underWay: Cell(.waiting(.watched), .waitForOther),
                .mapperFailed: Cell(.done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .answeredAccepted: Cell(
                    .done(accepted, .watched), .end(.sessionFinishes, .nothing)),
                .answeredRefused: Cell(.done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .answeredPartly: Cell(.done(limited, .watched), .end(.sessionFinishes, .nothing)),
                .clientInDoubt: Cell(.asking(.inDoubt)),
                .abandoned: Cell(.gone, .drop(.abandoned, settles: false)),
                .tooLarge: Cell(.gone, .drop(.tooLarge, settles: false)),
            ]
        ),
        (
            .asking(.inDoubt),
            [
                .unknownToLedger: Cell(.completing(.inDoubt), .completeBody(by: deadline)),
                .acceptedInLedger: Cell(.done(accepted, .inDoubt), .end(.sessionFinishes, .record)),
                .refusedInLedger: Cell(.done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .underWay: Cell(.waiting(.inDoubt), .waitForOther),
                .mapperFailed: Cell(.done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .answeredAccepted: Cell(.done(accepted, .inDoubt), .end(.sessionFinishes, .record)),
                .answeredRefused: Cell(.done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .answeredPartly: Cell(.done(limited, .inDoubt), .end(.sessionFinishes, .settle)),
                .abandoned: Cell(.gone, .drop(.abandoned, settles: false)),
                .tooLarge: Cell(.gone, .drop(.tooLarge, settles: false)),
            ]
        ),
        (
            .waiting(.watched),
            [
                .ledgerAsked: Cell(.asking(.watched)),
                .unknownToLedger: Cell(.completing(.watched), .completeBody(by: deadline)),
                .acceptedInLedger: Cell(
                    .done(accepted, .watched), .end(.sessionFinishes, .nothing)),
                .refusedInLedger: Cell(.done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .underWay: Cell(.waiting(.watched), .waitForOther),
                .otherMayHaveEnded: Cell(.waiting(.watched), .askLedger),
                .otherIsTooLate: Cell(
                    .done(unavailable, .watched), .end(.sessionFinishes, .nothing)),
                .mapperFailed: Cell(.done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .answeredAccepted: Cell(
                    .done(accepted, .watched), .end(.sessionFinishes, .nothing)),
                .answeredRefused: Cell(.done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .answeredPartly: Cell(.done(limited, .watched), .end(.sessionFinishes, .nothing)),
                .clientInDoubt: Cell(.waiting(.inDoubt)),
                .abandoned: Cell(.gone, .drop(.abandoned, settles: false)),
                .tooLarge: Cell(.gone, .drop(.tooLarge, settles: false)),
            ]
        ),
        (
            .waiting(.inDoubt),
            [
                .ledgerAsked: Cell(.asking(.inDoubt)),
                .unknownToLedger: Cell(.completing(.inDoubt), .completeBody(by: deadline)),
                .acceptedInLedger: Cell(.done(accepted, .inDoubt), .end(.sessionFinishes, .record)),
                .refusedInLedger: Cell(.done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .underWay: Cell(.waiting(.inDoubt), .waitForOther),
                .otherMayHaveEnded: Cell(
                    .done(unavailable, .inDoubt), .end(.sessionFinishes, .settle)),
                .otherIsTooLate: Cell(
                    .done(unavailable, .inDoubt), .end(.sessionFinishes, .settle)),
                .mapperFailed: Cell(.done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .answeredAccepted: Cell(.done(accepted, .inDoubt), .end(.sessionFinishes, .record)),
                .answeredRefused: Cell(.done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .answeredPartly: Cell(.done(limited, .inDoubt), .end(.sessionFinishes, .settle)),
                .abandoned: Cell(.gone, .drop(.abandoned, settles: false)),
                .tooLarge: Cell(.gone, .drop(.tooLarge, settles: false)),
            ]
        ),
        (
            .completing(.watched),
            [
                .bodyCompleted: Cell(.awaiting(.watched)),
                .bodyWaits: Cell(.draining(.watched)),
                .answeredPartly: Cell(.recording(limited, .watched), .awaitRecords),
                .mapperFailed: Cell(.done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .answeredAccepted: Cell(
                    .done(accepted, .watched), .end(.sessionFinishes, .nothing)),
                .answeredRefused: Cell(.done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .clientInDoubt: Cell(.completing(.inDoubt)),
                .abandoned: Cell(.gone, .drop(.abandoned, settles: false)),
                .tooLarge: Cell(.gone, .drop(.tooLarge, settles: false)),
            ]
        ),
        (
            .completing(.inDoubt),
            [
                .bodyCompleted: Cell(.awaiting(.inDoubt), .recordPending(until: deadline)),
                .bodyWaits: Cell(.draining(.inDoubt), .recordPending(until: deadline)),
                .answeredPartly: Cell(.recording(limited, .inDoubt), .awaitRecords),
                .mapperFailed: Cell(.done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .answeredAccepted: Cell(.done(accepted, .inDoubt), .end(.sessionFinishes, .record)),
                .answeredRefused: Cell(.done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .abandoned: Cell(.gone, .drop(.abandoned, settles: false)),
                .tooLarge: Cell(.gone, .drop(.tooLarge, settles: false)),
            ]
        ),
        (
            .recording(limited, .watched),
            [
                .recordsWritten: Cell(.done(limited, .watched), .end(.sessionFinishes, .nothing)),
                .mapperFailed: Cell(.done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .answeredAccepted: Cell(
                    .done(accepted, .watched), .end(.sessionFinishes, .nothing)),
                .answeredRefused: Cell(.done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .answeredPartly: Cell(.done(limited, .watched), .end(.sessionFinishes, .nothing)),
                .clientInDoubt: Cell(.recording(limited, .inDoubt)),
                .abandoned: Cell(.done(limited, .inDoubt), .end(.nobody, .nothing)),
                .tooLarge: Cell(.done(limited, .inDoubt), .end(.nobody, .nothing)),
            ]
        ),
        (
            .recording(limited, .inDoubt),
            [
                .recordsWritten: Cell(.done(limited, .inDoubt), .end(.sessionFinishes, .settle)),
                .mapperFailed: Cell(.done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .answeredAccepted: Cell(.done(accepted, .inDoubt), .end(.sessionFinishes, .record)),
                .answeredRefused: Cell(.done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .answeredPartly: Cell(.done(limited, .inDoubt), .end(.sessionFinishes, .settle)),
                .abandoned: Cell(.done(limited, .inDoubt), .end(.nobody, .settle)),
                .tooLarge: Cell(.done(limited, .inDoubt), .end(.nobody, .settle)),
            ]
        ),
        (
            .draining(.watched),
            [
                .apiWantsBody: Cell(.draining(.watched), .pumpBody),
                .mapperFailed: Cell(
                    .done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .bodyCompleted: Cell(.awaiting(.watched)),
                .answeredAccepted: Cell(
                    .done(uncertain, .watched), .end(.sessionFinishes, .nothing)),
                .answeredRefused: Cell(
                    .done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .stalled: Cell(
                    .done(unavailable, .watched), .end(.sessionFinishes, .nothing)),
                .clientInDoubt: Cell(.draining(.inDoubt), .recordPending(until: deadline)),
                .abandoned: Cell(.gone, .drop(.abandoned, settles: false)),
                .tooLarge: Cell(.gone, .drop(.tooLarge, settles: false)),
                .answeredPartly: Cell(.done(limited, .watched), .end(.sessionFinishes, .nothing)),
            ]
        ),
        (
            .draining(.inDoubt),
            [
                .apiWantsBody: Cell(.draining(.inDoubt), .pumpBody),
                .mapperFailed: Cell(
                    .done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .bodyCompleted: Cell(.awaiting(.inDoubt)),
                .answeredAccepted: Cell(
                    .done(uncertain, .inDoubt), .end(.sessionFinishes, .settle)),
                .answeredRefused: Cell(
                    .done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .stalled: Cell(
                    .done(unavailable, .inDoubt), .end(.sessionFinishes, .settle)),
                .abandoned: Cell(.gone, .drop(.abandoned, settles: true)),
                .tooLarge: Cell(.gone, .drop(.tooLarge, settles: true)),
                .answeredPartly: Cell(.done(limited, .inDoubt), .end(.sessionFinishes, .settle)),
            ]
        ),
        (
            .awaiting(.watched),
            [
                .mapperFailed: Cell(
                    .done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .answeredAccepted: Cell(
                    .done(accepted, .watched), .end(.sessionFinishes, .nothing)),
                .answeredRefused: Cell(
                    .done(refused, .watched), .end(.sessionFinishes, .nothing)),
                .clientInDoubt: Cell(.awaiting(.inDoubt), .recordPending(until: deadline)),
                .abandoned: Cell(.abandoned, .awaitSilently(until: deadline)),
                .tooLarge: Cell(.abandoned, .awaitSilently(until: deadline)),
                .answeredPartly: Cell(.recording(limited, .watched), .awaitRecords),
            ]
        ),
        (
            .awaiting(.inDoubt),
            [
                .mapperFailed: Cell(
                    .done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .answeredAccepted: Cell(
                    .done(accepted, .inDoubt), .end(.sessionFinishes, .record)),
                .answeredRefused: Cell(
                    .done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .abandoned: Cell(.abandoned, .awaitSilently(until: deadline)),
                .tooLarge: Cell(.abandoned, .awaitSilently(until: deadline)),
                .answeredPartly: Cell(.recording(limited, .inDoubt), .awaitRecords),
            ]
        ),
        (
            .abandoned,
            [
                .mapperFailed: Cell(.done(refused, .inDoubt), .end(.nobody, .settle)),
                .answeredAccepted: Cell(.done(accepted, .inDoubt), .end(.nobody, .record)),
                .answeredRefused: Cell(.done(refused, .inDoubt), .end(.nobody, .settle)),
                .answeredPartly: Cell(.done(limited, .inDoubt), .end(.nobody, .settle)),
            ]
        ),
        (
            .done(accepted, .watched),
            [
                .replyUnseen: Cell(.done(accepted, .watched), .record)
            ]
        ),
        // What was in doubt is recorded already.
        (.done(accepted, .inDoubt), [:]),
        (
            .done(refused, .watched),
            [.replyUnseen: Cell(.done(refused, .watched), .recordRecipients)]
        ),
        (.done(refused, .inDoubt), [:]),
        (.gone, [.acceptedInLedger: Cell(.gone, .giveBack)]),
    ]

    @Test("every phase has its answer to every event", arguments: phases)
    func transitions(from phase: Phase) throws {
        let row = try #require(Self.table.first { $0.0 == phase }?.1)
        for event in SubmissionEvent.allCases {
            var machine = SubmissionMachine(
                thresholdBytes: 100, phase: phase, deadline: deadline)
            let verdict = event.happens(to: &machine)
            let expected = row[event] ?? Cell(phase)
            #expect(machine.phase == expected.to, "\(event)")
            #expect(verdict == expected.verdict, "\(event)")
        }
    }

    @Test("an outcome is known in some phases and in no other", arguments: phases)
    func outcomes(of phase: Phase) {
        let machine = SubmissionMachine(thresholdBytes: 100, phase: phase, deadline: deadline)
        switch phase {
        case .receiving, .finishing, .asking, .waiting, .completing, .draining, .awaiting,
            .recording, .abandoned:
            #expect(machine.outcome == nil)
        case .decided(let outcome), .done(let outcome, _): #expect(machine.outcome == outcome)
        case .gone: #expect(machine.outcome == unavailable)
        }
    }

    @Test("a client that may be gone after it has waited for another try sends no second copy")
    func waitsInDoubt() {
        for isLate in [false, true] {
            var machine = SubmissionMachine(thresholdBytes: 100)
            _ = machine.endOfData(by: deadline, at: now, isKnown: true)
            #expect(machine.ledgerFound(.underWay) == .waitForOther)
            if isLate { machine.ledgerAsked() }
            #expect(machine.clientInDoubt() == nil)
            #expect(machine.ledgerFound(.unknown) == .end(.sessionFinishes, .settle))
            #expect(machine.outcome == unavailable)
        }
    }

    @Test("the ledger forgets what a client has seen, once, and only when it knew something")
    func forgets() {
        var machine = SubmissionMachine(thresholdBytes: 100)
        _ = machine.endOfData(by: deadline, at: now, isKnown: true)
        _ = machine.ledgerFound(.known(accepted, isTaken: true))
        #expect(machine.replySeen() == .forget)
        #expect(machine.replySeen() == nil)
        var group = SubmissionMachine(thresholdBytes: 100)
        _ = group.endOfData(by: deadline, at: now, isKnown: true)
        _ = group.ledgerFound(.unknown)
        group.recipientsAreRecorded()
        _ = group.answered(accepted)
        #expect(group.replySeen() == .forget)
        var other = SubmissionMachine(thresholdBytes: 100)
        _ = other.endOfData(by: deadline, at: now, isKnown: false)
        _ = other.bodyCompleted()
        _ = other.answered(accepted)
        #expect(other.replySeen() == nil)
        #expect(other.replyUnseen() == .record)
    }
}
