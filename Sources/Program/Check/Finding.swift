// What `postscale-relay check` found: one line for each thing that it has looked at, and what to do
// about it.

/// One thing that was looked at.
struct Finding: Equatable {
    /// How good it is.
    enum Grade: String {
        case ok
        /// The relay runs, and less well than it could.
        case warn
        /// The relay does not start, or serves nobody.
        case bad
    }

    let grade: Grade
    /// A word: `port`, `certificate`.
    let subject: String
    /// What is so.
    let text: String
    /// What to do about it; empty when nothing is to be done.
    let advice: String

    static func ok(_ subject: String, _ text: String) -> Finding {
        Finding(grade: .ok, subject: subject, text: text, advice: "")
    }

    static func warn(_ subject: String, _ text: String, _ advice: String) -> Finding {
        Finding(grade: .warn, subject: subject, text: text, advice: advice)
    }

    static func bad(_ subject: String, _ text: String, _ advice: String) -> Finding {
        Finding(grade: .bad, subject: subject, text: text, advice: advice)
    }

    /// For people: one line, and one more with advice.
    var lines: String {
        func padded(_ word: String, _ width: Int) -> String {
            word + String(repeating: " ", count: max(1, width - word.count))
        }
        let line = padded(grade.rawValue, 6) + padded(subject, 13) + text
        return advice.isEmpty ? line : line + "\n" + padded("", 19) + "-> " + advice
    }
}

extension [Finding] {
    /// Nothing keeps the relay from serving.
    var isGood: Bool { !contains { $0.grade == .bad } }

    /// The last line.
    var summary: String {
        func count(_ grade: Finding.Grade) -> Int { filter { $0.grade == grade }.count }
        return "\(count(.ok)) ok, \(count(.warn)) to look at, \(count(.bad)) bad"
    }
}
