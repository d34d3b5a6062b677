// Decides which texts of a message its reader sees, and in which order (RFC 8621 4.1.4).
//
// A machine that sees the structure and no byte. Inline texts are shown in their order; the parts of
// one multipart/alternative stand for the same words; of a multipart/related its root is shown (RFC
// 2387). At the end it says which texts each body is made of, so that whichever body a program
// shows, it shows the whole letter. Bounded by the walker: at most 1,000 parts, 100 levels.

import Wire

/// The texts of one message after the other: `begin`, then `multipartStart`, `leafStart` and
/// `leafEnd` in the order of the message, then `finish`. For messages with a multipart; a message
/// of one leaf needs no plan.
struct ShownParts {
    /// What a leaf is, as far as it matters here.
    struct Leaf {
        enum Media {
            case plain, html
            /// A text that only some programs show: AMP, enriched, watch.
            case limited
            case other
        }
        var media: Media
        /// Its Content-Disposition makes it a file.
        var isAttachment = false
        var hasName = false
        /// Without brackets; empty when there is none.
        var contentID: [UInt8] = []
    }

    /// Where a leaf goes; `leafEnd` follows after each `.hold`, `.holdAside` and `.look`.
    enum Decision: Equatable {
        /// It is a text that is shown, unless it is blank.
        case hold
        /// A text of which the parts after it decide whether it is shown, left out or a file.
        case holdAside
        case attachment
        /// Nowhere: others stand for the same words. The plan counts it.
        case leftOut
        /// Nowhere, for the same reason. The plan counts it unless it is blank.
        case look
    }

    /// What the bodies are made of. A text is named by its number, which `leafEnd` gave it.
    struct Plan: Equatable {
        /// In `text_body`; empty when there is no such body.
        var text: [Int] = []
        /// In `html_body`; empty when there is no such body.
        var html: [Int] = []
        /// Texts that are files after all.
        var files: [Int] = []
        /// Texts for which others stand in both bodies.
        var leftOutCount = 0
    }

    /// A text that is in the request already.
    private struct Written {
        var number: Int
        /// The fewest multiparts that were open since then.
        var fewestOpen: Int
    }

    /// The texts that stand for a part, a multipart or a message.
    private struct Forms {
        /// All of it as plain texts; nil when some of it is HTML only.
        var text: [Int]? = []
        /// All of it for an HTML body, plain texts among it.
        var html: [Int] = []
        /// One of `html` is HTML.
        var hasHTML = false

        var isEmpty: Bool { html.isEmpty }

        /// Adds what is shown after this.
        mutating func join(_ next: Forms) {
            guard !next.isEmpty else { return }
            html += next.html
            hasHTML = hasHTML || next.hasHTML
            if let more = next.text {
                text?.append(contentsOf: more)
            } else {
                text = nil
            }
        }

        /// `next` is another alternative for the same words. The last one of each kind counts,
        /// unless one is in the request and stays there.
        mutating func replace(with next: Forms, beside written: PerBody<Written>) {
            guard !next.isEmpty else { return }
            guard !isEmpty else {
                self = next
                return
            }
            let keepsText = written.text.map { text?.count == 1 && text?[0] == $0.number } ?? false
            let keepsHTML = written.html.map { html.count == 1 && html[0] == $0.number } ?? false
            if let nextText = next.text, !keepsText { text = nextText }
            if next.hasHTML || !hasHTML, !keepsHTML { html = next.html }
            hasHTML = hasHTML || next.hasHTML
        }
    }

    /// What a text that is in the request already has to do when the current text is shown.
    enum Effect {
        case none
        /// It goes, because the current text stands for the same words.
        case replaced
        /// It waits with the others: which body it is in, and beside what, is open again.
        case moved
    }

