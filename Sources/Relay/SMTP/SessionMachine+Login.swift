// AUTH: who may send (RFC 4954), and what guessing costs.
//
// A refused login is answered later each time, and the last allowed one closes the session. An
// outage of the API is never counted. A client that tries PLAIN and then LOGIN with the same key
// (Python's smtplib does) has made one mistake, not two.

import Reactor
import Wire

/// What a refused login is answered when its delay is over.
enum DelayedReply: UInt8 {
    case badUsername, authFailed, tooManyFailedLogins
}

extension SessionMachine {
    mutating func auth(
        _ line: Bytes, _ mechanism: Range<Int>, _ initial: Range<Int>?
    ) -> SessionVerdict {
        guard isTLS else { return refuse(.tlsRequired) }
        if hasSender { return refuse(.badSequence) }
        if isAuthenticated { return refuse(.alreadyAuthenticated) }
        let name = line.extracting(mechanism)
        if name.equalsIgnoringCase("PLAIN") {
            exchange = .plain
        } else if name.equalsIgnoringCase("LOGIN") {
            exchange = .loginUsername
        } else {
            return refuse(.unknownMechanism)
        }
        if let initial { return .readResponse(initial, exchange) }
        phase = .response
        return .reply(exchange == .plain ? .emptyChallenge : .usernamePrompt)
    }

    /// A line of an AUTH exchange has come.
    mutating func responseLine(_ line: Bytes, at now: MonotonicTime) -> SessionVerdict {
        heardAt = now
        phase = .commands
        return .readResponse(0..<line.count, exchange)
    }

    /// What a response held.
    mutating func response(_ response: SASLResponse, at now: MonotonicTime) -> SessionVerdict {
        phase = .commands
        switch response {
        case .cancelled: return refuse(.authCancelled)
        case .badBase64: return refuse(.badBase64)
        case .badFormat: return refuse(.badAuthFormat)
        case .username:
            phase = .response
            exchange = .loginPassword
            return .reply(.passwordPrompt)
        case .wrongUsername(let fingerprint):
            return failedLogin(.badUsername, fingerprint, at: now)
        case .unusableKey(let fingerprint):
            return failedLogin(.authFailed, fingerprint, at: now)
        case .key(let fingerprint):
            self.fingerprint = fingerprint
            phase = .keyCheck
            waitingSince = now
            return .checkKey
        }
    }

    /// What the API says about the key.
    mutating func keyChecked(_ verdict: KeyVerdict, at now: MonotonicTime) -> SessionVerdict {
        guard phase == .keyCheck else { return .none }
        enterCommands(at: now)
        isLoginUnchecked = verdict == .unavailable
        switch verdict {
        case .valid:
            isAuthenticated = true
            failedLogins = 0
            lastFailure = nil
            return .logIn
        case .refused: return failedLogin(.authFailed, fingerprint, at: now)
        case .unavailable: return .reply(.authUnavailable)
        }
    }

    /// The address has failed too often, in this session or in others: its keys are not looked at.
    mutating func loginTurnedAway() -> SessionVerdict { close(.tooManyFailedLogins) }

    private mutating func failedLogin(
        _ reply: DelayedReply, _ fingerprint: UInt64, at now: MonotonicTime
    ) -> SessionVerdict {
        let isPlain = exchange == .plain
        if let last = lastFailure, last.fingerprint == fingerprint, last.isPlain != isPlain {
            lastFailure = nil
        } else {
            failedLogins += 1
            lastFailure = (fingerprint, isPlain)
        }
        delayedReply = failedLogins >= limits.failedLoginsMax ? .tooManyFailedLogins : reply
        phase = .loginDelay
        waitingSince = now
        return loginDelayMilliseconds > 0 ? .none : answerFailedLogin(at: now)
    }

    /// Nothing for the first refused login, then one step more each time.
    var loginDelayMilliseconds: Int {
        max(0, failedLogins - 1) * limits.failedLoginDelayMilliseconds
    }

    mutating func answerFailedLogin(at now: MonotonicTime) -> SessionVerdict {
        enterCommands(at: now)
        switch delayedReply {
        case .badUsername: return .reply(.badUsername)
        case .authFailed: return .reply(.authFailed)
        case .tooManyFailedLogins: return close(.tooManyFailedLogins)
        }
    }
}
