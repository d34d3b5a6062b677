// Runs seeds, shows the progress, and prints those that do not balance.

import CRandomness
import Glibc
import Reactor

/// Many runs.
struct Runner {
    private let certificates: String
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private let start = MonotonicTime.readClock()

    init() {
        certificates =
            getenv("SIMULATION_CERTIFICATES").map { String(cString: $0) }
            ?? "Tests/Simulation/Certificates"
    }

    private func run(_ plan: Plan) -> Result {
        cr_seed(plan.seed)
        do {
            return try Simulation(plan: plan, certificates: certificates).run()
        } catch {
            print("A run could not begin: \(error)")
            exit(2)
        }
    }

    private func report(_ name: String, _ result: Result) {
        clearLine()
        print("\(name) does not balance:")
        for violation in result.violations.prefix(20) { print("    \(violation)") }
        fflush(nil)
    }

    private func clearLine() { if isTerminal { print("\u{1B}[2K\r", terminator: "") } }

    private func show(_ done: Int, of all: Int, _ counts: Counts, failed: Int) {
        guard isTerminal else { return }
        let seconds = max(1, MonotonicTime.readClock().milliseconds(since: start) / 1_000)
        print(
            "\r\(done)/\(all), \(counts.messages) messages, \(counts.faults) faults, "
                + "\(failed) failed, \(seconds) s", terminator: "")
        fflush(nil)
    }

    /// One run for each seed; 1 if any does not balance.
    func runSeeds(from first: UInt64, count: Int) -> Int32 {
        var counts = Counts()
        var failed: [UInt64] = []
        for index in 0..<count {
            let seed = first + UInt64(index)
            let result = run(
                Plan.random(seed: seed, isCounting: false, isVerbose: false))
            counts.add(result.counts)
            if !result.violations.isEmpty {
                failed.append(seed)
                report("SEED=\(seed)", result)
            }
            if index % 20 == 19 { show(index + 1, of: count, counts, failed: failed.count) }
            if failed.count >= 20 { break }
        }
        clearLine()
        let seconds = MonotonicTime.readClock().milliseconds(since: start) / 1_000
        print(
            "\(counts.runs) seeds from \(first): \(counts.messages) messages, \(counts.faults) faults, "
                + "\(counts.requests) requests, \(failed.count) failed, \(seconds) s")
        if let seed = failed.first { print("Again, step by step: make simulate SEED=\(seed)") }
        return failed.isEmpty ? 0 : 1
    }

    /// Runs one seed twice: once for the reader, and once to see that the second run is the same.
    func replay(_ seed: UInt64, isCounting: Bool) -> Int32 {
        let plan = Plan.random(seed: seed, isCounting: isCounting, isVerbose: true)
        let result = run(plan)
        var silent = plan
        silent.isVerbose = false
        let again = run(silent)
        print(result.counts.table)
        if again.traceHash != result.traceHash {
            report("SEED=\(seed)", Result(violations: ["two runs of it were not the same"]))
        }
        if result.violations.isEmpty {
            print("SEED=\(seed) balances; trace \(String(result.traceHash, radix: 16))")
        } else {
            report("SEED=\(seed)", result)
        }
        return result.violations.isEmpty && again.traceHash == result.traceHash ? 0 : 1
    }

    /// Two runs about one thing for each seed, over HTTP/1.1 and over HTTP/2; 1 if any does not balance.
    func run(
        _ topic: Topic, from first: UInt64, count: Int = 1, isVerbose: Bool = false
    ) -> Int32 {
        var counts = Counts()
        var failed = 0
        for index in 0..<UInt64(count) {
            let seed = first + index
            for speaksHTTP2 in [false, true] {
                let result = run(
                    topic.plan(seed: seed, speaksHTTP2: speaksHTTP2, isVerbose: isVerbose))
                counts.add(result.counts)
                if result.violations.isEmpty { continue }
                failed += 1
                report("\(topic) \(seed), \(speaksHTTP2 ? "HTTP/2" : "HTTP/1.1")", result)
            }
        }
        print(
            "\(topic): \(count) seeds from \(first), \(counts.messages) messages, "
                + "\(failed) runs do not balance")
        return failed == 0 ? 0 : 1
    }

    /// Makes one operation of the scripted scenario fail after the other, until none is left: with an
    /// API that speaks HTTP/1.1, and with one that speaks HTTP/2.
    func sweep(seed: UInt64) -> Int32 {
        max(sweep(seed: seed, speaksHTTP2: false), sweep(seed: seed, speaksHTTP2: true))
    }

    private func sweep(seed: UInt64, speaksHTTP2: Bool) -> Int32 {
        var counts = Counts()
        var failed = 0
        var operations = 0
        for failure in Weather.Failure.allCases {
            var operation = 1
            while true {
                let result = run(
                    Scenario.plan(
                        seed: seed, speaksHTTP2: speaksHTTP2, failing: operation, failure))
                counts.add(result.counts)
                if !result.violations.isEmpty {
                    failed += 1
                    let version = speaksHTTP2 ? "HTTP/2" : "HTTP/1.1"
                    report("sweep \(seed), \(version), operation \(operation), \(failure)", result)
                }
                if result.operations < operation { break }
                if operation % 20 == 0 {
                    show(operation, of: result.operations, counts, failed: failed)
                }
                operation += 1
            }
            operations += operation - 1
        }
        clearLine()
        print(
            "sweep \(seed): \(operations) operations failed one at a time, "
                + "\(counts.messages) messages, \(failed) runs do not balance")
        return failed == 0 ? 0 : 1
    }

    /// Runs until `count` messages were handed in, or until a signal ends it, and prints what
    /// became of them.
    func runMessages(from first: UInt64, count: Int) -> Int32 {
        var counts = Counts()
        var failed = 0
        var seed = first
        var shown = 0
        cr_stop_on_signals()
        while counts.handedIn < count, cr_is_stopped() == 0 {
            let result = run(
                Plan.random(seed: seed, isCounting: true, isVerbose: false))
            counts.add(result.counts)
            if !result.violations.isEmpty {
                failed += 1
                report("SEED=\(seed) COUNTING=1", result)
            }
            seed += 1
            show(counts.handedIn, of: count, counts, failed: failed)
            if !isTerminal, counts.handedIn / 10_000 > shown {
                shown = counts.handedIn / 10_000
                print("\(counts.handedIn) messages, seed \(seed), \(failed) failed")
                fflush(nil)
            }
        }
        clearLine()
        print("Seeds \(first) to \(seed - 1), \(failed) of them do not balance.\n\(counts.table)")
        return failed == 0 ? 0 : 1
    }
}
