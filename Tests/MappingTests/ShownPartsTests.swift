// Which texts a reader sees, and in which body they are: tables of structures, without a byte.

import TestSupport
import Testing
import Wire

@testable import Mapping

/// A part of a message in a table. The texts that wait are numbered in their order.
private indirect enum Part: Sendable {
    case plain, html, namedPlain, namedHTML, attached, blank, limited, file
    case id(String, Part)
    case multipart(EntityHead.MultipartKind, root: String, [Part])

    static func mixed(_ parts: Part...) -> Part { .multipart(.other, root: "", parts) }
    static func alternative(_ parts: Part...) -> Part { .multipart(.alternative, root: "", parts) }
    static func related(_ parts: Part..., root: String = "") -> Part {
        .multipart(.related, root: root, parts)
    }
}

/// Walks a `Part` as the mapper does.
private struct Walk {
    var shown = ShownParts()
    var decisions: [ShownParts.Decision] = []
    private(set) var blankCount = 0
    /// Blank texts that wait.
    private(set) var blankAsideCount = 0
    private var number = 0
    /// The texts that memory can't hold, by their place among the leaves.
    var streamed: Set<Int> = []
    /// Texts go into the request at once, and are taken out again when that is wanted.
    var goesAtOnce = false
    /// The texts in the request.
    private(set) var written = PerBody<Int>()

    init(reusing shown: ShownParts = ShownParts()) { self.shown = shown }

    mutating func take(_ part: Part, depth: Int = 0, id: String = "") {
        switch part {
        case .id(let name, let inner): take(inner, depth: depth, id: name)
        case .multipart(let kind, let root, let parts):
            shown.multipartStart(
                kind, depth: depth + 1, rootID: Array(root.utf8), contentID: Array(id.utf8))
            for inner in parts { take(inner, depth: depth + 1) }
        case .plain: leaf(.plain, depth, id)
        case .html: leaf(.html, depth, id)
        case .namedPlain: leaf(.plain, depth, id, hasName: true)
        case .namedHTML: leaf(.html, depth, id, hasName: true)
        case .attached: leaf(.plain, depth, id, isAttachment: true)
        case .blank: leaf(.plain, depth, id, isBlank: true)
        case .limited: leaf(.limited, depth, id)
        case .file: leaf(.other, depth, id)
        }
    }

    private mutating func leaf(
        _ media: ShownParts.Leaf.Media, _ depth: Int, _ id: String, hasName: Bool = false,
        isAttachment: Bool = false, isBlank: Bool = false
    ) {
        let leaf = ShownParts.Leaf(
            media: media, isAttachment: isAttachment, hasName: hasName, contentID: Array(id.utf8))
        let decision = shown.leafStart(leaf, depth: depth, mayChange: goesAtOnce)
        let place = decisions.count
        decisions.append(decision)
        if decision == .look { return shown.leafEnd(isBlank: isBlank, number: nil) }
        guard decision == .hold || decision == .holdAside else { return }
        if goesAtOnce && !isBlank { return shownLeaf(isHTML: media == .html) }
        if streamed.contains(place), shown.mayStream {
            shown.streams(as: -1)
            shown.leafEnd(isBlank: false, number: -1)
        } else {
            // A blank text that may be a file waits too.
            let isKept = !isBlank || decision == .holdAside
            shown.leafEnd(isBlank: isBlank, number: isKept ? number : nil)
            if isKept {
                number += 1
                if isBlank { blankAsideCount += 1 }
            } else {
                blankCount += 1
            }
        }
    }
}

extension Walk {
    private mutating func shownLeaf(isHTML: Bool) {
        let isWritten = shown.mayStream
        for kind in [false, true] where shown.effect(onHTML: kind) != .none {
            // Only what is replaced has gone before the current text is complete.
            #expect(!isWritten || shown.effect(onHTML: kind) == .replaced && kind == isHTML)
            shown.isTakenBack(isHTML: kind)
            written[isHTML: kind] = nil
        }
        if isWritten {
            shown.streams(as: number)
            written[isHTML: isHTML] = number
        }
        shown.leafEnd(isBlank: false, number: number)
        number += 1
    }
}

/// A structure and its plan.
private struct Row: CustomTestStringConvertible, Sendable {
    var name: String
    var part: Part
    var text: [Int] = []
    var html: [Int] = []
    var files: [Int] = []
    var leftOut = 0
    var testDescription: String { name }

    init(
        _ name: String, _ part: Part, text: [Int] = [], html: [Int] = [], files: [Int] = [],
        leftOut: Int = 0
    ) {
        self.name = name
        self.part = part
        self.text = text
        self.html = html
        self.files = files
        self.leftOut = leftOut
    }

    var plan: ShownParts.Plan {
        ShownParts.Plan(text: text, html: html, files: files, leftOutCount: leftOut)
    }
}

