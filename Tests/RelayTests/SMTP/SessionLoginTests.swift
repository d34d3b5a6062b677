// AUTH on the machine: exchanges, refusals, and what guessing costs.

import Reactor
import Testing
import Wire

@testable import Relay

@Suite("Session machine: logins")
struct SessionLoginTests {
    @Test("A login succeeds with PLAIN and with LOGIN", arguments: ["PLAIN", "LOGIN"])
    func succeeds(_ mechanism: String) {
        var bench = SessionMachineBench(.tls)
        #expect(bench.logIn(.valid, with: mechanism) == .logIn)
        #expect(bench.machine.login.isAuthenticated)
    }

    @Test("An initial response is read with the command")
    func initialResponse() {
        var bench = SessionMachineBench(.tls)
        #expect(bench.line("AUTH PLAIN abcd") == .readResponse(11..<15, .plain))
        bench = SessionMachineBench(.tls)
        #expect(bench.line("AUTH LOGIN dXNlcg==") == .readResponse(11..<19, .loginUsername))
        #expect(bench.response(.username) == .reply(.passwordPrompt))
        #expect(bench.line("a2V5") == .readResponse(0..<4, .loginPassword))
    }

    static let refusals: [(SASLResponse, Reply)] = [
        (.cancelled, .authCancelled),
        (.badBase64, .badBase64),
        (.badFormat, .badAuthFormat),
        (.wrongUsername(fingerprint: 1), .badUsername),
        (.unusableKey(fingerprint: 1), .authFailed),
    ]

    @Test("A response that is no good is refused", arguments: refusals)
    func refuses(_ response: SASLResponse, _ reply: Reply) {
        var bench = SessionMachineBench(.tls)
        _ = bench.line("AUTH PLAIN")
        _ = bench.line("response")
        #expect(bench.response(response) == .reply(reply))
        #expect(bench.line("NOOP") == .reply(.ok))
        #expect(bench.logIn(.valid, fingerprint: 2) == .logIn)
    }

    @Test("While the key is checked nothing is read")
    func waits() {
        var bench = SessionMachineBench(.tls)
        _ = bench.line("AUTH PLAIN")
        _ = bench.line("response")
        #expect(bench.response(.key(fingerprint: 1)) == .checkKey)
        #expect(!bench.machine.acceptsInput)
    }

    @Test("The third failed login closes the session; each answer comes later than the last")
    func failures() {
        var bench = SessionMachineBench(.tls)
        #expect(bench.logIn(.refused, fingerprint: 1) == .reply(.authFailed))
        #expect(bench.logIn(.refused, fingerprint: 2) == .none)
        #expect(!bench.machine.acceptsInput)
        #expect(bench.machine.deadline == bench.now.advanced(byMilliseconds: 1_000))
        #expect(bench.timeOut() == .reply(.authFailed))
        #expect(bench.logIn(.refused, fingerprint: 3) == .none)
        #expect(bench.machine.deadline == bench.now.advanced(byMilliseconds: 2_000))
        #expect(bench.timeOut() == .close(.tooManyFailedLogins))
    }

    @Test("PLAIN and then LOGIN with the same key is one failure, once")
    func repetition() {
        var bench = SessionMachineBench(.tls)
        _ = bench.logIn(.refused, with: "PLAIN")
        #expect(bench.logIn(.refused, with: "LOGIN") == .reply(.authFailed))
        #expect(bench.machine.login.failures == 1)
        #expect(bench.logIn(.refused, with: "PLAIN") == .none)
        #expect(bench.machine.login.failures == 2)
    }

    @Test("The same mechanism with the same key is another failure")
    func sameMechanism() {
        var bench = SessionMachineBench(.tls)
        _ = bench.logIn(.refused)
        _ = bench.logIn(.refused)
        #expect(bench.machine.login.failures == 2)
    }

    @Test(
        "An address that has failed too often elsewhere hears the end before its key is looked at")
    func turnedAway() {
        var bench = SessionMachineBench(.tls)
        _ = bench.line("AUTH PLAIN")
        _ = bench.line("response")
        #expect(bench.response(.key(fingerprint: 1)) == .checkKey)
        #expect(bench.machine.loginTurnedAway() == .close(.tooManyFailedLogins))
        #expect(bench.keyChecked(.valid) == .none)
    }

