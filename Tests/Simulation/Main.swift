// The simulation's command line.
//
//     Simulate seeds FIRST COUNT      one run for each seed
//     Simulate replay SEED            one run, with every step
//     Simulate pauses FIRST COUNT     clients that pause, before an API that ends silent uploads
//     Simulate replay-pauses SEED     one of those runs over each HTTP version, with every step
//     Simulate absences FIRST COUNT   an API that restarts
//     Simulate replay-absences SEED   one of those runs over each HTTP version, with every step
//     Simulate groups FIRST COUNT     large messages to hidden recipients, and an API that takes few streams
//     Simulate replay-groups SEED     one of those runs over each HTTP version, with every step
//     Simulate returns FIRST COUNT    clients that hear nothing, and come back at once
//     Simulate replay-returns SEED    one of those runs over each HTTP version, with every step
//     Simulate sweep SEED             the scripted scenario, failing operation 1, 2, 3, …
//     Simulate messages FIRST COUNT   runs until COUNT messages reached DATA, and the totals
//     Simulate replay-counting SEED   one of those runs, with every step
//     Simulate check-balance          invented histories, each of which one rule must refuse
//
// A run that does not balance prints its seed and what is wrong. Exit status 1 if any did.

import APIClient
import CRandomness
import Glibc
import Reactor

@main
enum EntryPoint {
    static func main() { exit(simulate(Array(CommandLine.arguments.dropFirst()))) }
}

/// Runs what the arguments ask for; returns the exit status.
nonisolated func simulate(_ arguments: [String]) -> Int32 {
    signal(SIGPIPE, SIG_IGN)
    // The relay draws some values once per process. They are drawn here, always from the same seed.
    cr_name_seed_in_traps()
    guard cr_seed(0) == 1 else { return 2 }
    _ = KeyedHash.hash([UInt8](repeating: 0, count: 1).span)
    let numbers = arguments.dropFirst().compactMap { UInt64($0) }
    switch (arguments.first, numbers.count) {
    case ("seeds", 2): return Runner().runSeeds(from: numbers[0], count: Int(numbers[1]))
    case ("replay", 1): return Runner().replay(numbers[0], isCounting: false)
    case ("replay-counting", 1): return Runner().replay(numbers[0], isCounting: true)
    case ("pauses", 2):
        return Runner().run(.pauses, from: numbers[0], count: Int(numbers[1]))
    case ("replay-pauses", 1): return Runner().run(.pauses, from: numbers[0], isVerbose: true)
    case ("absences", 2):
        return Runner().run(.absences, from: numbers[0], count: Int(numbers[1]))
    case ("replay-absences", 1): return Runner().run(.absences, from: numbers[0], isVerbose: true)
    case ("groups", 2):
        return Runner().run(.groups, from: numbers[0], count: Int(numbers[1]))
    case ("replay-groups", 1): return Runner().run(.groups, from: numbers[0], isVerbose: true)
    case ("returns", 2):
        return Runner().run(.returns, from: numbers[0], count: Int(numbers[1]))
    case ("replay-returns", 1): return Runner().run(.returns, from: numbers[0], isVerbose: true)
    case ("sweep", 1): return Runner().sweep(seed: numbers[0])
    case ("messages", 2): return Runner().runMessages(from: numbers[0], count: Int(numbers[1]))
    case ("check-balance", 0): return BalanceCheck.run()
    default:
        print(
            "Simulate seeds|messages|pauses|absences|groups|returns FIRST COUNT"
                + " | replay|replay-pauses|replay-absences|replay-groups|replay-returns|sweep SEED | check-balance"
        )
        return 2
    }
}