@Suite("Which text is shown where")
struct ShownPartsTests {
    private static let joined: [Row] = [
        Row("one plain text", .mixed(.plain, .file), text: [0]),
        Row("one HTML text", .mixed(.html), html: [0]),
        Row("plain texts", .mixed(.plain, .file, .plain, .mixed(.plain)), text: [0, 1, 2]),
        Row("HTML texts", .mixed(.html, .file, .html), html: [0, 1]),
        Row("plain and HTML", .mixed(.plain, .html), html: [0, 1]),
        Row("HTML and plain", .mixed(.html, .plain), html: [0, 1]),
        Row("a blank text", .mixed(.blank, .html, .blank), html: [0]),
        Row("nothing but a file and a blank text", .mixed(.file, .blank)),
        Row(
            "an alternative, then a plain footer",
            .mixed(.alternative(.plain, .html), .plain), text: [0, 2], html: [1, 2]),
        Row(
            "an alternative, then an HTML footer",
            .mixed(.alternative(.plain, .html), .html), html: [1, 2], leftOut: 1),
        Row(
            "two alternatives", .mixed(.alternative(.plain, .html), .alternative(.plain, .html)),
            text: [0, 2], html: [1, 3]),
        Row(
            "an alternative of a plain text alone, then HTML",
            .mixed(.alternative(.plain), .html), html: [0, 1]),
    ]

    private static let alternatives: [Row] = [
        Row("plain and HTML", .alternative(.plain, .html), text: [0], html: [1]),
        Row("HTML and plain", .alternative(.html, .plain), text: [1], html: [0]),
        Row(
            "two of each", .alternative(.plain, .html, .plain, .html), text: [2], html: [3],
            leftOut: 2),
        Row("the last is blank", .alternative(.plain, .blank, .html), text: [0], html: [1]),
        Row(
            "an alternative in an alternative",
            .alternative(.plain, .alternative(.plain, .html)), text: [1], html: [2], leftOut: 1),
        Row(
            "a mixed of HTML in an alternative",
            .alternative(.plain, .mixed(.html, .file, .html)), text: [0], html: [1, 2]),
        Row(
            "a mixed of both in an alternative",
            .alternative(.plain, .mixed(.html, .plain)), text: [0], html: [1, 2]),
        Row(
            "a mixed of plain texts as the plain form",
            .alternative(.mixed(.plain, .file, .plain), .html), text: [0, 1], html: [2]),
        Row(
            "a mixed of both before HTML",
            .alternative(.mixed(.plain, .html), .html), html: [2], leftOut: 2),
        Row(
            "related HTML", .alternative(.plain, .related(.html, .file)), text: [0], html: [1]),
        Row("limited after plain", .alternative(.plain, .limited), text: [0], leftOut: 1),
        Row("limited before HTML", .alternative(.limited, .html), html: [1], leftOut: 1),
        Row("limited alone", .alternative(.limited, .blank), files: [0]),
        Row(
            "limited as a root beside plain",
            .alternative(.plain, .related(.limited, .file)), text: [0], leftOut: 1),
        Row(
            "a calendar beside both", .alternative(.plain, .html, .file), text: [0], html: [1]),
    ]

    private static let roots: [Row] = [
        Row("the first is the root", .related(.html, .file, .html, .plain), html: [0]),
        Row("a picture is first", .related(.file, .html), html: [0]),
        Row(
            "an alternative is the root", .related(.alternative(.plain, .html), .plain),
            text: [0], html: [1]),
        Row("the first text is blank", .related(.blank, .html, .plain), html: [0]),
        Row("an alternative of files is first", .related(.alternative(.attached), .plain)),
        Row("start names the first", .related(.id("a", .html), .html, root: "a"), html: [0]),
        Row(
            "start names the second", .related(.id("b", .html), .id("a", .html), root: "a"),
            html: [1], files: [0]),
        Row(
            "start names an alternative",
            .related(.html, .id("a", .alternative(.plain, .html)), root: "a"), text: [1],
            html: [2], files: [0]),
        Row(
            "start names nothing", .related(.html, .html, .file, root: "x"), html: [0]),
        Row(
            "start names the second, and the first is blank",
            .related(.blank, .id("a", .html), root: "a"), html: [1], files: [0]),
        Row(
            "start names nothing, and the first is blank",
            .related(.blank, .html, root: "x"), html: [1], files: [0]),
        Row("start names nothing beside a blank text", .related(.blank, .file, root: "x")),
        Row("start names a picture", .related(.html, .id("a", .file), root: "a"), html: [0]),
        Row(
            "a related in a mixed", .mixed(.plain, .related(.html, .file), .plain),
            html: [0, 1, 2]),
        Row(
            "the root has a name", .alternative(.plain, .related(.namedHTML, .file)), text: [0],
            html: [1]),
    ]

    private static let names: [Row] = [
        Row("the first shown text has a name", .mixed(.namedPlain, .plain), text: [0, 1]),
        Row("it comes after a file", .mixed(.file, .namedPlain), text: [0]),
        Row("a later text has a name", .mixed(.html, .namedPlain, .namedHTML), html: [0]),
        Row("a text is attached", .mixed(.attached, .plain, .attached), text: [0]),
        Row(
            "a named text after an alternative",
            .mixed(.alternative(.plain, .html), .namedPlain), text: [0], html: [1]),
        Row("a named text after a blank one", .mixed(.blank, .namedPlain), text: [0]),
    ]