    /// An open multipart.
    private struct Node {
        var kind: EntityHead.MultipartKind
        /// Of a multipart/related: the Content-ID of its root; empty when it names none.
        var rootID: [UInt8] = []
        /// The root was seen, so other texts are files.
        var hasRoot = false
        /// Of a multipart/related: the first text, which is the root unless another one is named.
        var firstText: (forms: Forms, number: Int)?
        /// Texts that only some programs show, before any that all show.
        var limited: [Int] = []
        /// A text in it was left out, because one in the request stands for the same words.
        var hasLeftOut = false
        var forms = Forms()
        /// Parts so far.
        var partCount = 0
    }

    /// The leaf between `leafStart` and `leafEnd`.
    private enum Current { case shown(isHTML: Bool), firstText(isHTML: Bool), limited, leftOut }

    private var nodes: [Node] = []
    private var all = Forms()
    private var current: Current?
    private var shownCount = 0
    private var files: [Int] = []
    /// Numbers of texts that are shown, perhaps in other forms.
    private var shown: [Int] = []
    private var leftOutCount = 0
    /// The texts that are in the request already.
    private var written = PerBody<Written>()
    /// They can be taken out again.
    private var mayChange = false

    /// A new message.
    mutating func begin() {
        nodes.removeAll(keepingCapacity: true)
        all = Forms()
        current = nil
        shownCount = 0
        files.removeAll(keepingCapacity: true)
        shown.removeAll(keepingCapacity: true)
        leftOutCount = 0
        written = PerBody()
    }

    /// A multipart begins.
    /// - Parameters:
    ///   - depth: multiparts around its parts, itself counted.
    ///   - rootID: of a multipart/related, what its `start` names; else empty.
    ///   - contentID: its own; without brackets.
    mutating func multipartStart(
        _ kind: EntityHead.MultipartKind, depth: Int, rootID: [UInt8] = [],
        contentID: [UInt8] = []
    ) {
        precondition(depth > 0)
        close(to: depth - 1)
        if let top = nodes.indices.last {
            nodes[top].partCount += 1
            if nodes[top].kind == .related { relatedPart(contentID) }
        }
        nodes.append(Node(kind: kind, rootID: kind == .related ? rootID : []))
    }

    /// A leaf begins.
    /// - Parameters:
    ///   - depth: multiparts around it, at least one.
    ///   - mayChange: texts that are in the request already can be taken out until its end.
    mutating func leafStart(_ leaf: Leaf, depth: Int, mayChange: Bool = false) -> Decision {
        precondition(depth > 0 && current == nil)
        self.mayChange = mayChange
        close(to: depth)
        guard let top = nodes.indices.last else { return .attachment }
        nodes[top].partCount += 1
        guard !leaf.isAttachment else { return .attachment }
        switch leaf.media {
        case .other: return .attachment
        case .limited: return limited()
        case .plain, .html: return text(leaf)
        }
    }

    /// A leaf that is held or looked at is complete.
    /// - Parameters:
    ///   - isBlank: it has nothing to see.
    ///   - number: its own from now on, larger than those before it; negative for a text that a
    ///     template replaces; nil for one that is forgotten or was only looked at.
    mutating func leafEnd(isBlank: Bool, number: Int?) {
        guard let ended = current else { preconditionFailure("no leaf is held") }
        current = nil
        guard let top = nodes.indices.last else { return }
        switch (ended, number) {
        case (.leftOut, _):
            guard !isBlank else { break }
            leftOutCount += 1
            for index in nodes.indices { nodes[index].hasLeftOut = true }
        case (.limited, let number?): nodes[limitedHome ?? top].limited.append(number)
        case (.shown(let isHTML), let number?) where !isBlank:
            shown.append(number)
            shownCount += 1
            absorb(Self.forms(isHTML, number), into: top)
        case (.shown, _):
            // A blank root takes nobody's place.
            if nodes[top].rootID.isEmpty { nodes[top].hasRoot = false }
        case (.firstText(let isHTML), let number?):
            if !isBlank { shownCount += 1 }
            nodes[top].firstText = (isBlank ? Forms() : Self.forms(isHTML, number), number)
        case (.limited, nil), (.firstText, nil): break
        }
    }

