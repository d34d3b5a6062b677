// `relay-perf gate`: fails when the relay costs more than before, judged by counts, never by the
// clock.

import ArgumentParser
import CEpoll.Kernels
import Foundation

struct GateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gate",
        abstract: "Count instructions and allocations of fixed work, against thresholds.")

    @Option(help: ArgumentHelp("The relay's program.", valueName: "file"))
    var relay = RelayTarget.defaultBinary

    @Option(help: ArgumentHelp("More arguments for the relay, as one word.", valueName: "text"))
    var relayArguments = ""

    @Option(
        help: ArgumentHelp("The folder with thresholds.txt, allocations.c.", valueName: "folder"))
    var files = "perf/gate"

    @Flag(
        help: """
            Judge only the relay's own code, Swift's runtime and allocations: libc and libcrypto run \
            other code on other processors.
            """)
    var portable = false

    @Option(help: "Repeat, to see how much counts of one program differ.")
    var repeats = 1

    @Option(help: ArgumentHelp("Keep callgrind's output in this folder.", valueName: "folder"))
    var keep: String?

    func run() throws {
        // Always the same backend, or the counts would depend on what the kernel grants.
        let target = RelayTarget(
            binary: relay,
            arguments: ["--backend", "epoll"]
                + relayArguments.split(separator: " ").map(String.init))
        if let obstacle = target.obstacle { throw ServerError(obstacle) }
        let thresholds = try Thresholds(
            String(contentsOfFile: "\(files)/thresholds.txt", encoding: .utf8))
        let workspace = try Workspace()
        var counts: [(name: String, value: Double)] = []
        for _ in 0..<max(1, repeats) {
            counts += try count(target.speaking("1.1"), workspace)
            counts += try countHTTP2(target.speaking("2"), workspace)
        }
        if let keep { try keepProfiles(workspace, in: keep) }
        print(table(counts, thresholds))
        let judged = counts.filter { !portable || !Self.dependsOnProcessor($0.name) }
        if judged.contains(where: { thresholds.verdict($0.name, $0.value) == .exceeded }) {
            print(
                "The relay costs more than before. See docs/performance.md for the causes.")
            throw ExitCode(1)
        }
    }

    /// Whether the count depends on the kind of processor. The relay's own code does too, on a
    /// processor that cannot run its widest kernels.
    private static func dependsOnProcessor(_ name: String) -> Bool {
        name.contains("instructions") && (!name.contains("-own-") || ck_has_wide() == 0)
    }

    private func count(
        _ target: RelayTarget, _ workspace: Workspace
    ) throws -> [(name: String, value: Double)] {
        var counts: [(name: String, value: Double)] = []
        if let obstacle = InstructionCount.obstacle {
            print("Instructions are not counted: \(obstacle).")
        } else {
            let counter = InstructionCount(workspace: workspace, relay: target)
            let single = try counter.count(.single)
            let small = try counter.count(.small)
            let large = try counter.count(.large)
            let chunked = try counter.count(.chunked)
            let alone = try counter.count(.shared(keys: 1))
            let shared = try counter.count(.shared(keys: 8))
            var quiet = target
            quiet.arguments += ["--log-level", "warning"]
            let unlogged = try InstructionCount(workspace: workspace, relay: quiet)
                .count(.unlogged)
            counts.append(("W1-own-instructions-per-message", single.own))
            counts.append(("W1-instructions-per-message", single.all))
            counts.append(("W2-own-instructions-log-to-no-log", small.own / unlogged.own))
            counts.append(("W2-own-instructions-eight-keys-to-one", shared.own / alone.own))
            counts.append(("W2-own-instructions-per-message", small.own))
            counts.append(("W3-own-instructions-per-MB", large.own))
            counts.append(("W3-own-instructions-BDAT-to-DATA", chunked.own / large.own))
            counts.append(("W2-instructions-per-message", small.all))
            counts.append(("W3-instructions-per-MB", large.all))
        }
        if let obstacle = AllocationCount.obstacle {
            print("Allocations are not counted: \(obstacle).")
        } else {
            let counter = AllocationCount(
                workspace: workspace, relay: target, source: "\(files)/allocations.c")
            let allocations = try counter.count()
            counts.append(("W2-allocations-per-message", allocations.own))
            counts.append(("W2-OpenSSL-allocations-per-message", allocations.openSSL))
        }
        return counts
    }

    /// The same for calls over HTTP/2.
    private func countHTTP2(
        _ target: RelayTarget, _ workspace: Workspace
    ) throws -> [(name: String, value: Double)] {
        var counts: [(name: String, value: Double)] = []
        if InstructionCount.obstacle == nil {
            let counter = InstructionCount(workspace: workspace, relay: target)
            let small = try counter.count(FixedWork.small.overHTTP2)
            let large = try counter.count(FixedWork.large.overHTTP2)
            counts.append(("W2-h2-own-instructions-per-message", small.own))
            counts.append(("W3-h2-own-instructions-per-MB", large.own))
            counts.append(("W2-h2-instructions-per-message", small.all))
            counts.append(("W3-h2-instructions-per-MB", large.all))
        }
        if AllocationCount.obstacle == nil {
            let counter = AllocationCount(
                workspace: workspace, relay: target, source: "\(files)/allocations.c")
            counts.append(("W2-h2-allocations-per-message", try counter.count().own))
        }
        return counts
    }

    private func keepProfiles(_ workspace: Workspace, in folder: String) throws {
        let manager = FileManager.default
        try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for name in try manager.contentsOfDirectory(atPath: workspace.folder)
        where name.hasPrefix("callgrind.") {
            let copy = "\(folder)/\(name)"
            try? manager.removeItem(atPath: copy)
            try manager.copyItem(atPath: workspace.file(name), toPath: copy)
        }
    }

    private func table(
        _ counts: [(name: String, value: Double)], _ thresholds: Thresholds
    ) -> String {
        aligned(
            [["", "is", "at most", ""]]
                + counts.map { name, value in
                    let places = value < 1_000 ? 2 : 0
                    return [
                        name, decimal(value, places),
                        thresholds.lines[name].map { decimal($0.atMost, places) } ?? "-",
                        thresholds.verdict(name, value).rawValue,
                    ]
                })
    }
}
