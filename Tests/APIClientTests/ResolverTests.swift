// Questions and answers of name resolution, with a name service that answers when the test says.

import Reactor
import Testing

@testable import APIClient

/// Answers when the test says so.
private final class ScriptedNames: NameService, @unchecked Sendable {
    private(set) var questions: [(inquirer: any NameInquirer, number: Int)] = []

    func lookUp(
        host: String, port: UInt16, on loop: Loop, question: Int, for inquirer: any NameInquirer
    ) {
        questions.append((inquirer, question))
    }

    func answer(_ answer: NameAnswer) {
        let question = questions.removeFirst()
        question.inquirer.answered(answer, to: question.number)
    }
}

private final class Owner: ResolverOwner {
    private(set) var found: [[SocketAddress]] = []
    private(set) var failures: [String] = []

    func resolved(_ addresses: [SocketAddress]) { found.append(addresses) }
    func resolutionFailed(_ reason: String) { failures.append(reason) }
}

@Suite("Name resolution")
struct ResolverTests {
    private let loop: Loop
    private let names = ScriptedNames()
    private let owner = Owner()
    private let address = SocketAddress(ipv4: 0x7F00_0001, port: 443)

    init() throws { loop = try Loop(index: 0, backend: .epoll) }

    private func resolver(host: String = "api.test", ttl: Int = 20) -> Resolver {
        let endpoint = APIEndpoint(
            isTLS: true, host: host, port: 443, basePath: "", authority: host)
        return Resolver(
            loop: loop, endpoint: endpoint, ttlMilliseconds: ttl, names: names, owner: owner)
    }

    private func waitForQuestion() {
        while names.questions.isEmpty { loop.tick() }
    }

    @Test("asks, tells, and asks again after the TTL; it tells a failure too")
    func asksAgain() {
        let resolver = resolver()
        resolver.start()
        names.answer(.addresses([address]))
        #expect(owner.found == [[address]])
        waitForQuestion()
        names.answer(.failed("no such name"))
        #expect(owner.failures == ["no such name"])
        waitForQuestion()
        names.answer(.addresses([]))
        #expect(owner.failures == ["no such name", "no address"])
        resolver.stop()
    }

    @Test("an answer that comes after the end is dropped")
    func late() {
        let resolver = resolver()
        resolver.start()
        resolver.stop()
        names.answer(.addresses([address]))
        #expect(owner.found.isEmpty)
    }

    @Test("an address literal needs no question")
    func literal() {
        let resolver = resolver(host: "127.0.0.1")
        resolver.start()
        #expect(names.questions.isEmpty)
        #expect(owner.found == [[address]])
    }
}
