// Name resolution from the dice: late, failing, or changing.

import APIClient
import Reactor

/// Takes the place of the system's resolver.
final class SimulatedNames: NameService, @unchecked Sendable {
    private let world: World
    private let addresses: [SocketAddress]
    /// Questions that have no answer yet.
    private(set) var openQuestions = 0

    init(world: World, addresses: [SocketAddress]) {
        self.world = world
        self.addresses = addresses
    }

    func lookUp(
        host: String, port: UInt16, on loop: Loop, question: Int, for inquirer: any NameInquirer
    ) {
        var answer = NameAnswer.addresses(addresses)
        if world.fault(.lookUp, chance: world.weather.lookUpFails) {
            answer = world.dice.happens(0.5) ? .failed("no such name") : .addresses([])
        } else if addresses.count > 1, world.weather.failingOperation == nil {
            answer = .addresses(
                Array(
                    addresses.shuffled(using: &world.dice).dropLast(
                        world.dice.number(0...addresses.count - 1))))
        }
        let delay = world.dice.skewed(100...world.weather.lookUpMicrosecondsMax)
        nonisolated(unsafe) let carried = (inquirer, loop)
        let given = answer
        openQuestions += 1
        world.after(microseconds: delay) { [self] in
            openQuestions -= 1
            carried.1.mailbox.post { carried.0.answered(given, to: question) }
        }
    }
}
