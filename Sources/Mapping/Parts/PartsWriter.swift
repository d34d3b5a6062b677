// Writes the bodies and the attachments of a request as their parts arrive.
//
// The text of a message without parts goes into its body at once. In a multipart `ShownParts` decides
// where a leaf goes: attachments are written as they pass, as one list, and texts wait in `HeldParts`
// until the end of the message shows which body they are in. A text with nothing but alternatives
// around it does not wait: it goes into its body at once. If a later part takes its place, it is
// cut out again; if a later part belongs beside it, it is taken back to those that wait. Both only
// while the request is so short that nothing of it has left; then it stays. This file is the place to
// change which kind of part goes where.

import Wire

/// The parts of one message after the other: `begin`, then `startMultipart`, `startLeaf`, `feed`…,
/// `endLeaf`, then `finish` and `writeWaiting` until it says true.
struct PartsWriter: ~Copyable {
    /// Where the content of a leaf goes.
    private enum Route {
        /// Into `text_body` or `html_body`.
        case body
        /// To the texts that wait.
        case held
        /// Nowhere, once it has something to see.
        case looked
        case attachment
        /// Nowhere.
        case nowhere
    }

    private let sink: JSONSink
    private let held: HeldParts
    /// Of the current leaf; nil between two leaves.
    private var route: Route?
    /// A body is written, or waits, or is replaced by a template.
    private var hasBody = false
    /// All leaves are complete.
    private var isFinished = false
    private var text: TextWriter
    private var attachments: AttachmentsWriter
    private var output: HeldOutput
    private var survey: PartSurvey
    /// No leaf has begun.
    private var isFirst = true

    /// The message has a multipart, so what follows is used.
    private var hasParts = false
    private var shown = ShownParts()
    /// Of each text that waits.
    private var isHTML: [Bool] = []
    /// Of each HTML text in a multipart/related.
    private var scopes: [(number: Int, scope: LocationTies.Scope)] = []
    /// The heads of texts that may turn out to be files.
    private var fileHeads: [(number: Int, head: EntityHead)] = []
    /// The texts that are in the request already.
    private var written = PerBody<Int>()
    /// Characters that were replaced in texts that are or were in the request.
    private var replacedCounts: [(number: Int, count: Int)] = []
    /// A request that was never longer can be changed, because nothing of it has left.
    private let changeableBytesMax: Int

    /// - Parameter heldBytesMax: nothing of a request that is not complete leaves before it is
    ///   longer.
    init(
        options: MappingOptions, charsets: CharsetCache, scratch: MapperScratch, sink: JSONSink,
        held: HeldParts, heldBytesMax: Int
    ) {
        self.sink = sink
        self.held = held
        changeableBytesMax = min(heldBytesMax, HeldParts.memoryBytesMax)
        survey = PartSurvey(options: options)
        text = TextWriter(charsets: charsets, scratch: scratch, held: held, into: sink)
        attachments = AttachmentsWriter(options: options, scratch: scratch, sink: sink)
        output = HeldOutput(held: held, scratch: scratch, sink: sink)
    }

    /// Whether no body is written or waits, nor is replaced by a template; after `finish`.
    var isBodyMissing: Bool { !hasBody }

    /// A new message.
    /// - Parameter files: where text that waits may spill.
    mutating func begin(files: (any TemporaryFiles)?) {
        held.begin(files: files)
        route = nil
        hasBody = false
        isFinished = false
        isFirst = true
        attachments.begin()
        output.begin()
        survey.begin()
        guard hasParts else { return }
        hasParts = false
        shown.begin()
        isHTML.removeAll(keepingCapacity: true)
        scopes.removeAll(keepingCapacity: true)
        fileHeads.removeAll()
        written = PerBody()
        replacedCounts.removeAll(keepingCapacity: true)
    }

