// The conversation with a server: every kind of fact, two relays that share them, and every fault.

import Reactor
import TestSupport
import Testing
import ValkeyModel

@testable import LedgerServer
@testable import Relay

private let id = Array("m1@api.test".utf8)

@Suite("The conversation with a server")
struct ServerTalkTests {
    @Test("The first relay brings the key, and the others take it; any cut of the replies will do")
    func key() {
        let first = TalkBench()
        first.open()
        guard case .opened(let key, let life)? = first.takeEffects().first else {
            Issue.record("not opened")
            return
        }
        #expect(key.text == ContentHash.Key(words: (1, 2, 3, 4)).text)
        for longest in 0...9 {
            let other = TalkBench(first.model, process: 5)
            other.longestPiece = longest
            other.open()
            guard case .opened(key: let its, life: life)? = other.takeEffects().first else {
                Issue.record("not opened")
                return
            }
            #expect(its.text == key.text)
        }
    }

    @Test("A scope without records is not asked about again, and one that had some neither")
    func lists() {
        let bench = TalkBench()
        bench.open()
        #expect(!bench.mayHold())
        bench.put(.accepted(messageID: id))
        bench.turn()
        #expect(bench.mayHold())
        bench.apply(.forget)
        bench.turn()
        #expect(!bench.mayHold())
        bench.put(.delivered(messageID: id), 2)
        bench.put(.tried, 3)
        bench.turn()
        #expect(bench.mayHold())
        bench.apply(.forget, 2)
        bench.turn()
        #expect(bench.mayHold())
        bench.apply(.forget, 3)
        bench.turn()
        #expect(!bench.mayHold())
        #expect(bench.model.names(at: bench.now.nanoseconds / 1_000_000) == ["postscale:key"])
    }

    @Test("What one relay recorded another is told, once", arguments: [0, 1, 5])
    func accepted(longest: Int) {
        let (one, two) = fleet()
        two.longestPiece = longest
        one.put(.accepted(messageID: id))
        one.turn()
        #expect(two.ask(1)?.whole == .accepted(messageID: id))
        // A third one, meanwhile, waits.
        let three = TalkBench(one.model, process: 3)
        three.open()
        guard case .pending? = three.ask(1)?.whole else {
            Issue.record("told twice")
            return
        }
        // The same relay knows that it is being told; after a moment it is another message.
        #expect(two.ask(1)?.whole == .pending(submission: 0))
        two.wait(2_000)
        #expect(two.ask(1) == LedgerAnswer(recipients: []))
        two.apply(.forget)
        two.turn()
        #expect(three.ask(1)?.whole == nil)
    }

    @Test("Who tells it dies: after two minutes another relay is told")
    func takerDies() {
        let (one, two) = fleet()
        one.put(.accepted(messageID: id), seconds: 600)
        one.turn()
        #expect(two.ask(1)?.whole == .accepted(messageID: id))
        let three = TalkBench(one.model, process: 3, at: one.now)
        three.open()
        three.wait(119_000)
        #expect(three.ask(1)?.whole != .accepted(messageID: id))
        three.wait(2_000)
        #expect(three.ask(1)?.whole == .accepted(messageID: id))
    }

    @Test("An acceptance that is put again is told again")
    func givenBack() {
        let (one, two) = fleet()
        one.put(.accepted(messageID: id))
        one.turn()
        #expect(two.ask(1)?.whole == .accepted(messageID: id))
        two.put(.accepted(messageID: id))
        two.turn()
        #expect(one.ask(1)?.whole == .accepted(messageID: id))
    }

    @Test("A lease is seen at any relay, until its message has its answer")
    func lease() {
        let (one, two) = fleet()
        one.put(.pending(submission: 0xAB))
        one.turn()
        #expect(two.mayHold())
        #expect(two.ask(1)?.whole == .pending(submission: 0xAB))
        one.put(.accepted(messageID: id))
        one.turn()
        #expect(two.ask(1)?.whole == .accepted(messageID: id))
        two.apply(.forget)
        two.turn()
        #expect(!one.mayHold())
    }

    @Test("A lease is ended by who holds it, and by nobody else")
    func settle() {
        let (one, two) = fleet()
        one.put(.pending(submission: 1))
        one.turn()
        two.put(.pending(submission: 2))
        two.turn()
        two.apply(.settle(submission: 2))
        two.turn()
        #expect(two.ask(1)?.whole == .pending(submission: 1))
        one.apply(.settle(submission: 1))
        one.turn()
        #expect(two.ask(1)?.whole == nil)
        // Before the server has said that it is held.
        one.put(.pending(submission: 3))
        one.apply(.settle(submission: 3))
        one.turn()
        #expect(two.ask(1)?.whole == nil)
        #expect(!two.mayHold())
    }

