// Questions about keys: asked once for all sessions that wait, and what the answers mean.

import Reactor
import TestSupport
import Testing

@testable import APIClient
@testable import Relay

@Suite("Key checker")
struct KeyCheckerTests {
    final class Asker: KeyCheckOwner {
        var verdicts: [KeyVerdict] = []
        override func keyChecked(_ verdict: KeyVerdict) { verdicts.append(verdict) }
    }

    private let peer = SocketAddress("192.0.2.1:1")!

    @Test("A network with many questions delays another's by a few")
    func networksTakeTurns() throws {
        let bench = Bench()
        var askedBefore: Int?
        var count = 0
        let server = try ScriptedServer(bench.loop) { peer in
            while peer.step < peer.requests.count {
                if peer.requests[peer.step].head.contains("Bearer good\r\n") { askedBefore = count }
                peer.step += 1
                count += 1
                peer.send("HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n{}")
            }
        }
        let pool = bench.pool([server.address])
        let checker = KeyChecker(
            loop: bench.loop,
            cache: KeyCache(
                options: KeyOptions(), questionMillisecondsMax: pool.options.timeoutMilliseconds),
            pool: pool)
        let crowd = (0..<300).map { _ in Asker() }
        for (number, asker) in crowd.enumerated() {
            #expect(checker.check(APIKey(text: "k\(number)"), for: asker, at: peer) == nil)
        }
        let other = Asker()
        let elsewhere = try #require(SocketAddress("198.51.100.1:1"))
        #expect(checker.check(APIKey(text: "good"), for: other, at: elsewhere) == nil)
        bench.turn { crowd.allSatisfy { $0.verdicts.count == 1 } && other.verdicts.count == 1 }
        #expect(try #require(askedBefore) < 20)
        #expect(count == 301)
    }

    @Test("Networks take turns, and one has at most as many places as are free")
    func line() {
        var line = QuestionLine()
        let networks = ["192.0.2.1:1", "198.51.100.1:1", "[2001:db8::1]:1"]
            .map { Network(of: SocketAddress($0)!) }
        var names: [APIKey.Hash: String] = [:]
        func add(_ text: String, _ network: Int) -> Bool {
            let question = KeyQuestion(key: APIKey(text: text), deadline: .never)
            names[question.key.hash] = text
            return line.add(question, of: networks[network])
        }
        func next() -> String? { line.next().flatMap { names[$0.key.hash] } }
        #expect(next() == nil)
        let added = (0..<QuestionLine.countMax).filter { add("a\($0)", 0) }
        #expect(added.count == QuestionLine.countMax / 2)
        #expect(add("b0", 1) && add("c0", 2) && add("c1", 2))
        var order: [String] = []
        while let name = next() { order.append(name) }
        #expect(order.prefix(6) == ["a0", "b0", "c0", "a1", "c1", "a2"])
        #expect(order.count == added.count + 3 && line.isEmpty)
        #expect(order.filter { $0.hasPrefix("a") } == added.map { "a\($0)" })
        #expect(add("b1", 1) && next() == "b1")
    }

    @Test("A key is asked about once, for all sessions that wait, and then known")
    func singleFlight() throws {
        let bench = Bench()
        let server = try ScriptedServer(bench.loop) { peer in
            while peer.step < peer.requests.count {
                let isGood = peer.requests[peer.step].head.contains("Bearer good\r\n")
                peer.step += 1
                let body = isGood ? "{}" : #"{"error":"no"}"#
                peer.send(
                    "HTTP/1.1 \(isGood ? 200 : 401) X\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                        + body)
            }
        }
        let pool = bench.pool([server.address])
        let cache = KeyCache(
            options: KeyOptions(), questionMillisecondsMax: pool.options.timeoutMilliseconds)
        let checker = KeyChecker(loop: bench.loop, cache: cache, pool: pool)
        for (text, verdict) in [("good", KeyVerdict.valid), ("bad", .refused)] {
            let askers = [Asker(), Asker(), Asker()]
            for asker in askers {
                #expect(checker.check(APIKey(text: text), for: asker, at: peer) == nil)
            }
            checker.cancel(askers[1])
            bench.turn { askers[0].verdicts.count == 1 && askers[2].verdicts.count == 1 }
            #expect(askers.map { $0.verdicts } == [[verdict], [], [verdict]])
            #expect(checker.check(APIKey(text: text), for: askers[0], at: peer) == verdict)
        }
        #expect(server.requestCount == 2)
        #expect(checker.check(APIKey(text: "a b"), for: Asker(), at: peer) == .refused)
    }

    @Test("An API that can't be asked says nothing about the key")
    func unavailable() throws {
        let bench = Bench()
        let pool = bench.pool([SocketAddress("127.0.0.1:1")!])
        let checker = KeyChecker(
            loop: bench.loop,
            cache: KeyCache(
                options: KeyOptions(), questionMillisecondsMax: pool.options.timeoutMilliseconds),
            pool: pool)
        let asker = Asker()
        #expect(checker.check(APIKey(text: "k"), for: asker, at: peer) == nil)
        bench.turn { asker.verdicts.count == 1 }
        guard case .unavailable(let reason) = asker.verdicts.first else {
            Issue.record("\(asker.verdicts)")
            return
        }
        #expect(reason == "no address of the API is usable")
    }

    @Test(
        "A key check tells keys from outages",
        arguments: [
            (200, KeyVerdict.valid), (401, .refused), (403, .valid), (429, .valid),
            (404, .unavailable(reason: "status 404")), (500, .unavailable(reason: "status 500")),
            (302, .unavailable(reason: "status 302")),
        ])
    func keyVerdict(_ status: Int, _ verdict: KeyVerdict) {
        let response = APIResponse(
            status: status, requestIDBytes: [], retryAfterSeconds: nil,
            body: Array(#"{"error":"x"}"#.utf8))
        #expect(KeyVerdict(.response(response)) == verdict)
        for body in ["<html>", #"{"message":"x"}"#, "", #"{"error":null}"#] where status != 200 {
            let foreign = APIResponse(
                status: status, requestIDBytes: [], retryAfterSeconds: nil,
                body: Array(body.utf8))
            // A 5xx or a redirect says nothing about a key, with or without words of the API.
            let whose = foreign.isForeign ? ", not from the API" : ""
            #expect(
                KeyVerdict(.response(foreign)) == .unavailable(reason: "status \(status)\(whose)"),
                "\(body)")
            if (400...499).contains(status) { #expect(foreign.isForeign) }
        }
        #expect(KeyVerdict(.notSent(reason: "why")) == .unavailable(reason: "why"))
        #expect(
            KeyVerdict(.uncertain(reason: "why", requestID: "")) == .unavailable(reason: "why"))
    }
}