    /// A multipart begins.
    /// - Parameter walker: at `.multipartStart`.
    mutating func startMultipart(
        of walker: borrowing PartWalker, _ findings: inout Findings
    ) {
        hasParts = true
        let head = walker.leafHead
        survey.multipartStart(head, depth: walker.leafDepth, &findings)
        shown.multipartStart(
            walker.multipartKind, depth: walker.leafDepth, rootID: head.start,
            contentID: head.contentID)
    }

    /// A leaf begins.
    /// - Parameter walker: at `.leafStart`.
    mutating func startLeaf(
        of walker: borrowing PartWalker, hasTemplate: Bool, _ findings: inout Findings
    ) {
        let leaf = walker.leafTraits
        if leaf.encoding == .unknown { findings.count(.encodingsIrregular) }
        defer { isFirst = false }
        if hasParts { return startPart(of: walker, leaf, hasTemplate: hasTemplate, &findings) }
        let isText = leaf.media == .textPlain || leaf.media == .textHTML
        if !isText || leaf.isAttachment {
            startAttachment(of: walker, &findings)
        } else if hasTemplate {
            replaceByTemplate(&findings)
        } else {
            countCharset(leaf, &findings)
            text.begin(leaf)
            route = .body
        }
    }

    /// Content of the current leaf, still transfer-encoded; used up.
    mutating func feed(_ content: Bytes, _ findings: inout Findings) {
        guard content.count > 0 else { return }
        switch route {
        case .body, .held, .looked: text.feed(content)
        case .attachment: attachments.feed(content, &findings)
        case .nowhere, nil: break
        }
    }

    /// The current leaf is complete.
    mutating func endLeaf(_ findings: inout Findings) {
        switch route {
        case .body: if text.finish(&findings) != .blank { hasBody = true }
        case .held: endPart(&findings)
        case .looked:
            shown.leafEnd(isBlank: text.finish(&findings) == .blank, number: nil)
        case .attachment: attachments.finish(&findings)
        case .nowhere, nil: break
        }
        route = nil
    }

    /// Ends the message, wherever it is.
    mutating func end() { held.discard() }

    private mutating func startAttachment(
        of walker: borrowing PartWalker, _ findings: inout Findings
    ) {
        let head = walker.leafHead
        let madeID = survey.attachmentStart(
            head, depth: walker.leafDepth, isFirst: isFirst, &findings)
        // HTML may name it by its place.
        if !head.location.isEmpty, isChangeable { takeBack(isHTML: true) }
        attachments.start(head, isInBody: walker.isInAlternative, madeID: madeID)
        route = .attachment
    }

    private mutating func replaceByTemplate(_ findings: inout Findings) {
        findings.count(.bodiesReplacedByTemplate)
        hasBody = true
        route = .nowhere
    }

    private func countCharset(_ leaf: EntityTraits, _ findings: inout Findings) {
        if leaf.charset.kind == .unknown { findings.count(.charsetsUnknown) }
    }
}

// MARK: - Parts of a multipart

extension PartsWriter {
    private mutating func startPart(
        of walker: borrowing PartWalker, _ leaf: EntityTraits, hasTemplate: Bool,
        _ findings: inout Findings
    ) {
        let media = Self.media(leaf, of: walker)
        var part = ShownParts.Leaf(media: media, isAttachment: leaf.isAttachment)
        if media != .other {
            let head = walker.leafHead
            part.hasName = !head.filename.isEmpty
            part.contentID = head.contentID
        }
        switch shown.leafStart(part, depth: walker.leafDepth, mayChange: isChangeable) {
        case .attachment: startAttachment(of: walker, &findings)
        case .leftOut: route = .nowhere
        case .look:
            text.beginSeen(leaf)
            route = .looked
        case .hold where hasTemplate:
            replaceByTemplate(&findings)
            shown.leafEnd(isBlank: false, number: Self.replaced)
        case .hold:
            let waits = mayNamePlaces(leaf, isInRelated: noteScope(of: walker, leaf))
            let mayStream = shown.mayStream && !attachments.isListOpen
            let goesAtOnce =
                mayStream && shown.isAmongAlternatives && sink.isRequest && !waits
            hold(leaf, goesAtOnce: goesAtOnce, mayStream: mayStream, &findings)
        case .holdAside:
            _ = noteScope(of: walker, leaf)
            fileHeads.append((held.nextNumber, walker.leafHead))
            hold(leaf, mayBeFile: true, &findings)
        }
    }