    @Test("An address whose last failure was one too many hears the end at once")
    func turnedAwayByLastFailure() {
        var bench = SessionMachineBench(.tls)
        bench.mayTryAgain = false
        #expect(bench.logIn(.refused) == .close(.tooManyFailedLogins))
    }

    @Test("A refused login counts for its address, except when it repeats the last one")
    func counted() {
        var bench = SessionMachineBench(.tls)
        for (mechanism, isCounted) in [("PLAIN", true), ("LOGIN", false), ("PLAIN", true)] {
            _ = bench.line("AUTH \(mechanism)")
            if mechanism == "LOGIN" {
                _ = bench.line("user")
                _ = bench.response(.username)
            }
            _ = bench.line("response")
            _ = bench.response(.key(fingerprint: 1))
            #expect(
                bench.machine.keyChecked(.refused, at: bench.now)
                    == .noteRefusal(.key, isCounted: isCounted))
            _ = bench.machine.refusalNoted(mayTryAgain: true, at: bench.now)
            if !bench.machine.acceptsInput { _ = bench.timeOut() }
        }
    }

    @Test("An outage is never counted")
    func outage() {
        var bench = SessionMachineBench(.tls)
        for _ in 0..<10 {
            #expect(bench.logIn(.unavailable(reason: "status 500")) == .reply(.authUnavailable))
        }
        #expect(bench.machine.login.failures == 0 && bench.machine.errors == 0)
    }

    @Test("A client that goes on to MAIL although its login was put off is put off too")
    func mailBehindOutage() {
        var bench = SessionMachineBench(.tls)
        _ = bench.logIn(.unavailable(reason: "status 500"))
        #expect(bench.line("MAIL FROM:<a@b.example>") == .reply(.authUnavailable))
        #expect(bench.machine.errors == 0 && !bench.machine.transaction.hasSender)
        _ = bench.logIn(.refused)
        #expect(bench.line("MAIL FROM:<a@b.example>") == .reply(.logInAgain))
    }

    @Test("An answer about the key that never comes is an outage")
    func unanswered() {
        var bench = SessionMachineBench(.tls)
        _ = bench.line("AUTH PLAIN")
        _ = bench.line("response")
        _ = bench.response(.key(fingerprint: 1))
        #expect(bench.timeOut() == .giveUp(.authUnavailable))
        #expect(bench.line("MAIL FROM:<a@b.example>") == .reply(.authUnavailable))
        #expect(bench.keyChecked(.valid) == .none)
        #expect(!bench.machine.login.isAuthenticated)
    }

    @Test("A key that the API refuses while sending logs the session out")
    func loggedOut() {
        var bench = SessionMachineBench(.outcome)
        #expect(
            bench.machine.outcome(.logInAgain, isKeyRefused: true, at: bench.now)
                == .reply(.logInAgain))
        #expect(bench.line("MAIL FROM:<a@b>") == .reply(.logInAgain))
        #expect(bench.line("MAIL FROM:<a@b>") == .reply(.logInAgain))
        #expect(bench.logIn(.refused) == .reply(.authFailed))
        #expect(bench.line("MAIL FROM:<a@b>") == .reply(.logInAgain))
        #expect(bench.logIn(.valid) == .logIn)
        guard case .beginMail = bench.line("MAIL FROM:<a@b>") else {
            Issue.record("MAIL after the login")
            return
        }
    }

    @Test("MAIL after a refused login is put off, and after none it is refused")
    func mailBehindRefusal() {
        var bench = SessionMachineBench(.tls)
        #expect(bench.line("MAIL FROM:<a@b>") == .reply(.authRequired))
        #expect(bench.logIn(.refused) == .reply(.authFailed))
        let errors = bench.machine.errors
        #expect(bench.line("MAIL FROM:<a@b>") == .reply(.logInAgain))
        #expect(bench.machine.errors == errors && !bench.machine.transaction.hasSender)
    }
}