    /// The message is complete.
    mutating func finish() -> Plan {
        close(to: 0)
        var plan = Plan()
        if all.hasHTML { plan.html = all.html }
        plan.text = all.text ?? []
        plan.files = files.sorted()
        plan.leftOutCount = leftOutCount
        var isUsed = [Bool](repeating: false, count: (shown.max() ?? -1) + 1)
        for number in plan.text where number >= 0 { isUsed[number] = true }
        for number in plan.html where number >= 0 { isUsed[number] = true }
        for number in shown where number >= 0 && !isUsed[number] { plan.leftOutCount += 1 }
        return plan
    }
}

// MARK: - Texts that are in the request already

extension ShownParts {
    /// Whether the current text is certain of its place, as far as is known, so that it can be written
    /// before the parts after it are known: nothing but alternatives and roots is around it, and none
    /// of these has another text to be joined with it.
    var mayStream: Bool {
        guard case .shown(let isHTML) = current else { return false }
        guard written[isHTML: isHTML] == nil || effect(onHTML: isHTML) == .replaced else {
            return false
        }
        return nodes.allSatisfy { node in
            switch node.kind {
            case .alternative: true
            case .related: node.forms.isEmpty && node.firstText == nil
            case .other: false
            }
        }
    }

    /// Whether nothing but alternatives is around the current text. In a multipart/related other parts
    /// may be joined with it, and a request that has left cannot change for them.
    var isAmongAlternatives: Bool { isAlternative(from: 0) }

    /// The current text is in the request, and takes the place of one that `effect` calls replaced.
    /// `leafEnd` follows, with the same number.
    mutating func streams(as number: Int) {
        guard case .shown(let isHTML) = current else { preconditionFailure("no text is shown") }
        written[isHTML: isHTML] = Written(number: number, fewestOpen: nodes.count)
    }

    /// What happens to the text in the request of that kind, if there is one that can be taken out,
    /// and the current text is shown.
    func effect(onHTML isWrittenHTML: Bool) -> Effect {
        guard mayChange else { return .none }
        let isHTML: Bool
        switch current {
        case .shown(let kind), .firstText(let kind): isHTML = kind
        case .limited, .leftOut, nil: return .none
        }
        guard let open = written[isHTML: isWrittenHTML]?.fewestOpen, open > 0 else { return .none }
        // Parts of a multipart/related are joined.
        guard nodes[open - 1].kind == .alternative else { return .moved }
        guard isWrittenHTML == isHTML else { return .none }
        return isAlternative(from: open) ? .replaced : .moved
    }

    /// Whether all open multiparts from that index on are alternatives.
    private func isAlternative(from index: Int) -> Bool {
        nodes[index...].allSatisfy { $0.kind == .alternative }
    }

    /// The text of that kind is not in the request any more.
    mutating func isTakenBack(isHTML: Bool) { written[isHTML: isHTML] = nil }

    /// What becomes of a text beside those that are in the request and stay there; nil when they do
    /// not matter. Parts of the same multipart are files. A text that stands for the same words is
    /// left out; inside another multipart it may belong to a body of the other kind, and waits.
    private func besideWritten(isHTML: Bool) -> Decision? {
        guard !mayChange else { return nil }
        var decision: Decision?
        for kind in [false, true] {
            guard let open = written[isHTML: kind]?.fewestOpen else { continue }
            guard open > 0, nodes[open - 1].kind == .alternative else { return .attachment }
            if kind == isHTML, isAlternative(from: open) { decision = .look }
        }
        return decision
    }
}

// MARK: - Decisions

extension ShownParts {
    private static func forms(_ isHTML: Bool, _ number: Int) -> Forms {
        Forms(text: isHTML ? nil : [number], html: [number], hasHTML: isHTML)
    }