    private mutating func hold(
        _ leaf: EntityTraits, goesAtOnce: Bool = false, mayStream: Bool = false,
        mayBeFile: Bool = false, _ findings: inout Findings
    ) {
        if !mayBeFile { countCharset(leaf, &findings) }
        text.beginHeld(
            leaf, goesAtOnce: goesAtOnce, mayStream: mayStream, mayBeFile: mayBeFile)
        isHTML.append(leaf.media == .textHTML)
        route = .held
    }

    /// Of HTML in a multipart/related, which may name parts beside it by their places.
    /// - Returns: whether it is that.
    private mutating func noteScope(of walker: borrowing PartWalker, _ leaf: EntityTraits) -> Bool {
        guard leaf.media == .textHTML, walker.isInAlternative else { return false }
        let scope = survey.ties.scope(ofText: walker.leafHead, depth: walker.leafDepth)
        guard scope != .none else { return false }
        scopes.append((held.nextNumber, scope))
        return true
    }

    /// Whether a text is HTML that waits for pictures, because it may name them by their places.
    private func mayNamePlaces(_ leaf: EntityTraits, isInRelated: Bool) -> Bool {
        isInRelated || leaf.media == .textHTML && !survey.ties.isEmpty
    }

    private mutating func endPart(_ findings: inout Findings) {
        switch text.finish(&findings) {
        case .held(let isBlank):
            let number = held.nextNumber - 1
            if !isBlank { makeRoom() }
            shown.leafEnd(isBlank: isBlank, number: number)
        case .blank:
            isHTML.removeLast()
            if scopes.last?.number == held.nextNumber { scopes.removeLast() }
            shown.leafEnd(isBlank: true, number: nil)
            if fileHeads.last?.number == held.nextNumber { fileHeads.removeLast() }
        case .seen: preconditionFailure("the text was kept")
        case .written:
            let number = held.nextNumber - 1
            hasBody = true
            written[isHTML: isHTML[number]] = number
            if text.replacedCount > 0 { replacedCounts.append((number, text.replacedCount)) }
            shown.streams(as: number)
            shown.leafEnd(isBlank: false, number: number)
        }
    }

    /// The number of texts that a template replaces.
    private static let replaced = -1

    /// RFC 1896 (enriched), its forerunner (RFC 1341's richtext), AMP for Email, and what Apple
    /// sends for its watch.
    private static func media(
        _ leaf: EntityTraits, of walker: borrowing PartWalker
    ) -> ShownParts.Leaf.Media {
        switch leaf.media {
        case .textPlain: return .plain
        case .textHTML: return .html
        case .textOther:
            let head = walker.leafHead
            let type = head.mediaType.span
            let isLimited =
                type.equalsIgnoringCase("text/x-amp-html")
                || type.equalsIgnoringCase("text/enriched")
                || type.equalsIgnoringCase("text/richtext")
                || type.equalsIgnoringCase("text/watch-html")
            return isLimited ? .limited : .other
        case .multipart, .messageRFC822, .other: return .other
        }
    }
}

// MARK: - Texts that are in the request already

extension PartsWriter {
    /// Whether they can be taken out again.
    private var isChangeable: Bool { sink.isRequest(within: changeableBytesMax) }

    /// The current text is shown, and waits: those in the request go whose place it takes or changes.
    private mutating func makeRoom() {
        for isHTML in [false, true] where written[isHTML: isHTML] != nil {
            switch shown.effect(onHTML: isHTML) {
            case .none: continue
            case .replaced:
                sink.removeBody(isHTML: isHTML)
                written[isHTML: isHTML] = nil
                shown.isTakenBack(isHTML: isHTML)
            case .moved: takeBack(isHTML: isHTML)
            }
        }
    }