    @Test("A lease that nobody ends is over by itself")
    func leaseEnds() {
        let bench = TalkBench()
        bench.open()
        bench.put(.pending(submission: 1), seconds: 20)
        bench.turn()
        bench.wait(20_001)
        #expect(bench.ask(1)?.whole == nil)
    }

    @Test("Recipients have their own records, in the order of the question, and keep them")
    func recipients() {
        let (one, two) = fleet()
        one.put(.delivered(messageID: id), 1)
        one.put(.refused(.suppressed), 2)
        one.put(.tried, 3)
        one.turn()
        for _ in 0..<2 {
            let answer = two.ask(9, [4, 3, 2, 1])
            #expect(answer?.whole == nil)
            #expect(
                answer?.recipients.map { $0?.fact }
                    == [nil, .tried, .refused(.suppressed), .delivered(messageID: id)])
        }
        // What is surer stays.
        two.put(.tried, 1)
        two.turn()
        #expect(one.ask(nil, [1])?.recipients.first??.fact == .delivered(messageID: id))
    }

    @Test("Records end by the server's clock, and a change that came too late is none")
    func ends() {
        let bench = TalkBench()
        bench.open()
        bench.put(.delivered(messageID: id), 1, seconds: 900)
        bench.put(.delivered(messageID: id), 2, seconds: 0)
        bench.turn()
        bench.wait(899_000)
        #expect(bench.ask(nil, [1, 2])?.recipients.map { $0 != nil } == [true, false])
        bench.wait(1_001)
        #expect(bench.ask(nil, [1])?.recipients == [nil])
    }

    @Test("A question about a scope that is being asked about waits for that answer")
    func joined() {
        let bench = TalkBench()
        bench.open()
        _ = bench.talk.inquire(scope, at: bench.now)
        #expect(bench.ask(1) == .nothing)
        #expect(!bench.model.commands.contains { $0.first == "MGET" })
        bench.put(.accepted(messageID: id))
        bench.turn()
        _ = bench.talk.inquire(scope, at: bench.now)
        #expect(bench.ask(1)?.whole == .accepted(messageID: id))
    }

    @Test("A barrier is passed when everything before it is written")
    func barrier() {
        let bench = TalkBench()
        bench.open()
        #expect(!bench.barrier(1))
        bench.put(.delivered(messageID: id))
        #expect(bench.barrier(2))
        #expect(passed(bench).isEmpty)
        bench.turn()
        #expect(passed(bench) == [2])
        #expect(bench.talk.waitingChanges == 0)
    }

    // MARK: Faults

    @Test(
        "A server that will not work with us is left, with its words",
        arguments: [
            ("-LOADING Redis is loading the dataset in memory\r\n", "LOADING"),
            ("-NOAUTH Authentication required.\r\n", "NOAUTH"),
            ("-NOPERM this user has no permissions\r\n", "NOPERM"),
            ("-BUSY Redis is busy running a script.\r\n", "BUSY"),
            ("HTTP/1.1 400 Bad Request\r\n", "RESP"), ("220 mail ESMTP\r\n", "RESP"),
            (":1\r\n:2\r\n", "key"), ("+OK\r\n$5\r\nhello\r\n", "no relay's"),
            ("+OK\r\n$-1\r\n", "keeps no key"), ("+OK\r\n+OK\r\n+OK\r\n", "keeps no key"),
        ])
    func refusals(_ reply: String, _ words: String) {
        let bench = TalkBench()
        bench.talk.opened(life: 1, at: bench.now, wallClock: 0)
        bench.lose()
        bench.deliver(Array(reply.utf8))
        let reason = bench.brokenReason
        #expect(reason?.contains(words) == true, "\(reason ?? "none")")
        #expect(!bench.talk.isOpen)
    }

    @Test("User and password: right, wrong, missing, and not asked for")
    func password() {
        let model = ValkeyModel()
        model.password = Array("s3cret".utf8)
        func bench(_ password: String) -> TalkBench {
            let bench = TalkBench(model) {
                $0.user = Array("relay".utf8)
                $0.password = Array(password.utf8)
                $0.database = 3
            }
            bench.open()
            return bench
        }
        #expect(bench("s3cret").talk.isOpen)
        #expect(bench("wrong").brokenReason?.hasPrefix("WRONGPASS") == true)
        #expect(bench("").brokenReason?.hasPrefix("NOAUTH") == true)
        model.password = []
        #expect(bench("s3cret").brokenReason?.hasPrefix("ERR AUTH") == true)
    }

    @Test("A secret of the fleet: the same, another, and none")
    func secret() {
        let model = ValkeyModel()
        func bench(_ secret: String) -> TalkBench {
            let bench = TalkBench(model) { $0.hasSecret = !secret.isEmpty }
            if !secret.isEmpty {
                bench.talk.useKey(ContentHash.Key(secret: Array(secret.utf8)))
            }
            bench.open()
            return bench
        }
        #expect(bench("one").talk.isOpen)
        #expect(bench("one").talk.isOpen)
        #expect(bench("two").brokenReason == "the fleet has another secret")
        #expect(bench("").brokenReason == "the fleet has a secret, and this relay has none")
        model.lose()
        #expect(bench("").talk.isOpen)
        #expect(bench("one").brokenReason == "the fleet has no secret, and this relay has one")
    }

    @Test(
        "A server that takes no writes is still asked, and gets them when it takes them again",
        arguments: [ValkeyModel.Condition.full, .replica])
    func readOnly(_ condition: ValkeyModel.Condition) {
        let (one, two) = fleet()
        one.put(.accepted(messageID: id), 1)
        one.turn()
        one.model.condition = condition
        one.put(.accepted(messageID: id), 2)
        one.turn()
        #expect(one.talk.refusal != nil)
        #expect(one.talk.waitingChanges == 1)
        one.put(.delivered(messageID: id), 3)
        one.turn()
        #expect(one.talk.waitingChanges == 2)
        #expect(!one.barrier(1))
        // The other relay learns of it when it tries to keep others from what it tells.
        #expect(two.ask(1)?.whole == .accepted(messageID: id))
        #expect(two.talk.refusal != nil)
        one.model.condition = .good
        one.beat()
        one.turn()
        one.turn()
        #expect(one.talk.refusal == nil)
        #expect(one.talk.waitingChanges == 0)
        #expect(two.ask(2)?.whole == .accepted(messageID: id))
        #expect(two.ask(nil, [3])?.recipients.first??.fact == .delivered(messageID: id))
    }

    @Test("A server that is full when it is reached, with and without its key")
    func fullAtFirst() {
        let model = ValkeyModel()
        model.condition = .full
        let bench = TalkBench(model)
        bench.open()
        #expect(bench.brokenReason?.hasPrefix("OOM") == true)
        bench.close()
        model.condition = .good
        bench.open()
        bench.close()
        model.condition = .full
        bench.open()
        #expect(bench.talk.isOpen)
        #expect(bench.talk.refusal?.hasPrefix("OOM") == true)
    }

    @Test("A change that was refused does not come back over one that was taken after it")
    func refusedAndOutdated() {
        let bench = TalkBench()
        bench.open()
        bench.model.condition = .full
        bench.put(.accepted(messageID: id))
        bench.apply(.forget)
        bench.turn()
        bench.model.condition = .good
        bench.beat()
        bench.turn()
        #expect(bench.talk.waitingChanges == 0)
        #expect(bench.ask(1)?.whole == nil)
    }

    @Test("What was under way when the server went is written when it is back")
    func gone() {
        let bench = TalkBench()
        bench.open()
        bench.put(.accepted(messageID: id), 1)
        bench.put(.pending(submission: 5), 2)
        #expect(bench.barrier(1))
        let question = bench.talk.lookUp(
            LedgerQuestion(scope: scope, whole: digest(1), recipients: []), at: bench.now)
        let ticket = bench.talk.inquire(scope, at: bench.now)
        bench.lose()
        bench.close()
        let effects = bench.takeEffects()
        #expect(
            effects.contains {
                if case .answered(question, nil) = $0 { true } else { false }
            })
        #expect(
            effects.contains { if case .passed(barrier: 1) = $0 { true } else { false } })
        #expect(bench.talk.mayHold(ticket))
        bench.put(.delivered(messageID: id), 3)
        #expect(bench.talk.waitingChanges == 3)
        bench.open()
        bench.turn()
        #expect(bench.talk.waitingChanges == 0)
        let other = TalkBench(bench.model, process: 2)
        other.open()
        #expect(other.ask(1)?.whole == .accepted(messageID: id))
        #expect(other.ask(2)?.whole == .pending(submission: 5))
        #expect(other.ask(nil, [3])?.recipients.first??.fact == .delivered(messageID: id))
    }

    @Test("Many changes that wait are written in portions")
    func portions() {
        let bench = TalkBench { $0.batchChanges = 10 }
        for number in 1...95 { bench.put(.delivered(messageID: id), UInt64(number)) }
        bench.longestPiece = 50
        bench.open()
        bench.turn()
        #expect(bench.talk.waitingChanges == 0)
        #expect(bench.model.names(at: 0).count == 95 + 2)
    }

    @Test("A silent server is slow after the patience, and gone after a second")
    func silence() {
        let bench = TalkBench()
        bench.open()
        _ = bench.talk.inquire(scope, at: bench.now)
        #expect(!bench.talk.isSlow(at: bench.now))
        bench.wait(40)
        #expect(bench.talk.isSlow(at: bench.now))
        #expect(bench.talk.silenceEnd == bench.now.advanced(byMilliseconds: 960))
        // Changes wait; nothing is added to what the server owes.
        bench.put(.accepted(messageID: id))
        #expect(bench.talk.waitingChanges == 1)
        bench.turn()
        #expect(!bench.talk.isSlow(at: bench.now))
        bench.turn()
        #expect(bench.talk.waitingChanges == 0)
        _ = bench.talk.inquire(scope, at: bench.now)
        bench.wait(1_000)
        bench.talk.silent(at: bench.now)
        bench.collect()
        #expect(bench.brokenReason == "no answer for 1000 ms")
    }

    @Test("A server that has lost its data is noticed, by a beat and by a new connection")
    func reborn() {
        let bench = TalkBench()
        bench.open()
        guard case .opened(_, let life)? = bench.takeEffects().first else {
            Issue.record("not opened")
            return
        }
        bench.model.lose()
        bench.beat()
        bench.turn()
        #expect(
            bench.takeEffects().contains {
                if case .reborn(life: 0xB) = $0 { true } else { false }
            })
        let other = TalkBench(bench.model, process: 2)
        other.open()
        guard case .opened(_, let again)? = other.takeEffects().first else {
            Issue.record("not opened")
            return
        }
        #expect(again == 0xB)
        #expect(again != life)
        let restored = LedgerChange(
            .put(.accepted(messageID: id), until: bench.now.advanced(byMilliseconds: 9_000)),
            scope: scope, digest: digest(1))
        bench.talk.restore([restored], at: bench.now)
        bench.turn()
        #expect(other.ask(1)?.whole == .accepted(messageID: id))
    }

    // MARK: The fleet

    @Test("News are read once, by all but who told them")
    func news() {
        let model = ValkeyModel()
        let benches = (1...3).map { TalkBench(model, process: UInt64($0), readsNews: true) }
        for bench in benches { bench.open() }
        let name = ContentDigest(high: 1, low: 2)
        benches[0].talk.tell(.keyForgotten(name), at: benches[0].now)
        benches[0].turn()
        for (number, bench) in benches.enumerated() {
            for round in 0..<2 {
                bench.wait(1_000)
                bench.beat()
                bench.turn()
                let heard = bench.takeEffects().flatMap { effect in
                    if case .heard(let news) = effect { news } else { [FleetNews]() }
                }
                #expect(heard == (number > 0 && round == 0 ? [.keyForgotten(name)] : []))
            }
        }
    }

    @Test("A server without streams, or without the right to them, keeps the records all the same")
    func noNews() {
        let bench = TalkBench(readsNews: true)
        bench.talk.opened(life: 1, at: bench.now, wallClock: 0)
        bench.lose()
        let key = "1 \(ContentHash.Key(words: (1, 2, 3, 4)).text) 0000000000000001"
        bench.deliver(Array("+OK\r\n$\(key.utf8.count)\r\n\(key)\r\n".utf8))
        bench.lose()
        bench.deliver(Array("-NOPERM no permission to run 'xread'\r\n".utf8))
        #expect(bench.talk.isOpen)
        #expect(
            bench.takeEffects().contains {
                if case .newsRefused = $0 { true } else { false }
            })
    }

    // MARK: Helpers

    private func fleet() -> (TalkBench, TalkBench) {
        let one = TalkBench(process: 1)
        one.open()
        let two = TalkBench(one.model, process: 2)
        two.open()
        _ = one.takeEffects()
        _ = two.takeEffects()
        return (one, two)
    }

    private func passed(_ bench: TalkBench) -> [Int] {
        bench.takeEffects().compactMap { effect in
            if case .passed(let barrier) = effect { barrier } else { nil }
        }
    }
}
