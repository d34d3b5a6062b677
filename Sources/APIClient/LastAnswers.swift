// When each address of the API answered last, on whichever loop: what the pools of a process tell one
// another.
//
// Calls wait for an address that has answered within ten seconds, because the API restarts now and then
// (`AddressTable`). One loop of several may not have asked for longer than that, so answers on the
// others count for it too. Nothing else is shared. That an address does not answer each loop finds out
// with its own next opening, and one loop may be wrong about it: it may have no descriptor left.
//
// A pool writes when an answer is news (twice a second for each address) and reads when calls wait and
// no address is usable, so the lock is hardly ever taken.

import Reactor

/// The last answers of the API's addresses. Safe to use from any thread.
package final class LastAnswers: Sendable {
    /// An answer of an address.
    struct Answer: Equatable, Sendable {
        var address: SocketAddress
        var time: MonotonicTime
    }

    /// Addresses of several lookups; of more the oldest answer is forgotten.
    static let addressesMax = 64

    private let answers = Locked<[Answer]>([])

    package init() {}

    /// The address has answered at this time.
    func note(_ address: SocketAddress, at time: MonotonicTime) {
        answers.withLock { answers in
            if let place = answers.firstIndex(where: { $0.address == address }) {
                answers[place].time = max(answers[place].time, time)
            } else if answers.count < Self.addressesMax {
                answers.append(Answer(address: address, time: time))
            } else if let oldest = answers.indices.min(by: { answers[$0].time < answers[$1].time })
            {
                answers[oldest] = Answer(address: address, time: time)
            }
        }
    }

    /// The last answer of each address.
    var all: [Answer] { answers.withLock { $0 } }
}
