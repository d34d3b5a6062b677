// Whether the books of a run balance. Each rule is a promise of the relay; a broken rule is named.
//
// The rules look at what clients and API saw, and at the times at which the relay read it; never at
// what the relay says about itself.

import Reactor

/// Why the API may accept a message a second time.
enum Repetition: String, CaseIterable {
    /// The relay could not know what had become of the first.
    case uncertain = "the outcome of the first was uncertain"
    /// The client had shown that it saw the first 250.
    case onPurpose = "the client sent it again on purpose"
    /// It left in order without reading, and its kernel may have had the 250.
    case endedInOrder = "the client ended in order, and its kernel may have had the 250"
    case withoutMessageID = "without a Message-ID, so not guarded"
    /// A new relay does not have the memory of the one before, as far as that was not written.
    case newRelay = "the relay was ended before the record was made, or its home was memory"
    /// A try that ended in a permanent reply leaves nothing.
    case refusedForGood = "others of the group were refused for good"
    case storeFailed = "the ledger's server may have been out of order"
    case windowOver = "later than the duplicate window"
    /// A record of a whole submission is of its envelope.
    case otherEnvelope = "the record was of a whole submission with another envelope"
    /// The connection of the first try still looked alive.
    case unnoticed = "the relay had not noticed yet that the client was gone"
    /// The client's next try was accepted before that of a connection that it had given up. When
    /// the relay read the newer dot, it had no news of the old connection's end.
    case overtaken = "a newer try was accepted before an older one that still looked alive"
}

/// The rules.
struct Balance {
    private let ledger: Ledger
    /// What is wrong; empty when the ledger balances.
    private(set) var violations: [String] = []
    /// Second acceptances that are excused, by excuse.
    private(set) var repetitions: [Repetition: Int] = [:]

    init(_ ledger: Ledger) {
        self.ledger = ledger
        violations = ledger.complaints
        check()
    }

    private mutating func check() {
        if let terms = ledger.fairShare {
            violations += FairShare(ledger, terms).violations
        }
        for attempt in ledger.attempts { checkReply(attempt) }
        for login in ledger.logins where ledger.expectsSuccess && login.code != 235 {
            violations.append("a login: \(login.code), and nothing explains it")
        }
        for facts in ledger.messages {
            let attempts = ledger.attempts.filter { $0.message == facts.number }
            let requests = ledger.requests.filter { $0.message == facts.number }
            for attempt in attempts where attempt.code == 250 {
                checkPromise(attempt, facts, requests)
            }
            checkSingleAnswers(attempts)
            for request in requests {
                if !request.isFaithful {
                    report(facts, "the API got another message than was sent")
                }
            }
            checkHeardSuccesses(facts, attempts, requests)
            if facts.isGroup {
                for recipient in 0..<facts.recipients {
                    let own = requests.filter { $0.recipients.contains(recipient) }
                    checkRepetition(facts, attempts, own)
                }
                checkStarvation(facts, attempts, requests)
            } else {
                checkRepetition(facts, attempts, requests)
                checkWords(facts, attempts, requests)
            }
        }
    }

    private mutating func report(_ facts: MessageFacts, _ text: String) {
        violations.append("message \(facts.number): \(text)")
    }

    // MARK: A 250 is a promise

    /// No 250 without a complete, valid 2xx for what the client sent. If each recipient has its own
    /// request, this applies to each recipient.
    private mutating func checkPromise(
        _ attempt: Attempt, _ facts: MessageFacts, _ requests: [APIRequest]
    ) {
        let kept = requests.filter {
            guard let done = $0.completedAt, let seen = attempt.replySeenAt else { return false }
            return $0.isValidSuccess && $0.isFaithful && done <= seen && $0.answerHeardAt != nil
        }
        if !kept.contains(where: { $0.messageID == attempt.messageID }) {
            report(facts, "250 with the id \(attempt.messageID ?? "") that the API never gave it")
        }
        guard facts.isGroup else { return }
        // A suppressed recipient among others is no failure, as in one call for all of them.
        let isSuppressed = { (recipient: Int) in
            requests.contains {
                $0.recipients.contains(recipient) && $0.status == 422 && $0.answerHeardAt != nil
            }
        }
        for recipient in attempt.envelope ?? Set(0..<facts.recipients)
        where !isSuppressed(recipient)
            && !kept.contains(where: { $0.recipients.contains(recipient) })
        {
            report(facts, "250, and recipient \(recipient) was never accepted")
        }
    }

