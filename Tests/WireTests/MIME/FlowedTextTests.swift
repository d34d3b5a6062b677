// format=flowed undone: the examples of RFC 3676, its corners, and any cut of them.

import TestSupport
import Testing

@testable import Wire

/// A flowed text, and what is left of its line breaks.
struct FlowedCase: CustomStringConvertible, Sendable {
    var name: String
    var text: String
    var deletesSpaces = false
    var result: String
    var description: String { name }
}

@Suite("format=flowed")
struct FlowedTextTests {
    static let cases: [FlowedCase] = [
        FlowedCase(name: "nothing", text: "", result: ""),
        FlowedCase(name: "fixed lines", text: "a\r\nb\r\n", result: "a\nb\n"),
        FlowedCase(
            name: "soft breaks", text: "one \r\ntwo \r\nthree\r\nfour",
            result: "one two three\nfour"),
        FlowedCase(
            name: "soft breaks whose blanks go", text: "東京 \r\n都 \r\nx y\r\nz", deletesSpaces: true,
            result: "東京都x y\nz"),
        FlowedCase(
            name: "only one of several blanks goes", text: "a  \r\nb", deletesSpaces: true,
            result: "a b"),
        FlowedCase(name: "line feeds alone", text: "one \ntwo\nthree", result: "one two\nthree"),
        FlowedCase(
            name: "carriage returns alone", text: "one \rtwo\rthree", result: "one two\nthree"),
        FlowedCase(
            name: "protected starts", text: " From me\r\n > no quote\r\n  two blanks\r\n",
            result: "From me\n> no quote\n two blanks\n"),
        FlowedCase(
            name: "quotes", text: "> one \r\n> two\r\n> three\r\n",
            result: "> one two\n> three\n"),
        FlowedCase(
            name: "quotes without a blank", text: ">one \r\n>two\r\n", result: "> one two\n"),
        FlowedCase(
            name: "quotes of several depths",
            text: ">>> deep \r\n>>> deeper\r\n>> less \r\n>> so\r\n> I \r\n> said\r\nyes \r\nyou",
            result: ">>> deep deeper\n>> less so\n> I said\nyes you"),
        FlowedCase(
            name: "a line that goes on at another depth does not", text: "> a \r\nb \r\n>> c",
            result: "> a \nb \n>> c"),
        FlowedCase(
            name: "an empty line in a quote", text: "> a\r\n>\r\n> b\r\n", result: "> a\n>\n> b\n"),
        FlowedCase(
            name: "an empty line ends a paragraph", text: "a\r\n\r\nb \r\nc", result: "a\n\nb c"),
        FlowedCase(name: "an empty line after a soft break", text: "a \r\n\r\nb", result: "a \nb"),
        FlowedCase(
            name: "a signature", text: "Regards \r\n-- \r\nAda \r\nLondon\r\n",
            result: "Regards \n-- \nAda London\n"),
        FlowedCase(
            name: "a signature with DelSp", text: "Regards\r\n-- \r\nAda", deletesSpaces: true,
            result: "Regards\n-- \nAda"),
        FlowedCase(
            name: "a quoted signature", text: "> text\r\n> -- \r\n> Ada\r\n",
            result: "> text\n> -- \n> Ada\n"),
        FlowedCase(
            name: "no signatures", text: "--\r\n--  \r\nx\r\n-- y \r\nz\r\n-\r\n--- \r\nend",
            result: "--\n--  x\n-- y z\n-\n--- end"),
        FlowedCase(name: "a signature at the end", text: "a \r\n-- ", result: "a \n-- "),
        FlowedCase(name: "a blank at the end", text: "a ", deletesSpaces: true, result: "a "),
        FlowedCase(name: "marks at the end", text: "a \r\n>>", result: "a \n>>"),
        FlowedCase(
            name: "blanks inside", text: "a b  c\r\nd", deletesSpaces: true, result: "a b  c\nd"),
        FlowedCase(name: "one blank", text: " \r\nx", result: "\nx"),
        FlowedCase(name: "tabs do not flow", text: "a\t\r\nb", result: "a\t\nb"),
    ]

    @Test("Soft breaks are undone", arguments: cases)
    func undone(example: FlowedCase) {
        #expect(undo(example, plan: [example.text.utf8.count], regionBytes: 100) == example.result)
    }

    @Test("However the text is cut, and whatever room there is", arguments: cases)
    func splits(example: FlowedCase) {
        let count = example.text.utf8.count
        for plan in Splits.plans(for: count) + Splits.everyCut(of: count) {
            for regionBytes in [1, 2, 5, 64] {
                let result = undo(example, plan: plan, regionBytes: regionBytes)
                #expect(result == example.result, "\(plan) \(regionBytes)")
            }
        }
    }

    @Test("Random texts of what matters do not depend on the cut, and nothing else is lost")
    func random() {
        var generator = SeededGenerator(seed: 3_676)
        for round in 0..<400 {
            let parts = ["a", " ", ">", "-", "\r\n", "\n", "-- \r\n", "b \r\n", "ü"]
            let text = (0..<Int.random(in: 0...40, using: &generator))
                .map { _ in parts.randomElement(using: &generator) ?? "" }.joined()
            let example = FlowedCase(
                name: "", text: text, deletesSpaces: round % 2 == 0, result: "")
            let count = text.utf8.count
            let whole = undo(example, plan: [count], regionBytes: 1_000)
            for plan in Splits.plans(for: count, seed: UInt64(round), random: 4) {
                #expect(
                    undo(example, plan: plan, regionBytes: 3) == whole, "\(text.debugDescription)")
            }
            func letters(_ text: String?) -> String {
                String((text ?? "").filter { "abü".contains($0) })
            }
            #expect(letters(whole) == letters(text), "\(text.debugDescription)")
        }
    }

    @Test("Time is linear", arguments: [">", "> ", "-- \r\n", " \r\n", "> a \r\n>", ">\r\n", "-"])
    func linear(part: String) {
        expectLinear(part) { text in
            var flowed = FlowedText(deletesSpaces: true)
            _ = transformed(
                text, plan: [text.count], regionBytes: 8_192,
                feed: { flowed.feed($0, into: &$1) }, finish: { flowed.finish(into: &$0) })
        }
    }

    private func undo(_ example: FlowedCase, plan: [Int], regionBytes: Int) -> String? {
        var flowed = FlowedText(deletesSpaces: example.deletesSpaces)
        return transformed(
            example.text.bytes, plan: plan, regionBytes: regionBytes,
            feed: { flowed.feed($0, into: &$1) }, finish: { flowed.finish(into: &$0) })?.text
    }
}
