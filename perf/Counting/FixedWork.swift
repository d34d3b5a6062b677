// Work that is counted instead of timed: the same messages through the whole relay each time.
//
// One connection at a time, so that the turns of the loop hardly depend on the clock. The counts of
// a short run are subtracted from those of a long one, so the cost of starting falls away.

import Foundation
import Glibc

/// A fixed load in two lengths.
struct FixedWork: Sendable {
    private(set) var name: String
    let messageBytes: Int
    let messagesPerConnection: Int
    let shortCount: Int
    let longCount: Int
    /// Counts are given per megabyte instead of per message.
    let isPerMegabyte: Bool
    /// Connections at a time, and the keys that they log in with in turns.
    var connections = 1
    var keys = 1
    /// By BDAT and not by DATA.
    var isChunked = false

    /// Like W2: handshake, login and 100 messages of 4 KB.
    static let small = FixedWork(
        name: "W2", messageBytes: 4_096, messagesPerConnection: 100, shortCount: 100,
        longCount: 600, isPerMegabyte: false)
    /// Like W1: handshake, login and one message of 4 KB.
    static let single = FixedWork(
        name: "W1", messageBytes: 4_096, messagesPerConnection: 1, shortCount: 20,
        longCount: 120, isPerMegabyte: false)
    /// W2 for a relay that logs no messages.
    static var unlogged: FixedWork {
        FixedWork(
            name: "W2-unlogged", messageBytes: small.messageBytes,
            messagesPerConnection: small.messagesPerConnection, shortCount: small.shortCount,
            longCount: small.longCount, isPerMegabyte: false)
    }
    /// Like W3, with smaller messages that are still cut through.
    static let large = FixedWork(
        name: "W3", messageBytes: 4_000_000, messagesPerConnection: 2, shortCount: 2,
        longCount: 8, isPerMegabyte: true)

    /// W3 by BDAT.
    static var chunked: FixedWork {
        var work = FixedWork(
            name: "W3-BDAT", messageBytes: large.messageBytes,
            messagesPerConnection: large.messagesPerConnection, shortCount: large.shortCount,
            longCount: large.longCount, isPerMegabyte: true)
        work.isChunked = true
        return work
    }

    /// W2 over eight connections at a time, of one customer or of eight.
    static func shared(keys: Int) -> FixedWork {
        FixedWork(
            name: "W2-\(keys)-keys", messageBytes: 4_096, messagesPerConnection: 50,
            shortCount: 400, longCount: 2_000, isPerMegabyte: false, connections: 8, keys: keys)
    }

    /// The same work under a name that tells the API's HTTP/2.
    var overHTTP2: FixedWork {
        var work = self
        work.name += "-h2"
        return work
    }

    /// What the counts are divided by.
    var units: Double {
        let messages = Double(longCount - shortCount)
        return isPerMegabyte ? messages * Double(messageBytes) / 1_048_576 : messages
    }

    /// Sends `count` messages; every one must be accepted.
    func run(_ count: Int, against server: RunningServer) throws {
        var plan = LoadPlan(server: server.address)
        plan.security = server.security
        plan.caFile = server.caFile
        plan.password = "ps_test_perf"
        plan.keys = keys
        plan.connections = connections
        plan.messagesPerConnection = messagesPerConnection
        plan.mix = .fixed(bytes: messageBytes)
        plan.messages = count
        plan.isChunked = isChunked
        let result = try LoadSession(plan: plan, meter: nil)
            .result(target: "relay", workload: name)
        guard result.messages == count, result.failures.isEmpty else {
            throw ServerError("\(result.messages) of \(count) messages, \(result.failures)")
        }
    }
}

/// Instructions of the relay, counted by valgrind's callgrind: user space only, and each byte of a
/// `rep movsb` counts, so these are no processor's figures. But they repeat.
struct InstructionCount {
    let workspace: Workspace
    let relay: RelayTarget