    /// One 250 for each acceptance, unless the relay had no news that the client saw the first 250.
    private mutating func checkSingleAnswers(_ attempts: [Attempt]) {
        let answered = attempts.filter { $0.code == 250 }
        for (index, later) in answered.enumerated() {
            for earlier in answered[..<index] where earlier.messageID == later.messageID {
                guard let known = earlier.acknowledgedAt, let heard = later.dotHeardAt else {
                    continue
                }
                // Killed before it wrote that the client had seen it.
                let isForgotten = ledger.restarts.contains {
                    $0 >= known
                        && $0 <= known.advanced(byMilliseconds: ledger.homeWriteMilliseconds)
                }
                let hasFailed = ledger.storeMayHaveFailed(from: known, to: heard)
                if known < heard, !isForgotten, !hasFailed {
                    violations.append(
                        "message \(later.message): two 250 for \(later.messageID ?? ""), "
                            + "the first one acknowledged")
                }
            }
        }
    }

    /// A success that the relay has read completely ends in a 250, or its client was gone.
    private mutating func checkHeardSuccesses(
        _ facts: MessageFacts, _ attempts: [Attempt], _ requests: [APIRequest]
    ) {
        for request in requests where request.isValidSuccess && request.answerHeardAt != nil {
            guard let done = request.completedAt, !request.hasCrossed else { continue }
            let isAccounted = attempts.contains { attempt in
                guard let dot = attempt.dotHeardAt, dot <= done else { return false }
                if facts.isGroup { return true }
                if attempt.code == 250, attempt.messageID == request.messageID { return true }
                return attempt.code == nil || attempt.code == 421
            }
            // The guard may answer for it later.
            let isAnsweredLater = attempts.contains {
                $0.code == 250 && $0.messageID == request.messageID
            }
            if !isAccounted && !isAnsweredLater {
                report(facts, "the relay read the 202 for \(request.messageID); nobody got its 250")
            }
        }
    }

    // MARK: Never twice

    /// Requests for one message to the same recipients.
    private mutating func checkRepetition(
        _ facts: MessageFacts, _ attempts: [Attempt], _ requests: [APIRequest]
    ) {
        // What got a 429 was not acted on, and its second request comes in the same try.
        let complete = requests.filter { $0.completedAt != nil && $0.status != 429 }
        for (index, request) in complete.enumerated() {
            guard let done = request.completedAt else { continue }
            let dots = attempts.count { $0.dotHeardAt.map { $0 <= done } ?? false }
            if dots < index + 1 {
                report(
                    facts, "complete request number \(index + 1) at the API after \(dots) dots")
            }
        }
        let acted = complete.filter(\.hasActed)
        for (first, second) in zip(acted, acted.dropFirst()) {
            let excuse = excuse(facts, attempts, first, second)
            if let excuse { repetitions[excuse, default: 0] += 1 }
            if excuse != nil { continue }
            report(facts, "accepted twice although the guard knew \(first.messageID)")
        }
    }

    /// Why the API accepted a message a second time; nil when the relay had no excuse.
    ///
    /// From outside it is not visible which of the open tries made the request, so an excuse of any
    /// of them counts, the latest try first.
    private func excuse(
        _ facts: MessageFacts, _ attempts: [Attempt], _ first: APIRequest, _ second: APIRequest
    ) -> Repetition? {
        guard first.isValidSuccess, first.answerHeardAt != nil, !first.hasCrossed else {
            return .uncertain
        }
        guard let done = second.completedAt else { return nil }
        let causes = attempts.filter { attempt in attempt.dotHeardAt.map { $0 <= done } ?? false }
        // A try that had its reply by then did not make the request.
        let open = causes.filter { attempt in attempt.replySentAt.map { $0 >= done } ?? true }
        let candidates = open.isEmpty ? Array(causes.suffix(1)) : open
        for cause in candidates.reversed() {
            if let excuse = excuse(facts, attempts, first, cause: cause, among: causes) {
                return excuse
            }
        }
        let isRefused = attempts.contains { attempt in
            guard let dot = attempt.dotHeardAt, let replied = attempt.replySentAt,
                let accepted = first.completedAt, let code = attempt.code
            else { return false }
            // Of a group also a later try: it has ended the records of those that were accepted
            // before it, and an older try, whose client is gone, may still be read.
            return (500...599).contains(code) && (facts.isGroup || dot <= accepted)
                && replied >= accepted && replied <= done
        }
        return isRefused ? .refusedForGood : nil
    }

    /// Whether a client of the first acceptance left in order, without reading, before the next try.
    /// Its try may be a later one that the guard answered.
    private func hasEndedInOrder(
        _ attempts: [Attempt], _ first: APIRequest, heard: MonotonicTime, asked: MonotonicTime
    ) -> Bool {
        attempts.contains { attempt in
            guard attempt.endsInOrder, let end = attempt.maybeSeenAt, let dot = attempt.dotHeardAt
            else { return false }
            return dot <= end && end >= heard && end <= asked
        }
    }

