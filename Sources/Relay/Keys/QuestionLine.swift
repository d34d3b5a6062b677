// Questions about keys that wait until the pool takes one, by the network of who asks.
//
// Anybody can ask about a key, and an API answers slowly about many. So each network (/24, /64) has a
// line of its own, and the lines take turns: a stranger with a thousand sessions delays another
// network's login by one question. Of the places a network has at most as many as are still free. A
// value without a clock.

import APIClient
import Reactor

/// A question that waits.
struct KeyQuestion {
    let key: APIKey
    /// When its owners must have an answer.
    let deadline: MonotonicTime
}

/// The questions of one loop that wait.
struct QuestionLine {
    /// Questions that wait, of all networks together, at most.
    static let countMax = 4_096

    private struct Line {
        var questions: [KeyQuestion] = []
        /// Those in front of it have had their turn.
        var start = 0

        var count: Int { questions.count - start }
    }

    private var lines: [Network: Line] = [:]
    /// Networks whose questions wait, in the order of their turns; `turnStart` have had theirs.
    private var turns: [Network] = []
    private var turnStart = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Puts a question last in the line of its network.
    /// - Returns: false when the network has its share of the places already.
    mutating func add(_ question: KeyQuestion, of network: Network) -> Bool {
        var line = lines.removeValue(forKey: network) ?? Line()
        defer { lines[network] = line.count > 0 ? line : nil }
        guard line.count < QuestionLine.countMax - count else { return false }
        if line.count == 0 { turns.append(network) }
        line.questions.append(question)
        count += 1
        return true
    }

    /// The question whose turn it is.
    mutating func next() -> KeyQuestion? {
        guard turnStart < turns.count else { return nil }
        let network = turns[turnStart]
        turnStart += 1
        if turnStart > turns.count / 2 {
            turns.removeFirst(turnStart)
            turnStart = 0
        }
        guard var line = lines.removeValue(forKey: network) else { return nil }
        let question = line.questions[line.start]
        line.start += 1
        count -= 1
        guard line.count > 0 else { return question }
        if line.start > line.questions.count / 2 {
            line.questions.removeFirst(line.start)
            line.start = 0
        }
        lines[network] = line
        turns.append(network)
        return question
    }
}
