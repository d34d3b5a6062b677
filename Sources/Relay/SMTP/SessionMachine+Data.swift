// DATA: memory first, then content up to the limit, then the outcome.
//
// A message over the limit, or one whose fate is known early, is read to its end and thrown away,
// so that the client hears the reply where it listens for it: behind the dot (RFC 5321 4.1.1.4).

import Reactor
import Wire

/// How far a message in DATA has come.
struct ContentState {
    /// Why the rest of the message is thrown away.
    enum Discard: UInt8 { case tooLarge, decided, apiStalled, noMemory }

    var byteCount = 0
    /// Bytes of the memory budget that are ours, or asked for.
    var reservedBytes = 0
    var discard: Discard?
    /// The submission takes no more for now.
    var isHeldBySubmission = false
    /// More came than was announced, and there is no memory for it yet.
    var isHeldByBudget = false
    /// More had arrived behind the DATA command already.
    var hasBytesBehindCommand = false
    /// When the client was told to go on.
    var beganAt = MonotonicTime(nanoseconds: 0)
    /// When the average rate is counted from; moved forward by the time that we did not read.
    var startedAt = MonotonicTime(nanoseconds: 0)

    var isHeld: Bool { isHeldBySubmission || isHeldByBudget }
}

extension SessionMachine {
    /// DATA may not be followed by anything before its answer (RFC 2920 3.1). Who does it anyway
    /// sends content, and when DATA is refused that content must never be read as commands.
    mutating func data(hasBytesBehind: Bool, at now: MonotonicTime) -> SessionVerdict {
        guard recipientCount > 0 else {
            return hasBytesBehind ? close(.badSequence) : refuse(.badSequence)
        }
        phase = .budget
        waitingSince = now
        content = ContentState()
        content.hasBytesBehindCommand = hasBytesBehind
        let announced = announcedBytes ?? options.bufferThresholdBytes
        content.reservedBytes = min(announced, options.bufferThresholdBytes)
        return .reserve(bytes: content.reservedBytes)
    }

    /// The memory that `reserve` asked for is there.
    mutating func budgetGranted(at now: MonotonicTime) -> SessionVerdict {
        switch phase {
        case .budget:
            phase = .data
            heardAt = now
            content.beganAt = now
            content.startedAt = now
            return .beginData
        case .data:
            content.isHeldByBudget = false
            goOn(at: now)
            return .none
        default: return .none
        }
    }

    /// The memory for what came beyond the announcement will never be there: whoever holds some
    /// waits for more, like us. What is left of the message is read and thrown away.
    mutating func budgetRefused(at now: MonotonicTime) -> SessionVerdict {
        guard phase == .data, content.isHeldByBudget else { return .none }
        content.discard = .noMemory
        content.isHeldByBudget = false
        goOn(at: now)
        return .giveUp(nil)
    }

    /// `byteCount` bytes of content have come.
    mutating func contentArrived(_ byteCount: Int, at now: MonotonicTime) -> ContentVerdict {
        heardAt = now
        content.byteCount += byteCount
        if content.discard != nil { return .discard }
        guard content.byteCount > limits.messageBytesMax else { return .feed }
        content.discard = .tooLarge
        return .abandon
    }

    /// After content was fed: whether its memory is reserved. Who announced less than was sent
    /// reserves the whole share now.
    mutating func checkMemory(at now: MonotonicTime) -> SessionVerdict {
        let most = options.bufferThresholdBytes
        guard content.discard == nil, content.reservedBytes < most,
            content.byteCount > content.reservedBytes
        else { return .none }
        let more = most - content.reservedBytes
        content.reservedBytes = most
        hold(at: now)
        content.isHeldByBudget = true
        return .reserve(bytes: more)
    }

    /// The submission takes no more before `submissionContinues`.
    mutating func submissionPaused(at now: MonotonicTime) {
        hold(at: now)
        content.isHeldBySubmission = true
    }

    mutating func submissionContinues(at now: MonotonicTime) {
        guard phase == .data, content.isHeldBySubmission else { return }
        content.isHeldBySubmission = false
        goOn(at: now)
    }

    /// The submission knows its outcome before the end of the message.
    mutating func submissionDecided() {
        if content.discard == nil { content.discard = .decided }
    }

    private mutating func hold(at now: MonotonicTime) {
        if !content.isHeld { waitingSince = now }
    }

    /// The client is read again: the time that it was not is not its fault.
    private mutating func goOn(at now: MonotonicTime) {
        guard !content.isHeld else { return }
        heardAt = now
        content.startedAt = content.startedAt.advanced(
            byMilliseconds: now.milliseconds(since: waitingSince))
    }

    /// CRLF.CRLF has come.
    /// - Parameter arrivedAt: when it was read, if it had to wait in memory for the API to take
    ///   what came before it; the client waits for its reply since then.
    mutating func dataEnded(
        at now: MonotonicTime, arrivedAt: MonotonicTime? = nil
    ) -> SessionVerdict {
        switch content.discard {
        case nil, .decided:
            phase = .outcome
            waitingSince = arrivedAt ?? now
            return .finishMessage
        case .tooLarge:
            return ended(with: .messageTooLarge(bytesMax: limits.messageBytesMax), at: now)
        case .apiStalled: return ended(with: .apiUnavailable, at: now)
        case .noMemory: return ended(with: .insufficientMemory, at: now)
        }
    }

    /// The message has its outcome, and so its reply.
    /// - Parameter isKeyRefused: the API knows the key no more: the session is logged out.
    mutating func outcome(
        _ reply: Reply, isKeyRefused: Bool, at now: MonotonicTime
    ) -> SessionVerdict {
        guard phase == .outcome else { return .none }
        if isKeyRefused { isAuthenticated = false }
        return ended(with: reply, at: now)
    }

    private mutating func ended(with reply: Reply, at now: MonotonicTime) -> SessionVerdict {
        resetTransaction()
        enterCommands(at: now)
        return .reply(reply)
    }
}