    /// Whether the first acceptance was, for a try with another envelope, one of all its recipients,
    /// and the client did not see its 250.
    private func isOfOtherEnvelope(
        _ attempts: [Attempt], _ first: APIRequest, _ cause: Attempt
    ) -> Bool {
        attempts.contains { attempt in
            guard attempt.envelope != cause.envelope, attempt.code == nil,
                let dot = attempt.dotHeardAt, let done = first.completedAt
            else { return false }
            return dot <= done
        }
    }

    /// Whether a relay ended between the first acceptance and the try that repeated it, before the
    /// record of the first one was written.
    private func isForgotten(
        _ attempts: [Attempt], _ first: APIRequest, heard: MonotonicTime, asked: MonotonicTime
    ) -> Bool {
        let ends = ledger.restarts.filter { $0 >= heard && $0 <= asked }
        guard let end = ends.first else { return false }
        guard ledger.homeOutlives, let done = first.completedAt else { return true }
        let open = attempts.filter { attempt in
            guard let dot = attempt.dotHeardAt, dot <= done else { return false }
            return attempt.replySentAt.map { $0 >= done } ?? true
        }
        // The record is made when others were refused for the moment, before the reply; else when the
        // connection ends.
        return !open.allSatisfy { attempt in
            let isPartial = attempt.code.map { (400...499).contains($0) && $0 != 421 } ?? false
            guard let made = isPartial ? attempt.replySentAt : attempt.relayClosedAt else {
                return false
            }
            return made.advanced(byMilliseconds: ledger.homeWriteMilliseconds) < end
        }
    }

    /// The excuse when `cause` is the try that made the second request.
    private func excuse(
        _ facts: MessageFacts, _ attempts: [Attempt], _ first: APIRequest, cause: Attempt,
        among causes: [Attempt]
    ) -> Repetition? {
        guard let heard = first.answerHeardAt, let asked = cause.dotHeardAt else { return nil }
        if isForgotten(attempts, first, heard: heard, asked: asked) { return .newRelay }
        if ledger.storeMayHaveFailed(from: heard, to: asked) { return .storeFailed }
        // The 250 of a group names one of its ids and stands for all.
        let answered = attempts.filter {
            $0.messageID == first.messageID
                || facts.isGroup && $0.code == 250 && ($0.replySentAt.map { $0 >= heard } ?? false)
        }
        let isSeen = answered.contains { attempt in
            [attempt.acknowledgedAt, attempt.maybeSeenAt].contains {
                $0.map { $0 <= asked } ?? false
            }
        }
        if isSeen { return .onPurpose }
        if hasEndedInOrder(attempts, first, heard: heard, asked: asked) { return .endedInOrder }
        if facts.isMixed, isOfOtherEnvelope(attempts, first, cause) { return .otherEnvelope }
        // Requests of a group are remembered without a Message-ID, but not while they are in
        // flight. A try that began before the answer, and may have waited in the queue, knew
        // nothing of them.
        let underWay = causes.count { attempt in
            guard let dot = attempt.dotHeardAt, dot <= heard else { return false }
            guard let replied = attempt.replySentAt, let done = first.completedAt else {
                return true
            }
            return replied >= done
        }
        // Only recipients of a group of which some were refused for the moment are remembered without
        // a Message-ID.
        let isPartial = attempts.contains { attempt in
            guard let dot = attempt.dotHeardAt, let done = first.completedAt, dot <= done,
                let code = attempt.code, let replied = attempt.replySentAt
            else { return false }
            return (400...499).contains(code) && code != 421 && replied >= done
                && replied <= asked
        }
        let isGuarded =
            facts.hasMessageID || facts.isGroup && isPartial && asked > heard && underWay <= 1
        guard isGuarded else { return .withoutMessageID }
        if !facts.hasMessageID, asked.milliseconds(since: heard) >= 900_000 { return .windowOver }
        if asked.milliseconds(since: heard) >= ledger.duplicateWindowMilliseconds {
            return .windowOver
        }
        // Until the relay has noticed that the client is gone, it cannot tell a second try from a
        // second message.
        let isUnnoticed = causes.contains { earlier in
            guard earlier.begunAt < cause.begunAt, earlier.connection != cause.connection else {
                return false
            }
            return earlier.relayClosedAt.map { $0 >= asked } ?? true
        }
        if isUnnoticed { return .unnoticed }
        // The same, but the newer of the two was accepted first, or the guard answered it and so
        // used up its record.
        let isOvertaken = attempts.contains { newer in
            guard newer.begunAt > cause.begunAt, newer.connection != cause.connection,
                let dot = newer.dotHeardAt, let accepted = first.completedAt
            else { return false }
            let isGuards = answered.contains {
                $0.connection == newer.connection && $0.begunAt == newer.begunAt
            }
            guard isGuards || dot <= accepted else { return false }
            return cause.relayClosedAt.map { $0 >= dot } ?? true
        }
        return isOvertaken ? .overtaken : nil
    }

