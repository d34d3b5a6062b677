// From received bytes to events of the machine.

import APIClient
import Reactor
import Wire

extension Session {
    /// Takes as much of `bytes` as the machine lets us, and keeps the rest.
    func take(_ bytes: Bytes) {
        var offset = 0
        if input.isEmpty {
            inputArrivedAt = stream?.arrivedAt ?? now
        } else {
            // A line began in an earlier read. Its end is enough to go on from the span itself.
            let end = bytes.firstIndex(of: 0x0A).map { $0 + 1 } ?? bytes.count
            input.keep(bytes.extracting(0..<end))
            offset = end
            takeKept(bytesBehind: bytes.count - end)
        }
        if input.isEmpty { consume(bytes, &offset) }
        if offset < bytes.count && machine.phase != .closed {
            input.keep(bytes.extracting(offset..<bytes.count))
        }
    }

    /// Goes on with what is in hand.
    /// - Parameter bytesBehind: bytes that have arrived behind it.
    func takeKept(bytesBehind: Int = 0) {
        guard !input.isEmpty, canTake else { return }
        let kept = input.take()
        var offset = kept.start
        consume(kept.bytes.span, &offset, bytesBehind: bytesBehind)
        input.restore(kept, usedTo: offset)
    }

    private var canTake: Bool {
        if !isOutputFull, let stream, stream.isAboveHighWater { isOutputFull = true }
        return machine.acceptsInput && !isOutputFull
    }

    private func consume(_ bytes: Bytes, _ offset: inout Int, bytesBehind: Int = 0) {
        while offset < bytes.count, canTake {
            if machine.phase == .data {
                takeContent(bytes, &offset)
            } else if !takeLine(bytes, &offset, bytesBehind) {
                return
            }
        }
    }

    /// Returns false when there is no whole line.
    private func takeLine(_ bytes: Bytes, _ offset: inout Int, _ bytesBehind: Int) -> Bool {
        switch input.nextLine(bytes, &offset, lineBytesMax: machine.lineBytesMax) {
        case .line(let range):
            let hasMore = offset < bytes.count || bytesBehind > 0
            line(bytes.extracting(range), hasBytesBehind: hasMore)
        case .tooLong:
            worker.counters.commands.count(.malformed)
            traceNote("a line over the limit")
            perform(machine.lineTooLong(at: now))
        case .needInput, .content, .literalCR, .endOfData: return false
        }
        return true
    }

    private func line(_ line: Bytes, hasBytesBehind: Bool) {
        if machine.phase == .response {
            worker.counters.commands.count(.response)
            traceLine(.response, line)
            return perform(machine.responseLine(line, at: now), in: line)
        }
        let command = Command.parse(line)
        let verb = CommandVerb(command)
        worker.counters.commands.count(verb)
        if isTraced { traceLine(verb, line) }
        var throttle: Reply?
        switch command {
        case .mail: throttle = throttleReply()
        case .startTLS where !machine.isTLS && !hasBytesBehind: throttle = handshakeThrottle()
        default: break
        }
        perform(
            machine.command(
                command, in: line, hasBytesBehind: hasBytesBehind, throttle: throttle, at: now),
            in: line)
    }

    /// The reply to MAIL while a 429 with a known end is still running.
    private func throttleReply() -> Reply? {
        guard let key, let limit = worker.shared.rateLimits.limit(on: key.hash, at: now) else {
            return nil
        }
        return Outcome.rateLimited(limit)
            .reply(isVerbose: worker.configuration.reloadable.hasVerboseReplies)
    }

    /// Counts a handshake that is about to begin; the reply to STARTTLS when it must not.
    private func handshakeThrottle() -> Reply? {
        if worker.shared.abuse.admitsHandshake(peer, at: now) { return nil }
        worker.listenerCounters[listener].overHandshakes += 1
        log.event(.info, "handshake-refused", session: id, ["peer": peer.host])
        return .tooManyHandshakes
    }

    private func takeContent(_ bytes: Bytes, _ offset: inout Int) {
        switch input.nextContent(bytes, &offset) {
        case .content(let range): feed(bytes.extracting(range))
        case .literalCR:
            let carriageReturn: [UInt8] = [0x0D]
            feed(carriageReturn.span)
        case .endOfData:
            worker.counters.dataTimes.record(
                nanoseconds: now.nanoseconds(since: machine.content.beganAt))
            if isTraced { traceNote("content, \(machine.content.byteCount) bytes") }
            perform(machine.dataEnded(at: now, arrivedAt: inputArrivedAt))
        case .needInput, .line, .tooLong: break
        }
    }
}
