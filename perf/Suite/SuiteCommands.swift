// `relay-perf suite` and `relay-perf compare`: the standard workloads against the relay only, and
// against the relay and its peers in turns.

import ArgumentParser
import Foundation

/// Flags of all commands that start servers themselves.
struct SuiteFlags: ParsableArguments {
    @Option(help: ArgumentHelp("The relay's program.", valueName: "file"))
    var relay = RelayTarget.defaultBinary

    @Option(
        help: ArgumentHelp(
            "More arguments for the relay, as one word: \"--backend io_uring\".", valueName: "text")
    )
    var relayArguments = ""

    @Option(help: ArgumentHelp("Workloads, separated by commas.", valueName: "names"))
    var only: String?

    @Option(help: ArgumentHelp("Factor on all numbers of messages.", valueName: "factor"))
    var scale = 1.0

    @Option(help: ArgumentHelp("Append each result as a line of JSON.", valueName: "file"))
    var output: String?

    @Flag(help: "Count instructions instead of CPU time, where the machine can.")
    var instructions = false

    func validate() throws {
        guard scale > 0 && scale <= 1_000 else { throw ValidationError("--scale: 0 to 1000.") }
    }

    func runner() throws -> WorkloadRunner {
        WorkloadRunner(
            workspace: try Workspace(), scale: scale, countsInstructions: instructions,
            outputFile: output)
    }

    func target(_ name: String = "relay", binary: String? = nil) -> RelayTarget {
        RelayTarget(
            name: name, binary: binary ?? relay,
            arguments: relayArguments.split(separator: " ").map(String.init))
    }
}

struct SuiteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suite", abstract: "Run the standard workloads against the relay.")

    @OptionGroup var flags: SuiteFlags

    @Option(help: "Rounds; the table shows medians.")
    var rounds = 1

    func run() throws {
        let target = flags.target()
        if let obstacle = target.obstacle { throw ServerError(obstacle) }
        let runner = try flags.runner()
        let workloads = try Workload.named(flags.only)
        print(Machine.describe().text)
        for workload in workloads { print("\(workload.name): \(workload.summary)") }
        var results: [LoadResult] = []
        for round in 1...max(1, rounds) {
            for workload in workloads {
                results.append(try runner.run(workload, target, round: round))
            }
        }
        let comparison = Comparison(results: results)
        print("\n" + comparison.suiteTable(target.name))
        printInstructions(results)
        if let budgets = Budget.table(comparison, ours: target.name) { print("\n" + budgets) }
        try failOnFailures(results)
    }

    private func printInstructions(_ results: [LoadResult]) {
        guard flags.instructions else { return }
        if results.allSatisfy({ $0.server?.instructions == nil }) {
            print("\nThis machine does not count instructions; see `relay-perf gate`.")
        }
        for result in results {
            guard let instructions = result.server?.instructions, result.messages > 0 else {
                continue
            }
            let thousands = Double(instructions) / 1_000
            print(
                "\(result.workload): \(brief(thousands / Double(result.messages))) k per message, "
                    + "\(brief(thousands / 1_000 / result.megabytes)) M a MB")
        }
    }
}

struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Run the same workloads against the relay and its peers, in turns.")

    @OptionGroup var flags: SuiteFlags

    @Option(help: "Rounds; each runs every server once.")
    var rounds = 3

    @Option(help: ArgumentHelp("Peers, separated by commas; all by default.", valueName: "names"))
    var peers: String?

    @Option(help: ArgumentHelp("An earlier build of the relay, as a peer.", valueName: "file"))
    var base: String?

    @Option(help: ArgumentHelp("The folder with gateway.py.", valueName: "folder"))
    var peerFiles = "perf/peers"

    func run() throws {
        let ours = flags.target()
        if let obstacle = ours.obstacle { throw ServerError(obstacle) }
        let targets = try [ours] + chosenPeers()
        let runner = try flags.runner()
        let workloads = try Workload.named(flags.only)
        print(Machine.describe().text)
        for target in targets { print("\(target.name): \(target.summary)") }
        var results: [LoadResult] = []
        for round in 1...max(1, rounds) {
            for workload in workloads {
                // The server that runs first in this round runs later in the next one.
                for index in targets.indices {
                    let target = targets[(index + round - 1) % targets.count]
                    do {
                        results.append(try runner.run(workload, target, round: round))
                    } catch {
                        if target.name == ours.name { throw error }
                        print("skipped: \(error)")
                    }
                }
            }
        }
        results.sort { a, b in rank(a, targets, workloads) < rank(b, targets, workloads) }
        let comparison = Comparison(results: results)
        print("\n" + comparison.tables(ours: ours.name))
        if let budgets = Budget.table(comparison, ours: ours.name) { print(budgets) }
        try failOnFailures(results)
    }

    private func chosenPeers() throws -> [any Target] {
        var all: [any Target] = [
            HAProxyTarget(toTLS: false), HAProxyTarget(toTLS: true), NginxTarget(),
            PostfixTarget(),
            GatewayTarget(relayBinary: flags.relay, script: "\(peerFiles)/gateway.py"),
        ]
        if let peers {
            let names = peers.split(separator: ",").map(String.init)
            for name in names where !all.contains(where: { $0.name == name }) {
                throw ServerError("no peer \(name); there are \(all.map(\.name))")
            }
            all.removeAll { !names.contains($0.name) }
        }
        if let base { all.insert(flags.target("base", binary: base), at: 0) }
        return all.filter { target in
            if let obstacle = target.obstacle {
                print("\(target.name) is skipped: \(obstacle)")
                return false
            }
            return true
        }
    }

    private func rank(
        _ result: LoadResult, _ targets: [any Target], _ workloads: [Workload]
    ) -> Int {
        let target = targets.firstIndex { $0.name == result.target } ?? 0
        let workload = workloads.firstIndex { $0.name == result.workload } ?? 0
        return (workload * 100 + target) * 1_000 + result.round
    }
}

/// Prints what failed, and exits with 1 if anything did.
func failOnFailures(_ results: [LoadResult]) throws {
    let failing = results.filter { !$0.failures.isEmpty }
    guard !failing.isEmpty else { return }
    print("\nfailures:")
    for result in failing {
        let list = result.failures.sorted { $0.key < $1.key }.map { "\($0.value) x \($0.key)" }
        print("\(result.target) \(result.workload) round \(result.round): ", terminator: "")
        print(list.joined(separator: ", "))
    }
    throw ExitCode(1)
}
