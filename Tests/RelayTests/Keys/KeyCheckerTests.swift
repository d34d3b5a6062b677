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
            for asker in askers { #expect(checker.check(APIKey(text: text), for: asker) == nil) }
            checker.cancel(askers[1])
            bench.turn { askers[0].verdicts.count == 1 && askers[2].verdicts.count == 1 }
            #expect(askers.map { $0.verdicts } == [[verdict], [], [verdict]])
            #expect(checker.check(APIKey(text: text), for: askers[0]) == verdict)
        }
        #expect(server.requestCount == 2)
        #expect(checker.check(APIKey(text: "a b"), for: Asker()) == .refused)
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
        #expect(checker.check(APIKey(text: "k"), for: asker) == nil)
        bench.turn { asker.verdicts.count == 1 }
        #expect(asker.verdicts == [.unavailable])
    }

    @Test(
        "A key check tells keys from outages",
        arguments: [
            (200, KeyVerdict.valid), (401, .refused), (403, .valid), (429, .valid),
            (404, .unavailable), (500, .unavailable), (302, .unavailable),
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
            #expect(KeyVerdict(.response(foreign)) == .unavailable, "\(body)")
        }
        #expect(KeyVerdict(.notSent(reason: "")) == .unavailable)
        #expect(KeyVerdict(.uncertain(reason: "", requestID: "")) == .unavailable)
    }
}