    /// Moves a text from the request to those that wait.
    private mutating func takeBack(isHTML: Bool) {
        guard let number = written[isHTML: isHTML] else { return }
        held.open()
        let held = held
        sink.readBody(isHTML: isHTML) { held.append($0) }
        held.close(as: number)
        sink.removeBody(isHTML: isHTML)
        written[isHTML: isHTML] = nil
        shown.isTakenBack(isHTML: isHTML)
    }

    private func countReplaced(in plan: ShownParts.Plan, _ findings: inout Findings) {
        guard !replacedCounts.isEmpty else { return }
        let used = Set(plan.text + plan.html)
        for (number, count) in replacedCounts where used.contains(number) {
            findings.count(.charactersReplaced, count)
        }
    }
}

// MARK: - Texts that wait

extension PartsWriter {
    /// Bytes of text that waits, about.
    var waitingBytes: Int { isFinished ? output.byteCount : held.byteCount }

    /// Where the message may spill; nil when it may not.
    var files: (any TemporaryFiles)? { held.files }

    /// Why text that waits is lost; nil when it is not.
    var spillFailure: SpillFailure? { held.failure }

    /// All leaves are complete.
    mutating func finish(hasTemplate: Bool, _ findings: inout Findings) {
        isFinished = true
        guard hasParts else { return attachments.close() }
        let plan = shown.finish()
        findings.count(.alternativesNotShown, plan.leftOutCount)
        let isFile = Set(plan.files)
        let files = fileHeads.filter { isFile.contains($0.number) }
        if files.isEmpty {
            attachments.close()
        } else {
            output.addFiles(files)
        }
        countReplaced(in: plan, &findings)
        let text = plan.text.filter { $0 != Self.replaced && $0 != written.text }
        let html = plan.html.filter { $0 != Self.replaced && $0 != written.html }
        guard !hasTemplate else {
            return findings.count(.bodiesReplacedByTemplate, Set(text + html).count)
        }
        let isShown = Set(text + html)
        for (number, head) in fileHeads where isShown.contains(number) {
            countCharset(head.traits, &findings)
            output.addDecoding(number, head.traits)
        }
        output.addText(text)
        if survey.ties.isEmpty {
            output.addHTML(html) { isHTML[$0] }
        } else {
            findings.count(.picturesNotTied, untiedCount(of: plan.html))
            output.addHTML(html, ties: survey.ties, scopes) { isHTML[$0] }
        }
        if !text.isEmpty || !html.isEmpty { hasBody = true }
    }

    /// Pictures whose HTML was too long to wait for them.
    private func untiedCount(of texts: [Int]) -> Int {
        var count = survey.ties.forgottenCount
        for number in texts {
            let isTied =
                number != Self.replaced && number != written.html
                && (!isHTML[number] || held.byteCount(of: number) <= HeldOutput.tiedBytesMax)
            guard !isTied else { continue }
            let scope = scopes.first { $0.number == number }?.scope ?? .none
            count += survey.ties.untiedCount(in: scope)
        }
        return count
    }

    /// The API wants a body, and a message need not have one. What somebody wrote in front of the
    /// first part instead of into a part is better than nothing.
    /// - Parameter preamble: that text; may be empty.
    mutating func substituteBody(_ preamble: [UInt8], _ findings: inout Findings) {
        guard !preamble.isEmpty else { return output.addSubstitute() }
        text.beginHeld(EntityTraits())
        text.feed(preamble.span)
        guard case .held = text.finish(&findings) else { return output.addSubstitute() }
        output.addText([held.nextNumber - 1])
    }

    /// Writes what waits, about `bytes` at most.
    /// - Returns: whether all of it is written; false after a failure or a refusal.
    mutating func writeWaiting(upTo bytes: Int, _ findings: inout Findings) -> Bool {
        output.move(upTo: bytes, files: &attachments, texts: &text, &findings)
    }
}
