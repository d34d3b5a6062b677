import Glibc
import Reactor
import TestSupport
import Testing

@testable import Perf

@Suite(.serialized, .timeLimit(.minutes(1))) struct LoadSessionTests {
    private func plan(_ server: SinkServer) -> LoadPlan {
        var plan = LoadPlan(server: server.address)
        plan.security = .plain
        plan.password = "secret"
        plan.connections = 4
        plan.messagesPerConnection = 7
        plan.messages = 50
        plan.warmUpMessages = 10
        return plan
    }

    private func run(
        _ server: SinkServer, _ plan: LoadPlan, isIdle: Bool = false
    ) throws -> LoadResult {
        let session = try LoadSession(
            plan: plan, meter: ServerMeter(.processes([getpid()])), isIdle: isIdle,
            backend: testBackend)
        // The server ends with its last owner.
        return try withExtendedLifetime(server) {
            try session.result(target: "sink", workload: "test")
        }
    }

    @Test(arguments: [false, true], [1, 3])
    func `A closed loop sends the given number of messages`(
        isPipelining: Bool, recipients: Int
    ) throws {
        let server = try SinkServer()
        var plan = plan(server)
        plan.isPipelining = isPipelining
        plan.recipients = recipients
        let result = try run(server, plan)
        #expect(result.failures.isEmpty)
        #expect(result.messages == 50)
        #expect(result.message?.count == 50)
        #expect(result.bytes > 50 * 4_000)
        #expect(result.server?.processes ?? 0 >= 1)
    }

    @Test func `No measured message begins before the warm-up is over`() throws {
        let server = try SinkServer()
        var plan = plan(server)
        plan.messagesPerConnection = 1
        let result = try run(server, plan)
        #expect(result.messages == 50)
        // Each measured message came over its own connection, opened after the warm-up.
        #expect(result.login?.count == 50)
    }

    @Test func `An open loop takes as long as its rate demands`() throws {
        let server = try SinkServer()
        var plan = plan(server)
        plan.ratePerSecond = 200
        let result = try run(server, plan)
        #expect(result.failures.isEmpty)
        #expect(result.messages == 50)
        #expect(result.seconds > 0.2)
    }

    @Test func `A duration ends a run, with messages of several sizes`() throws {
        let server = try SinkServer()
        var plan = plan(server)
        plan.durationMilliseconds = 1_500
        plan.mix = try #require(MessageMix("1k:9,100k:1"))
        let result = try run(server, plan)
        #expect(result.failures.isEmpty)
        #expect(result.messages > 0)
        #expect((1.4...8).contains(result.seconds))
        #expect(!result.samples.isEmpty)
    }

    @Test func `Company accompanies the load, and leaves when the load ends`() throws {
        let server = try SinkServer()
        var plan = plan(server)
        plan.durationMilliseconds = 500
        plan.company = Company(idle: 60, slow: 2, slowBytesPerSecond: 40_960, vanishing: 2)
        let result = try run(server, plan)
        #expect(result.failures.isEmpty)
        #expect(result.vanishedClients > 0)
        #expect(result.slowMessages > 0)
    }

    @Test func `Idle connections are measured without a message`() throws {
        let server = try SinkServer()
        var plan = plan(server)
        plan.connections = 0
        plan.company.idle = 120
        let result = try run(server, plan, isIdle: true)
        #expect(result.failures.isEmpty)
        #expect(result.server?.memoryPerConnection != nil)
        #expect(result.messages == 0)
    }

    @Test func `A server that refuses everything ends the run, counted by its reply`() throws {
        let server = try SinkServer(.refuses)
        let result = try run(server, plan(server))
        #expect(result.messages == 0)
        #expect(result.failures["reply 451"] ?? 0 > 0)
    }

    @Test func `Messages whose connection is lost count as failed`() throws {
        let server = try SinkServer(.hangsUp)
        let result = try run(server, plan(server))
        #expect(result.messages == 0)
        #expect(result.failures.contains { $0.key.hasPrefix("closed") })
    }
}

@Suite struct ReplyReaderTests {
    @Test(arguments: [
        ("250 ok\r\n", [250]), ("250-a\r\n250-b\r\n250 c\r\n", [250]),
        ("220 a\r\n354 b\r\n", [220, 354]), ("250\r\n", [250]), ("250-more\r\n", []),
    ])
    func `A reply ends with its last line`(text: String, codes: [Int]) {
        var reader = ReplyReader()
        #expect(text.utf8.compactMap { reader.take($0) } == codes)
    }

    @Test(arguments: [
        ([UInt8](), ""), (Array("a".utf8), "YQ=="), (Array("ab".utf8), "YWI="),
        (Array("abc".utf8), "YWJj"), ([0, 255, 0, 255], "AP8A/w=="),
    ])
    func `Credentials are encoded with their padding`(bytes: [UInt8], text: String) {
        #expect(base64(bytes) == text)
    }
}