    /// What prevents this from running here; nil when nothing does.
    static var obstacle: String? {
        ["valgrind", "strip"].first { Command.find($0) == nil }.map { "\($0) is not installed" }
    }

    /// Instructions per message or per megabyte: all of them, and those of the relay's own code and
    /// Swift's runtime.
    func count(_ work: FixedWork) throws -> (all: Double, own: Double) {
        let short = try costs(work, work.shortCount)
        let long = try costs(work, work.longCount)
        return (
            Double(long.total - short.total) / work.units,
            Double(long.own - short.own) / work.units
        )
    }

    private func costs(_ work: FixedWork, _ messages: Int) throws -> CallgrindCosts {
        let output = workspace.file("callgrind.\(work.name).\(messages)")
        unlink(output)
        var relay = relay
        relay.binary = try strippedRelay()
        relay.wrapper = [
            "valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=\(output)",
        ]
        let server = try relay.start(workspace)
        try work.run(messages, against: server)
        server.stop(secondsMax: 60)
        let costs = CallgrindCosts(try String(contentsOfFile: output, encoding: .utf8)) { object in
            object.hasSuffix("/" + Self.strippedName) || object.contains("/libswift")
        }
        guard let costs else { throw ServerError("callgrind wrote no total to \(output)") }
        return costs
    }

    private static let strippedName = "relay.stripped"

    /// valgrind cannot read the debugging information of today's compilers, so the copy has none.
    private func strippedRelay() throws -> String {
        let file = workspace.file(Self.strippedName)
        if access(file, X_OK) == 0 { return file }
        let strip = try ServerProcess(
            ["strip", "-g", "-o", file, relay.binary], log: workspace.file("strip.log"))
        guard strip.waitForEnd() == 0 else {
            throw ServerError("strip: \(ProcFiles.text(strip.log))")
        }
        return file
    }
}

/// Heap allocations of the relay, counted by a preloaded library.
struct AllocationCount {
    let workspace: Workspace
    let relay: RelayTarget
    /// allocations.c.
    let source: String

    private static var compiler: String? {
        ["cc", "gcc", "clang"].first { Command.find($0) != nil }
    }
    static var obstacle: String? { compiler == nil ? "no C compiler is installed" : nil }

    /// Allocations per message in steady state (no connection is opened or closed): ours, and
    /// OpenSSL's.
    func count() throws -> (own: Double, openSSL: Double) {
        let library = workspace.file("allocations.so")
        let compile = try ServerProcess(
            [AllocationCount.compiler ?? "cc", "-O2", "-shared", "-fPIC", "-o", library, source],
            log: workspace.file("cc.log"))
        guard compile.waitForEnd() == 0 else {
            throw ServerError("cc: \(ProcFiles.text(compile.log))")
        }
        let counts = workspace.file("allocations.counts")
        var relay = relay
        relay.environment = ["LD_PRELOAD": library, "RELAY_PERF_ALLOCATIONS": counts]
        let server = try relay.start(workspace)
        let work = FixedWork(
            name: "W2", messageBytes: 4_096, messagesPerConnection: 1_000_000, shortCount: 400,
            longCount: 2_400, isPerMegabyte: false)
        try work.run(1_000, against: server)
        let start = try read(counts)
        try work.run(work.shortCount, against: server)
        let middle = try read(counts)
        try work.run(work.longCount, against: server)
        let end = try read(counts)
        server.stop()
        // Both runs open one connection, so its cost falls away.
        func perMessage(_ index: Int) -> Double {
            Double((end[index] - middle[index]) - (middle[index] - start[index])) / work.units
        }
        return (perMessage(0), perMessage(1))
    }

    private func read(_ file: String) throws -> [Int] {
        let data = try Data(contentsOf: URL(fileURLWithPath: file))
        guard data.count >= 16 else { throw ServerError("\(file) holds no counts") }
        return [0, 8].map { place in
            data[place..<place + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
    }
}
