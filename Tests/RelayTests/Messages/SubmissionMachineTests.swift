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
private let uncertain = Outcome.unavailable(isUncertain: true)

/// The events of a message.
enum SubmissionEvent: CaseIterable, Hashable {
    case littleFed, muchFed, callHasGrown, callIsFull, apiWantsBody, mapperFailed
    case dot, unguardedDot, lateDot
    case unknownToLedger, acceptedInLedger, pendingInLedger
    case bodyCompleted, bodyWaits
    case answeredAccepted, answeredRefused, stalled
    case clientInDoubt, abandoned, tooLarge, replySeen, replyUnseen

    func happens(to machine: inout SubmissionMachine) -> SubmissionVerdict? {
        switch self {
        case .littleFed: return machine.contentFed(bodyBytes: 100)
        case .muchFed: return machine.contentFed(bodyBytes: 101)
        case .callHasGrown: return machine.callHasGrown(isFull: false)
        case .callIsFull: return machine.callHasGrown(isFull: true)
        case .apiWantsBody: return machine.apiWantsBody()
        case .mapperFailed: return machine.mapperFailed(refused)
        case .dot: return machine.endOfData(by: deadline, at: now, isGuarded: true)
        case .unguardedDot: return machine.endOfData(by: deadline, at: now, isGuarded: false)
        case .lateDot: return machine.endOfData(by: now, at: now, isGuarded: true)
        case .unknownToLedger: return machine.ledgerFound(.unknown)
        case .acceptedInLedger: return machine.ledgerFound(.accepted(messageID: [1]))
        case .pendingInLedger: return machine.ledgerFound(.pending)
        case .bodyCompleted: machine.bodyCompleted()
        case .bodyWaits: machine.bodyWaits()
        case .answeredAccepted: return machine.answered(accepted)
        case .answeredRefused: return machine.answered(refused)
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
        .finishing, .draining(.watched), .draining(.inDoubt), .awaiting(.watched),
        .awaiting(.inDoubt), .abandoned, .done(accepted, .watched), .done(accepted, .inDoubt),
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
                .unguardedDot: Cell(.finishing, .completeBody(by: deadline)),
                .lateDot: Cell(
                    .done(unavailable, .watched), .end(.nobody, .nothing)),
                // There is no call yet, so nothing sends these events; the machine accepts them all
                // the same.
                .answeredAccepted: Cell(.decided(uncertain), .end(.nobody, .nothing)),
                .answeredRefused: Cell(.decided(refused), .end(.nobody, .nothing)),
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
                .unguardedDot: Cell(.finishing, .completeBody(by: deadline)),
                .lateDot: Cell(
                    .done(unavailable, .watched), .end(.nobody, .nothing)),
                .answeredAccepted: Cell(.decided(uncertain), .end(.nobody, .nothing)),
                .answeredRefused: Cell(.decided(refused), .end(.nobody, .nothing)),
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
                .unguardedDot: Cell(.finishing, .completeBody(by: deadline)),
                .lateDot: Cell(
                    .done(unavailable, .watched), .end(.nobody, .nothing)),
                .answeredAccepted: Cell(
                    .decided(uncertain), .end(.sessionContinues, .nothing)),
                .answeredRefused: Cell(
                    .decided(refused), .end(.sessionContinues, .nothing)),
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
                .unguardedDot: Cell(.done(refused, .watched)),
                .lateDot: Cell(.done(refused, .watched)),
            ]
        ),
        (
            .finishing,
            [
                .mapperFailed: Cell(.done(refused, .watched), .end(.nobody, .nothing)),
                .unknownToLedger: Cell(.finishing, .completeBody(by: deadline)),
                .acceptedInLedger: Cell(
                    .done(accepted, .watched), .end(.nobody, .nothing)),
                .pendingInLedger: Cell(
                    .done(unavailable, .watched), .end(.nobody, .nothing)),
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
            ]
        ),
        (
            .awaiting(.inDoubt),
            [
                .mapperFailed: Cell(
                    .done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .answeredAccepted: Cell(
                    .done(accepted, .inDoubt), .end(.sessionFinishes, .nothing)),
                .answeredRefused: Cell(
                    .done(refused, .inDoubt), .end(.sessionFinishes, .settle)),
                .abandoned: Cell(.abandoned, .awaitSilently(until: deadline)),
                .tooLarge: Cell(.abandoned, .awaitSilently(until: deadline)),
            ]
        ),
        (
            .abandoned,
            [
                .mapperFailed: Cell(.done(refused, .inDoubt), .end(.nobody, .settle)),
                .answeredAccepted: Cell(.done(accepted, .inDoubt), .end(.nobody, .record)),
                .answeredRefused: Cell(.done(refused, .inDoubt), .end(.nobody, .settle)),
            ]
        ),
        (
            .done(accepted, .watched),
            [
                .replyUnseen: Cell(.done(accepted, .watched), .record)
            ]
        ),
        (
            .done(accepted, .inDoubt),
            [
                .replySeen: Cell(.done(accepted, .watched), .forget),
                .replyUnseen: Cell(.done(accepted, .inDoubt), .record),
            ]
        ),
        (.done(refused, .watched), [:]),
        (.done(refused, .inDoubt), [:]),
        (.gone, [:]),
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
        case .receiving, .finishing, .draining, .awaiting, .abandoned:
            #expect(machine.outcome == nil)
        case .decided(let outcome), .done(let outcome, _): #expect(machine.outcome == outcome)
        case .gone: #expect(machine.outcome == unavailable)
        }
    }
}