    private mutating func text(_ leaf: Leaf) -> Decision {
        let isHTML = leaf.media == .html
        let top = nodes.count - 1
        if nodes[top].kind == .related {
            guard !nodes[top].hasRoot else { return .attachment }
            if !nodes[top].rootID.isEmpty {
                guard leaf.contentID == nodes[top].rootID else {
                    return first(leaf, isHTML: isHTML)
                }
            }
            if let other = besideWritten(isHTML: isHTML) { return noted(other) }
            takeRoot()
        } else {
            if leaf.hasName && shownCount > 0 { return .attachment }
            if let other = besideWritten(isHTML: isHTML) { return noted(other) }
        }
        current = .shown(isHTML: isHTML)
        return .hold
    }

    private mutating func noted(_ decision: Decision) -> Decision {
        if decision == .look { current = .leftOut }
        return decision
    }

    /// A text of a multipart/related whose root has another name and has not come yet.
    private mutating func first(_ leaf: Leaf, isHTML: Bool) -> Decision {
        let top = nodes.count - 1
        guard nodes[top].firstText?.forms.isEmpty ?? true, besideWritten(isHTML: isHTML) == nil,
            !leaf.hasName || shownCount == 0
        else { return .attachment }
        if let blank = nodes[top].firstText {
            nodes[top].firstText = nil
            files.append(blank.number)
        }
        current = .firstText(isHTML: isHTML)
        return .holdAside
    }

    /// A multipart begins in the innermost multipart, a related: it may be the root.
    private mutating func relatedPart(_ contentID: [UInt8]) {
        let top = nodes.count - 1
        if nodes[top].rootID.isEmpty {
            if nodes[top].partCount == 1 { nodes[top].hasRoot = true }
        } else if nodes[top].rootID == contentID {
            takeRoot()
        }
    }

    /// The root of the innermost multipart has come: the first text is a file.
    private mutating func takeRoot() {
        let top = nodes.count - 1
        nodes[top].hasRoot = true
        guard let first = nodes[top].firstText else { return }
        nodes[top].firstText = nil
        if !first.forms.isEmpty { shownCount -= 1 }
        files.append(first.number)
    }

    /// Beside a text that all programs show it is left out; without one it is a file.
    private mutating func limited() -> Decision {
        guard let home = limitedHome else { return .attachment }
        guard nodes[home...].allSatisfy({ $0.forms.isEmpty && !$0.hasLeftOut }) else {
            leftOutCount += 1
            return .leftOut
        }
        current = .limited
        return .holdAside
    }

    /// The multipart/alternative that a leaf is one of, itself or as the first part of a
    /// multipart/related; nil when there is none.
    private var limitedHome: Int? {
        let top = nodes.count - 1
        if nodes[top].kind == .alternative { return top }
        guard nodes[top].kind == .related, nodes[top].partCount == 1, top > 0,
            nodes[top - 1].kind == .alternative
        else { return nil }
        return top - 1
    }

    private mutating func absorb(_ forms: Forms, into index: Int) {
        if nodes[index].kind == .alternative {
            nodes[index].forms.replace(with: forms, beside: written)
        } else {
            nodes[index].forms.join(forms)
        }
    }

    /// Closes multiparts until `depth` of them are open.
    private mutating func close(to depth: Int) {
        while nodes.count > depth {
            var node = nodes.removeLast()
            if let (first, number) = node.firstText, !first.isEmpty {
                // No part has the name of the root. Numbers are in the order of the message.
                shown.append(number)
                node.forms.join(first)
                node.forms.html.sort()
                node.forms.text?.sort()
            }
            if node.forms.isEmpty && !node.hasLeftOut {
                files += node.limited
            } else {
                leftOutCount += node.limited.count
            }
            guard let top = nodes.indices.last else {
                all.join(node.forms)
                continue
            }
            absorb(node.forms, into: top)
            if nodes[top].kind == .related, nodes[top].rootID.isEmpty, !node.forms.isEmpty {
                nodes[top].hasRoot = true
            }
        }
        if let open = written.text?.fewestOpen { written.text?.fewestOpen = min(open, depth) }
        if let open = written.html?.fewestOpen { written.html?.fewestOpen = min(open, depth) }
    }
}
