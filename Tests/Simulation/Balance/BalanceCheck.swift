// Shows that each rule can fail: histories that are correct except for one thing, which the balance
// must name.

import Reactor

/// Invented histories and what the balance must say about each.
enum BalanceCheck {
    private static func at(_ milliseconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 1_000_000_000_000).advanced(byMilliseconds: milliseconds)
    }

    /// One message, accepted and acknowledged: a ledger that balances.
    private static func order() -> Ledger {
        var attempt = Attempt(message: 0, connection: 1, begunAt: at(0))
        attempt.dotSentAt = at(10)
        attempt.dotHeardAt = at(11)
        attempt.code = 250
        attempt.messageID = "a"
        attempt.replySentAt = at(20)
        attempt.replySeenAt = at(21)
        attempt.acknowledgedAt = at(22)
        attempt.relayClosedAt = at(30)
        var request = APIRequest(message: 0, recipients: [0])
        request.completedAt = at(13)
        request.hasActed = true
        request.status = 202
        request.isValidSuccess = true
        request.messageID = "a"
        request.answerHeardAt = at(15)
        var ledger = Ledger()
        ledger.messages = [MessageFacts(number: 0, recipients: 1)]
        ledger.attempts = [attempt]
        ledger.requests = [request]
        return ledger
    }

    /// A second try after a first one whose client was gone.
    private static func comeBack() -> Ledger {
        var ledger = order()
        var second = ledger.attempts[0]
        ledger.attempts[0].code = nil
        ledger.attempts[0].messageID = nil
        ledger.attempts[0].replySentAt = nil
        ledger.attempts[0].acknowledgedAt = nil
        ledger.attempts[0].isExcused = true
        ledger.attempts[0].lostAt = at(12)
        ledger.attempts[0].relayClosedAt = at(12)
        second.connection = 2
        second.begunAt = at(1_000)
        second.dotSentAt = at(1_010)
        second.dotHeardAt = at(1_011)
        second.replySentAt = at(1_020)
        second.replySeenAt = at(1_021)
        second.acknowledgedAt = at(1_022)
        ledger.attempts.append(second)
        return ledger
    }

    /// Two tries at once, and the newer one is accepted and acknowledged first.
    private static func overtaken(goneAt: Int) -> Ledger {
        var ledger = comeBack()
        ledger.requests[0].completedAt = at(1_013)
        ledger.requests[0].answerHeardAt = at(1_015)
        ledger.attempts[0].relayClosedAt = at(goneAt)
        var again = ledger.requests[0]
        again.messageID = "b"
        again.completedAt = at(1_030)
        again.answerHeardAt = at(1_031)
        ledger.requests.append(again)
        return ledger
    }

    /// A group of which some were accepted; a newer try, refused with `code`; and after it an older one
    /// that the relay reads late.
    private static func late(after code: Int) -> Ledger {
        var ledger = comeBack()
        ledger.messages[0].isGroup = true
        ledger.attempts[0].code = 452
        ledger.attempts[0].replySentAt = at(20)
        ledger.attempts[0].relayClosedAt = at(30)
        ledger.attempts[1].code = code
        ledger.attempts[1].messageID = nil
        ledger.attempts[1].acknowledgedAt = nil
        var old = ledger.attempts[0]
        old.connection = 3
        old.begunAt = at(500)
        old.code = nil
        old.replySentAt = nil
        old.lostAt = at(600)
        old.dotHeardAt = at(1_040)
        old.relayClosedAt = at(1_050)
        ledger.attempts.insert(old, at: 1)
        var again = ledger.requests[0]
        again.messageID = "b"
        again.completedAt = at(1_045)
        again.answerHeardAt = at(1_046)
        ledger.requests.append(again)
        return ledger
    }

    private typealias History = (name: String, wrong: String?, make: @Sendable () -> Ledger)

    private static let histories: [History] = [
        ("in order", nil, order),
        ("a second try, answered by the guard", nil, comeBack),
        ("a late try after one that was refused for good", nil, { late(after: 554) }),
        ("a late try after one that was put off", "accepted twice", { late(after: 452) }),
        (
            "a 250 without a request", "never gave it",
            {
                var ledger = order()
                ledger.requests = []
                return ledger
            }
        ),
        (
            "a 250 for an answer that was no success", "never gave it",
            {
                var ledger = order()
                ledger.requests[0].isValidSuccess = false
                return ledger
            }
        ),
        (
            "a 250 before the answer was read", "never gave it",
            {
                var ledger = order()
                ledger.requests[0].answerHeardAt = nil
                return ledger
            }
        ),
        (
            "a 250 before the request was complete", "never gave it",
            {
                var ledger = order()
                ledger.requests[0].completedAt = at(40)
                return ledger
            }
        ),
        (
            "another message than was sent", "another message",
            {
                var ledger = order()
                ledger.requests[0].isFaithful = false
                return ledger
            }
        ),
        (
            "a recipient of a group left out", "recipient 1 was never",
            {
                var ledger = order()
                ledger.messages[0].isGroup = true
                ledger.messages[0].recipients = 2
                return ledger
            }
        ),
        (
            "a pause that ended in a refusal", "nothing explains it",
            {
                var ledger = order()
                ledger.expectsSuccess = true
                ledger.attempts[0].code = 451
                ledger.attempts[0].messageID = nil
                ledger.requests = []
                return ledger
            }
        ),
        (
            "a login that was refused for nothing", "a login: 451",
            {
                var ledger = order()
                ledger.expectsSuccess = true
                ledger.logins = [
                    Login(account: 0, askedAt: at(0), answeredAt: at(1), code: 451)
                ]
                return ledger
            }
        ),
        (
            "a success reported as a failure", "nobody got its 250",
            {
                var ledger = order()
                ledger.attempts[0].code = 451
                ledger.attempts[0].messageID = nil
                return ledger
            }
        ),
        (
            "sent again by the relay itself", "after 1 dots",
            {
                var ledger = order()
                ledger.requests.append(ledger.requests[0])
                return ledger
            }
        ),
        (
            "complete at the API without a dot", "after 0 dots",
            {
                var ledger = order()
                ledger.attempts[0].dotHeardAt = nil
                return ledger
            }
        ),
        (
            "accepted again where the guard knew", "although the guard knew",
            {
                var ledger = comeBack()
                var again = ledger.requests[0]
                again.messageID = "b"
                again.completedAt = at(1_013)
                again.answerHeardAt = at(1_015)
                ledger.requests.append(again)
                ledger.attempts[1].messageID = "b"
                return ledger
            }
        ),
        (
            "sent again while the first was awaited", "although the guard knew",
            {
                var ledger = comeBack()
                ledger.requests[0].answerHeardAt = at(1_012)
                var again = ledger.requests[0]
                again.messageID = "b"
                again.completedAt = at(1_013)
                again.answerHeardAt = at(1_015)
                ledger.requests.append(again)
                ledger.attempts[1].messageID = "b"
                return ledger
            }
        ),
        (
            "twice without a Message-ID, which is allowed", nil,
            {
                var ledger = comeBack()
                ledger.messages[0].hasMessageID = false
                var again = ledger.requests[0]
                again.messageID = "b"
                again.completedAt = at(1_013)
                again.answerHeardAt = at(1_015)
                ledger.requests.append(again)
                ledger.attempts[1].messageID = "b"
                return ledger
            }
        ),
        (
            "one acceptance, two 250", "two 250",
            {
                var ledger = comeBack()
                let first = order().attempts[0]
                ledger.attempts[0] = first
                return ledger
            }
        ),
        (
            "no reply to a dot", "no reply",
            {
                var ledger = order()
                ledger.attempts[0].code = nil
                ledger.requests = []
                return ledger
            }
        ),
        (
            "a reply that came late", "after the dot",
            {
                var ledger = order()
                ledger.attempts[0].replySentAt = at(50_700)
                ledger.attempts[0].replySeenAt = at(50_701)
                return ledger
            }
        ),
        (
            "421 for a chunk that was read before the relay was told to end", "421 in place",
            {
                var ledger = order()
                ledger.attempts[0].code = 421
                ledger.attempts[0].chunkHeardAt = at(11)
                ledger.drains = [at(12)]
                return ledger
            }
        ),
        (
            "421 for a dot", "421 in place",
            {
                var ledger = order()
                ledger.attempts[0].code = 421
                return ledger
            }
        ),
        (
            "twice after the relay began anew, which is allowed", nil,
            {
                var ledger = comeBack()
                ledger.restarts = [at(500)]
                var again = ledger.requests[0]
                again.messageID = "b"
                again.completedAt = at(1_013)
                again.answerHeardAt = at(1_015)
                ledger.requests.append(again)
                ledger.attempts[1].messageID = "b"
                return ledger
            }
        ),
        (
            "twice after the relay began anew, although its home had the record",
            "although the guard knew",
            {
                var ledger = comeBack()
                ledger.restarts = [at(500)]
                ledger.homeOutlives = true
                var again = ledger.requests[0]
                again.messageID = "b"
                again.completedAt = at(1_013)
                again.answerHeardAt = at(1_015)
                ledger.requests.append(again)
                ledger.attempts[1].messageID = "b"
                return ledger
            }
        ),
        (
            "twice after a kill before the record was written, which is allowed", nil,
            {
                var ledger = comeBack()
                ledger.restarts = [at(20)]
                ledger.homeOutlives = true
                ledger.homeWriteMilliseconds = 40
                var again = ledger.requests[0]
                again.messageID = "b"
                again.completedAt = at(1_013)
                again.answerHeardAt = at(1_015)
                ledger.requests.append(again)
                ledger.attempts[1].messageID = "b"
                return ledger
            }
        ),
        (
            "an older try that was known to be gone, after a newer one", "although the guard knew",
            { overtaken(goneAt: 500) }
        ),
        (
            "an older try that still looked alive, which is allowed", nil,
            { overtaken(goneAt: 1_012) }
        ),
        (
            "an older try after one that the guard answered, which is allowed", nil,
            {
                var ledger = overtaken(goneAt: 2_000)
                ledger.requests[0].completedAt = at(900)
                ledger.requests[0].answerHeardAt = at(901)
                ledger.attempts[0].dotHeardAt = at(1_012)
                ledger.attempts.insert(ledger.attempts[0], at: 0)
                ledger.attempts[0].connection = 3
                ledger.attempts[0].begunAt = at(800)
                ledger.attempts[0].dotHeardAt = at(850)
                ledger.attempts[0].relayClosedAt = at(890)
                return ledger
            }
        ),
        (
            "the wrong words", "the client heard",
            {
                var ledger = order()
                ledger.requests[0].status = 403
                ledger.requests[0].isValidSuccess = false
                ledger.attempts[0].code = 451
                ledger.attempts[0].messageID = nil
                return ledger
            }
        ),
    ]

    /// Two messages of one key and one of another, each with its answer after one service.
    private static func shared() -> Ledger {
        var ledger = Ledger()
        ledger.fairShare = FairShare.Terms(connections: 2, serviceMilliseconds: 1_000)
        for (number, account) in [0, 0, 1].enumerated() {
            var attempt = order().attempts[0]
            attempt.message = number
            attempt.account = account
            attempt.connection = number + 1
            attempt.messageID = "m\(number)"
            attempt.replySentAt = at(1_011)
            attempt.replySeenAt = at(1_012)
            var request = order().requests[0]
            request.message = number
            request.messageID = "m\(number)"
            ledger.messages.append(MessageFacts(number: number, recipients: 1))
            ledger.attempts.append(attempt)
            ledger.requests.append(request)
            ledger.logins.append(
                Login(account: account, askedAt: at(0), answeredAt: at(1_000), code: 235))
        }
        return ledger
    }

    private static let shares: [History] = [
        ("shares that are fair", nil, { shared() }),
        (
            "a message that waited for another key", "its share explains",
            {
                var ledger = shared()
                ledger.attempts[2].replySentAt = at(9_011)
                return ledger
            }
        ),
        (
            "a message that was refused for another key", "451 after",
            {
                var ledger = shared()
                ledger.attempts[2].code = 451
                ledger.attempts[2].messageID = nil
                return ledger
            }
        ),
        (
            "a login that waited for messages", "the checks before it explain",
            {
                var ledger = shared()
                ledger.logins[2].answeredAt = at(20_000)
                return ledger
            }
        ),
        (
            "a login that was refused", "login: 451",
            {
                var ledger = shared()
                ledger.logins[1].code = 451
                return ledger
            }
        ),
    ]

    /// Judges all histories; the exit status.
    static func run() -> Int32 {
        var wrong = 0
        let histories = histories + shares
        for history in histories {
            let violations = Balance(history.make()).violations
            let isRight =
                history.wrong.map { wanted in
                    violations.contains { $0.contains(wanted) }
                } ?? violations.isEmpty
            if isRight { continue }
            wrong += 1
            print("\(history.name): expected \(history.wrong ?? "nothing"), got \(violations)")
        }
        print("\(histories.count) histories, \(wrong) judged wrongly")
        return wrong == 0 ? 0 : 1
    }
}