    @Test("Each body holds what is shown", arguments: joined + alternatives + roots + names)
    private func plans(row: Row) {
        var walk = Walk()
        walk.take(row.part)
        #expect(walk.shown.finish() == row.plan)
        // The machine is used again.
        walk.shown.begin()
        walk = Walk(reusing: walk.shown)
        walk.take(row.part)
        #expect(walk.shown.finish() == row.plan)
    }

    @Test("A text beyond memory is written at once; those that it would join are files")
    func streams() {
        let rows: [(part: Part, streamed: Int, decisions: [ShownParts.Decision], Row)] = [
            (
                .alternative(.plain, .html), 0, [.hold, .hold],
                Row("", .plain, text: [-1], html: [0])
            ),
            (
                .alternative(.plain, .html, .plain), 0, [.hold, .hold, .look],
                Row("", .plain, text: [-1], html: [0], leftOut: 1)
            ),
            (
                .alternative(.plain, .html, .blank), 0, [.hold, .hold, .look],
                Row("", .plain, text: [-1], html: [0])
            ),
            (
                .alternative(.html, .mixed(.plain, .file)), 0, [.hold, .hold, .attachment],
                Row("", .plain, text: [0], html: [-1])
            ),
            (
                .related(.html, .file, .alternative(.plain, .html)), 0,
                [.hold, .attachment, .attachment, .attachment], Row("", .plain, html: [-1])
            ),
            // What is in the request stays, and the letter is whole in the other body.
            (
                .alternative(.plain, .mixed(.html, .file, .plain)), 0,
                [.hold, .hold, .attachment, .hold],
                Row("", .plain, text: [-1], html: [0, 1])
            ),
            (
                .alternative(.plain, .mixed(.plain, .file)), 0, [.hold, .hold, .attachment],
                Row("", .plain, text: [-1], leftOut: 1)
            ),
            (
                .alternative(.html, .mixed(.html, .plain), .plain), 0,
                [.hold, .hold, .hold, .hold],
                Row("", .plain, text: [2], html: [-1], leftOut: 2)
            ),
            // Inside a mixed nothing is certain.
            (.mixed(.plain, .plain), 0, [.hold, .hold], Row("", .plain, text: [0, 1])),
        ]
        for (part, place, decisions, row) in rows {
            var walk = Walk()
            walk.streamed = [place]
            walk.take(part)
            #expect(walk.decisions == decisions)
            #expect(walk.shown.finish() == row.plan)
        }
    }

    @Test("Texts that are in the request at once are alone in their bodies, and change no plan")
    func atOnce() {
        var generator = SeededGenerator(seed: 42)
        var writtenCount = 0
        for _ in 0..<5_000 {
            let part = tree(3, &generator)
            var waiting = Walk()
            var early = Walk()
            early.goesAtOnce = true
            waiting.take(part)
            early.take(part)
            let plan = early.shown.finish()
            #expect(plan == waiting.shown.finish(), "\(part)")
            if let text = early.written.text {
                writtenCount += 1
                #expect(plan.text == [text] && !plan.html.contains(text), "\(part)")
            }
            if let html = early.written.html {
                writtenCount += 1
                #expect(plan.html == [html], "\(part)")
            }
        }
        #expect(writtenCount > 1_000)
    }

    @Test("Every text of every tree is in a body, a file, or left out for one that is in a body")
    func trees() {
        var generator = SeededGenerator(seed: 41)
        for _ in 0..<3_000 {
            var walk = Walk()
            walk.take(tree(3, &generator))
            let held = walk.decisions.count { $0 == .hold || $0 == .holdAside }
            let dropped = walk.decisions.count { $0 == .leftOut }
            let plan = walk.shown.finish()
            let used = Set(plan.text).union(plan.html).union(plan.files)
            let all = held - walk.blankCount + dropped
            #expect((all - walk.blankAsideCount...all).contains(used.count + plan.leftOutCount))
            #expect(Set(plan.files).isDisjoint(with: plan.text + plan.html))
            #expect(plan.text == plan.text.sorted() && plan.html == plan.html.sorted())
        }
    }

    private func tree(_ depth: Int, _ generator: inout SeededGenerator) -> Part {
        let parts = (0..<Int.random(in: 1...4, using: &generator)).map { _ -> Part in
            if depth > 0, Int.random(in: 0..<3, using: &generator) == 0 {
                return tree(depth - 1, &generator)
            }
            let leaves: [Part] = [
                .plain, .html, .plain, .html, .namedPlain, .attached, .blank, .limited, .file,
                .id("a", .html),
            ]
            return leaves.randomElement(using: &generator) ?? .plain
        }
        let kinds: [EntityHead.MultipartKind] = [.alternative, .related, .other]
        let kind = kinds.randomElement(using: &generator) ?? .other
        let root = Bool.random(using: &generator) ? "a" : ""
        return .multipart(kind, root: root, parts)
    }
}