    // MARK: Never starved

    /// While the API takes what is sent for others, a recipient that was never tried has its turn
    /// before those that were tried already. What is seen here are complete requests, so a recipient
    /// may be unlucky for some tries.
    private mutating func checkStarvation(
        _ facts: MessageFacts, _ attempts: [Attempt], _ requests: [APIRequest]
    ) {
        guard ledger.restarts.isEmpty else { return }
        let asked = Set(requests.flatMap(\.recipients))
        let wanted = attempts.reduce(into: Set<Int>()) {
            $0.formUnion($1.envelope ?? Set(0..<facts.recipients))
        }
        guard asked.count < wanted.count else { return }
        var tried: Set<Int> = []
        var passedOver = 0
        for attempt in attempts {
            guard let dot = attempt.dotHeardAt, let replied = attempt.replySentAt else { continue }
            let own = requests.filter { request in
                request.completedAt.map { $0 >= dot && $0 <= replied } ?? false
            }
            let isAccepting = own.contains {
                $0.isValidSuccess && !tried.isSuperset(of: $0.recipients)
            }
            if isAccepting, own.contains(where: { tried.isSuperset(of: $0.recipients) }) {
                passedOver += 1
            }
            tried.formUnion(own.flatMap(\.recipients))
        }
        if passedOver > 3 { report(facts, "a recipient was never tried in \(passedOver) tries") }
    }

    // MARK: Every dot has its reply

    private mutating func checkReply(_ attempt: Attempt) {
        let name = "message \(attempt.message), connection \(attempt.connection)"
        if attempt.code == nil, !attempt.isExcused {
            violations.append("\(name): no reply, and nothing was wrong with the connection")
        }
        if attempt.code == 421, let heard = attempt.dotHeardAt, let sent = attempt.replySentAt,
            heard < sent, !isTurnedAway(attempt)
        {
            violations.append("\(name): 421 in place of the reply to a dot")
        }
        if ledger.expectsSuccess, let code = attempt.code, code != 250 {
            violations.append("\(name): \(code), and nothing explains it")
        }
        guard let heard = attempt.dotHeardAt, let sent = attempt.replySentAt else { return }
        let waited = sent.milliseconds(since: heard)
        if waited > ledger.apiTimeoutMilliseconds + 500 {
            violations.append("\(name): the reply came \(waited) ms after the dot")
        }
    }

    /// The relay was told to end before it read any of the chunks.
    private func isTurnedAway(_ attempt: Attempt) -> Bool {
        guard let chunk = attempt.chunkHeardAt else { return false }
        return ledger.drains.contains { $0 <= chunk && chunk.milliseconds(since: $0) <= 10_000 }
    }

    /// The reply agrees with the API's answer.
    private mutating func checkWords(
        _ facts: MessageFacts, _ attempts: [Attempt], _ requests: [APIRequest]
    ) {
        for attempt in attempts {
            guard let code = attempt.code, code != 421, let heard = attempt.dotHeardAt,
                let replied = attempt.replySentAt
            else { continue }
            let own = requests.filter {
                guard let done = $0.completedAt, let answer = $0.answerHeardAt, !$0.hasCrossed
                else { return false }
                return done >= heard && answer <= replied
            }
            // While an earlier try is in flight, it is not clear whose answer it was.
            let isAlone = attempts.allSatisfy {
                $0.begunAt == attempt.begunAt || $0.code != nil || $0.begunAt > replied
                    || $0.dotHeardAt == nil
            }
            guard own.count == 1, isAlone, let expected = Balance.code(for: own[0].status) else {
                continue
            }
            // A limit was waited for, and the next request had no answer, or one before it was complete.
            if own[0].status == 429, let answer = own[0].answerHeardAt,
                hasWaited(from: answer, to: replied)
            {
                let isEarly = ledger.earlyAnswers.contains {
                    $0.at >= answer && $0.at <= replied && Balance.code(for: $0.status) == code
                }
                if isEarly || code == 451 { continue }
            }
            if code != expected {
                report(facts, "the API said \(own[0].status), the client heard \(code)")
            }
        }
    }

    /// Whether a limit that was named at `start` may have ended by `end`: after a second, or with the
    /// success of another message.
    private func hasWaited(from start: MonotonicTime, to end: MonotonicTime) -> Bool {
        if end.milliseconds(since: start) >= 1_000 { return true }
        return ledger.requests.contains { request in
            guard request.isValidSuccess, let heard = request.answerHeardAt else { return false }
            return heard >= start && heard <= end
        }
    }

    /// The reply to an answer that was read completely.
    private static func code(for status: Int) -> Int? {
        switch status {
        case 200...299: 250
        case 400, 404: 554
        case 403, 422: 550
        case 413: 552
        case 429: 452
        case 401, 500...599: 451
        default: nil
        }
    }
}
