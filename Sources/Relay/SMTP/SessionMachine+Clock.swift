// Deadlines: one at a time, always the nearest, worked out from what the session is waiting for.
//
// "Idle" is measured from the last whole command or chunk of DATA, so a command line that trickles
// in byte by byte is idle too. While we do not read, the client's clock stands still.

import Reactor
import Wire

extension SessionMachine {
    /// The rate is not looked at before this much of DATA.
    static let rateGraceMilliseconds = 10_000

    /// How long the process, when it ends, waits for who was just answered.
    static let lastWordMilliseconds = 1_000

    /// When `timedOut` is due at the latest, as of now; it can move later without notice.
    var deadline: MonotonicTime {
        switch phase {
        case .handshake: waitingSince.advanced(byMilliseconds: limits.idleTimeoutMilliseconds)
        case .commands, .response: min(idleEnd, sessionEnd)
        case .keyCheck, .outcome: answerEnd
        case .loginDelay: waitingSince.advanced(byMilliseconds: loginDelayMilliseconds)
        case .budget: waitingSince.advanced(byMilliseconds: limits.idleTimeoutMilliseconds)
        case .data: dataDeadline
        case .lastWord: lastWordEnd
        case .closed: .never
        }
    }

    /// The deadline may have passed.
    mutating func timedOut(at now: MonotonicTime) -> SessionVerdict {
        guard now >= deadline else { return .none }
        switch phase {
        case .handshake:
            phase = .closed
            return .hangUp
        case .commands, .response:
            return close(now >= sessionEnd ? .sessionTimeout : .idleTimeout)
        case .loginDelay: return answerFailedLogin(at: now)
        case .keyCheck:
            isLoginUnchecked = true
            return giveUp(.authUnavailable, at: now)
        case .budget:
            return content.hasBytesBehindCommand
                ? close(.insufficientMemory) : giveUp(.insufficientMemory, at: now)
        case .outcome: return giveUp(.apiUnavailable, at: now)
        case .data: return dataTimedOut(at: now)
        case .lastWord: return close(.shuttingDown)
        case .closed: return .none
        }
    }

    private var idleEnd: MonotonicTime {
        heardAt.advanced(byMilliseconds: limits.idleTimeoutMilliseconds)
    }

    /// When a client that was heard or answered counts as idle, for a drain.
    var lastWordEnd: MonotonicTime {
        heardAt.advanced(byMilliseconds: Self.lastWordMilliseconds)
    }

    private var sessionEnd: MonotonicTime {
        openedAt.advanced(byMilliseconds: limits.sessionTimeoutMilliseconds)
    }

    private var answerEnd: MonotonicTime {
        waitingSince.advanced(byMilliseconds: options.answerTimeoutMilliseconds)
    }

    /// When the average falls below the least allowed, if nothing more comes.
    private var rateEnd: MonotonicTime {
        guard limits.dataRateMin > 0 else { return .never }
        let (product, isOver) = content.byteCount.multipliedReportingOverflow(by: 1_000)
        let earned = isOver ? .max : product / limits.dataRateMin
        return content.startedAt.advanced(
            byMilliseconds: max(earned, Self.rateGraceMilliseconds))
    }

    private var dataDeadline: MonotonicTime {
        if content.isHeldByBudget {
            return waitingSince.advanced(byMilliseconds: limits.idleTimeoutMilliseconds)
        }
        if content.isHeldBySubmission { return answerEnd }
        // A message that is under way when the session's time is up may come to its end, if that is
        // near; one that nobody will take may not.
        let grace = content.discard != nil ? 0 : limits.idleTimeoutMilliseconds
        return min(idleEnd, rateEnd, sessionEnd.advanced(byMilliseconds: grace))
    }

    private mutating func dataTimedOut(at now: MonotonicTime) -> SessionVerdict {
        if content.isHeld {
            content.discard = content.isHeldByBudget ? .noMemory : .apiStalled
            content.isHeldByBudget = false
            content.isHeldBySubmission = false
            heardAt = now
            content.startedAt = content.startedAt.advanced(
                byMilliseconds: now.milliseconds(since: waitingSince))
            return .giveUp(nil)
        }
        if now >= idleEnd { return close(.idleTimeout) }
        return close(now >= rateEnd ? .tooSlow : .sessionTimeout)
    }

    private mutating func giveUp(_ reply: Reply, at now: MonotonicTime) -> SessionVerdict {
        if phase != .keyCheck { resetTransaction() }
        enterCommands(at: now)
        return .giveUp(reply)
    }
}
