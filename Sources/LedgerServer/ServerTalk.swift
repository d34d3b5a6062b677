// The conversation with a Valkey or Redis server over one connection: questions and changes in, commands
// out; bytes in, answers out. The machine inside a loop's desk: no socket, clock or closure.
//
//                 opened               key is there            closed, error, silence
//     closed -----------> greeting ---------------> open ---------------------------> closed
//
// Commands are pipelined, and replies come in their order. While the server refuses writes (full, a
// replica) it is still asked, and changes are owed.

import Log
import Reactor
import Relay
import Wire

/// One connection's conversation.
struct ServerTalk {
    /// What the owner has to do, or to know.
    enum Effect {
        /// The server is there: the fleet's key, and which life of its data this is.
        case opened(key: ContentHash.Key, life: UInt64)
        /// The server has another life than before: what it knew is lost.
        case reborn(life: UInt64)
        /// The answer to `lookUp`; nil when there is none.
        case answered(question: Int, LedgerAnswer?)
        /// All changes before this one are written, or given up.
        case passed(barrier: Int)
        case heard([FleetNews])
        /// Writes are refused (the server's words), or taken again.
        case writable(refusal: String?)
        /// The fleet's news cannot be read or told.
        case newsRefused(String)
        /// The connection is of no use any more.
        case broken(String)
    }

    enum Phase { case closed, greeting, open }

    /// What a reply answers.
    private enum Purpose {
        case password, database, claim, key
        case lists(ticket: UInt64, LedgerScope)
        case look(Int)
        case take(Int)
        case lease(LedgerChange)
        /// Part of a change; the last one ends it.
        case change(LedgerChange, isLast: Bool)
        case barrier(Int)
        case beatClaim, beatKey
        case news
        case telling
    }

    private struct Awaited {
        let purpose: Purpose
        let since: MonotonicTime
    }

    private struct Look {
        let question: LedgerQuestion
        /// Of an acceptance that is being taken.
        var found: LedgerAnswer?
    }

    private let options: TalkOptions
    private let namer: ServerNamer
    private var reader = ReplyReader()
    /// Names this process in the server.
    private let process: UInt64
    /// This connection also reads the fleet's news.
    private let readsNews: Bool

    private(set) var phase = Phase.closed
    /// Why the server refuses writes; nil while it takes them.
    private(set) var refusal: String?
    private var commands: LedgerCommands
    private(set) var effects: [Effect] = []

    private var awaited = Line<Awaited>()
    /// Of these, replies to commands that were not sent yet.
    private var unsentCount = 0
    private var looks: [Int: Look] = [:]
    private var lastLook = 0
    /// Questions that wait for what the server says to a ticket.
    private var looksOfTickets: [UInt64: [Int]] = [:]
    private var tickets = TicketBook()
    private var leases = LeaseBook()
    private var owed: OwedChanges
    /// What the server has lost with an earlier life, and memory knows; in no hurry.
    private var restored: [LedgerChange] = []
    /// Changes that were sent and are not answered.
    private var sentChanges = 0
    /// A part of the present change was refused.
    private var isChangeRefused = false
    private var proposal: [UInt8] = []
    private var life: UInt64 = 0
    private var newsReader = NewsReader()
    /// Milliseconds since 1970 at the loop's time 0.
    private var wallStart: Int64 = 0

    /// - Parameter process: a random number that names this process.
    init(options: TalkOptions, namer: ServerNamer, process: UInt64, readsNews: Bool) {
        self.options = options
        self.namer = namer
        self.process = process
        self.readsNews = readsNews
        commands = LedgerCommands(prefix: options.prefix)
        owed = OwedChanges(bounds: options.owed)
    }

    // MARK: What is known

    var isOpen: Bool { phase == .open }

    /// Changes that the server has not confirmed.
    var waitingChanges: Int { owed.count + restored.count + sentChanges }

    /// Changes that found no room.
    var lostChanges: Int { owed.lost }

    /// When the oldest question that waits was asked.
    var waitingSince: MonotonicTime? { awaited.first?.since }

    /// The server owes an answer for longer than a message waits.
    func isSlow(at now: MonotonicTime) -> Bool {
        awaited.first.map { now.milliseconds(since: $0.since) >= options.patienceMilliseconds }
            ?? false
    }

    /// When the connection is given up if nothing comes.
    var silenceEnd: MonotonicTime {
        waitingSince?.advanced(byMilliseconds: options.silenceMilliseconds) ?? .never
    }

    // MARK: The connection

    /// Until the server says otherwise, names are made with this key.
    mutating func useKey(_ key: ContentHash.Key) { namer.use(key) }

    /// The connection is there.
    /// - Parameters:
    ///   - life: a random number for the server's data, if it has none.
    ///   - wallClock: seconds since 1970.
    mutating func opened(life: UInt64, at now: MonotonicTime, wallClock: Int64) {
        precondition(phase == .closed)
        phase = .greeting
        refusal = nil
        reader = ReplyReader()
        setClock(wallClock, now)
        if !options.password.isEmpty {
            commands.logIn(user: options.user, password: options.password)
            expect(.password, now)
        }
        if options.database != 0 {
            commands.select(options.database)
            expect(.database, now)
        }
        propose(life)
        claim(.claim, now)
        readKey(.key, now)
    }

    /// What the server keeps of the key: the key, or with a secret only what tells secrets apart.
    private var keyWords: String {
        options.hasSecret
            ? "2 \(namer.name(.secret, account: 0).text)" : "1 \(namer.key.text)"
    }

    /// What the server is to keep of the key, unless it keeps something.
    private mutating func propose(_ life: UInt64) {
        proposal = Array("\(keyWords) \(hexadecimal(life))".utf8)
    }

    private mutating func claim(_ purpose: Purpose, _ now: MonotonicTime) {
        commands.claimKey(proposal)
        expect(purpose, now)
    }

    private mutating func readKey(_ purpose: Purpose, _ now: MonotonicTime) {
        commands.readKey()
        expect(purpose, now)
    }

    /// Bytes of the server; read during this call only.
    mutating func received(_ bytes: Bytes, at now: MonotonicTime) {
        do throws(ReplyFault) {
            try reader.feed(bytes)
            while phase != .closed, let reply = try reader.next() {
                guard let next = awaited.popFirst() else { throw ReplyFault() }
                take(reply, next, at: now)
            }
        } catch {
            fail("the server does not speak RESP, or says too much", at: now)
        }
        sendOwed(at: now)
    }

    /// The connection has ended. What was under way is owed, or answered with nothing.
    mutating func closed(at now: MonotonicTime) {
        phase = .closed
        commands.removeAll()
        unsentCount = 0
        var wasOwed = owed
        owed = OwedChanges(bounds: options.owed)
        while let next = awaited.popFirst() {
            switch next.purpose {
            case .lists(let ticket, let scope): takeLists(ticket, scope, nil, at: now)
            case .look(let id), .take(let id): endLook(id, looks[id]?.found)
            case .lease(let change):
                leases.drop(change.digest)
                owe(change, at: now)
            case .change(let change, isLast: true): owe(change, at: now)
            case .barrier(let id): effects.append(.passed(barrier: id))
            default: break
            }
        }
        sentChanges = 0
        isChangeRefused = false
        for change in wasOwed.take(.max) { owe(change, at: now) }
    }

    /// What is written no more here: its owner hands it to somebody else.
    mutating func takeOwed() -> [LedgerChange] { restored + owed.take(.max) }

    /// The server owes replies.
    var isAwaiting: Bool { awaited.count > unsentCount }

    /// Commands wait to be sent.
    var hasOutput: Bool { !commands.writer.bytes.isEmpty }

    /// Takes the commands that wait to be sent.
    mutating func takeOutput(_ send: (Bytes, _ isSecret: Bool) -> Void) {
        send(commands.writer.bytes.span, commands.writer.isSecret)
        commands.removeAll()
        unsentCount = 0
        tickets.sent()
    }

    mutating func takeEffects() -> [Effect] {
        var taken: [Effect] = []
        swap(&taken, &effects)
        return taken
    }

    // MARK: Questions

    /// Whether a scope may have any record; `mayHold` knows later.
    /// - Returns: the ticket, which may be that of an equal question that was not sent yet.
    mutating func inquire(_ scope: LedgerScope, at now: MonotonicTime) -> UInt64 {
        if let ticket = tickets.unsent(scope) { return ticket }
        let ticket = tickets.ask(scope)
        commands.exists(namer.name(of: scope))
        expect(.lists(ticket: ticket, scope), now)
        return ticket
    }

    /// What the server said to a ticket; true as long as it has not, and for one of another time.
    func mayHold(_ ticket: UInt64) -> Bool { tickets.mayHold(ticket) }

    /// The same of records of recipients.
    func mayHoldRecipients(_ ticket: UInt64) -> Bool { tickets.mayHoldRecipients(ticket) }

    /// The ticket's question waits to be sent.
    func isUnsent(_ ticket: UInt64) -> Bool { tickets.isUnsent(ticket) }

    /// Asks for records; `answered` follows.
    mutating func lookUp(_ question: LedgerQuestion, at now: MonotonicTime) -> Int {
        lastLook += 1
        looks[lastLook] = Look(question: question)
        if let ticket = tickets.unanswered(question.scope) {
            // Nearly always it is over with that answer.
            looksOfTickets[ticket, default: []].append(lastLook)
        } else {
            sendLook(lastLook, question, at: now)
        }
        return lastLook
    }

    private mutating func sendLook(
        _ id: Int, _ question: LedgerQuestion, at now: MonotonicTime
    ) {
        commands.look(
            whole: question.whole.map { namer.name(of: $0, in: question.scope) },
            recipients: question.recipients.map { namer.name(of: $0, in: question.scope) })
        expect(.look(id), now)
    }

    /// Nobody waits for this answer any more.
    /// - Returns: what is known so far.
    mutating func giveUp(_ question: Int) -> LedgerAnswer? {
        looks.removeValue(forKey: question)?.found
    }

    // MARK: Changes

    /// Makes changes, or owes them.
    mutating func apply(_ changes: [LedgerChange], at now: MonotonicTime) {
        guard phase == .open, refusal == nil, owed.isEmpty, !isSlow(at: now) else {
            for change in changes { owe(change, at: now) }
            return sendOwed(at: now)
        }
        var renewed = RenewedLists()
        for change in changes { send(change, at: now, &renewed) }
    }

    /// `passed` follows when the server has answered all changes so far.
    /// - Returns: false when nobody needs to wait, and nothing follows.
    mutating func barrier(_ id: Int, at now: MonotonicTime) -> Bool {
        guard phase == .open, refusal == nil, owed.isEmpty, sentChanges > 0, !isSlow(at: now)
        else { return false }
        // Any command will do: replies come in order.
        readKey(.barrier(id), now)
        return true
    }

    /// The server lost its data: it is told of these again, where it knows nothing newer.
    mutating func restore(_ changes: [LedgerChange], at now: MonotonicTime) {
        restored += changes
        sendOwed(at: now)
    }

    private mutating func owe(_ change: LedgerChange, at now: MonotonicTime) {
        owed.append(change, at: now)
    }

    private mutating func sendOwed(at now: MonotonicTime) {
        guard phase == .open, refusal == nil, sentChanges < options.batchChanges,
            !isSlow(at: now), !owed.isEmpty || !restored.isEmpty
        else { return }
        var renewed = RenewedLists()
        for change in owed.take(options.batchChanges - sentChanges) {
            send(change, at: now, &renewed)
        }
        let most = min(options.batchChanges - sentChanges, restored.count)
        guard most > 0 else { return }
        for change in restored.suffix(most) {
            send(change, at: now, &renewed, onlyIfAbsent: true)
        }
        restored.removeLast(most)
    }

    private mutating func send(
        _ change: LedgerChange, at now: MonotonicTime, _ renewed: inout RenewedLists,
        onlyIfAbsent: Bool = false
    ) {
        let name = namer.name(of: change.digest, in: change.scope)
        switch change.kind {
        case .forget:
            unlist(name, "sr", change, now)
            delete(name, "akgt", change, now)
        case .settle(let submission): settle(change, submission, name, at: now)
        case .put(let fact, let until):
            let left = until.milliseconds(since: now)
            guard left > 0 else { return }
            let (kind, list) = LedgerCommands.kinds(of: fact)
            let scope = namer.name(of: change.scope)
            commands.list(name, in: list, of: scope)
            sent(change, now, isLast: false)
            if renewed.isFirst(list, change.scope) {
                commands.renew(list, of: scope, milliseconds: milliseconds(of: list))
                sent(change, now, isLast: false)
            }
            let value = ServerValue.bytes(fact, until: wall(until))
            if case .pending(let submission) = fact {
                leases.ask(change.digest, submission, until: until)
                commands.set(kind, name, value, milliseconds: left, onlyIfAbsent: true)
                sentChanges += 1
                return expect(.lease(change), now)
            }
            commands.set(kind, name, value, milliseconds: left, onlyIfAbsent: onlyIfAbsent)
            guard kind == UInt8(ascii: "a"), !onlyIfAbsent else {
                return sent(change, now, isLast: true)
            }
            sent(change, now, isLast: false)
            leases.drop(change.digest)
            unlist(name, "p", change, now)
            delete(name, "kl", change, now)
        }
    }

    /// How long a list lasts.
    private func milliseconds(of list: UInt8) -> Int {
        switch list {
        case UInt8(ascii: "s"): options.acceptedMilliseconds
        case UInt8(ascii: "p"): options.leaseMilliseconds
        default: options.groupMilliseconds
        }
    }

    private mutating func unlist(
        _ name: ServerName, _ lists: String, _ change: LedgerChange, _ now: MonotonicTime
    ) {
        let scope = namer.name(of: change.scope)
        for list in lists.utf8 {
            commands.unlist(name, in: list, of: scope)
            sent(change, now, isLast: false)
        }
    }

    /// Ends a change.
    private mutating func delete(
        _ name: ServerName, _ kinds: String, _ change: LedgerChange, _ now: MonotonicTime
    ) {
        commands.delete(kinds, name)
        sent(change, now, isLast: true)
    }

    /// Ends a lease that we certainly hold, and for long enough that nobody else can by then.
    private mutating func settle(
        _ change: LedgerChange, _ submission: UInt64, _ name: ServerName, at now: MonotonicTime
    ) {
        guard leases.settle(change.digest, submission, at: now) else { return }
        unlist(name, "p", change, now)
        delete(name, "l", change, now)
    }

    private mutating func sent(_ change: LedgerChange, _ now: MonotonicTime, isLast: Bool) {
        expect(.change(change, isLast: isLast), now)
        if isLast { sentChanges += 1 }
    }

    // MARK: The fleet's news

    /// Tells the fleet.
    mutating func tell(_ news: FleetNews, at now: MonotonicTime) {
        guard phase == .open, refusal == nil, !isSlow(at: now) else { return }
        commands.tell(ServerNews.bytes(news, from: process))
        expect(.telling, now)
        expect(.telling, now)
    }

    private mutating func readNews(_ now: MonotonicTime) {
        let entry = newsReader.next(wall: wall(now))
        commands.readNews(after: entry, count: NewsReader.entriesMax)
        expect(.news, now)
    }

    // MARK: Time

    /// Tries the connection out, once per `beatMilliseconds`, and reads the news.
    /// - Parameter life: a random number for the server's data, in case that it has lost them.
    mutating func beat(life: UInt64, at now: MonotonicTime, wallClock: Int64) {
        guard phase == .open, !isSlow(at: now) else { return }
        setClock(wallClock, now)
        leases.shrink(at: now)
        propose(life)
        claim(.beatClaim, now)
        readKey(.beatKey, now)
        if readsNews { readNews(now) }
    }

    /// The server has been silent for too long.
    mutating func silent(at now: MonotonicTime) {
        fail("no answer for \(options.silenceMilliseconds) ms", at: now)
    }

    private mutating func setClock(_ seconds: Int64, _ now: MonotonicTime) {
        wallStart = seconds * 1_000 - Int64(now.nanoseconds / 1_000_000)
    }

    private func wall(_ time: MonotonicTime) -> Int64 {
        wallStart + Int64(time.nanoseconds / 1_000_000)
    }

    private func time(ofWall milliseconds: Int64, _ now: MonotonicTime) -> MonotonicTime {
        let left = min(max(0, milliseconds - wall(now)), 2_000_000_000)
        return now.advanced(byMilliseconds: Int(left))
    }

    // MARK: Replies

    private mutating func expect(_ purpose: Purpose, _ now: MonotonicTime) {
        awaited.append(Awaited(purpose: purpose, since: now))
        unsentCount += 1
    }

    private mutating func take(_ reply: ServerReply, _ next: Awaited, at now: MonotonicTime) {
        if case .error(let words) = reply { return takeError(words, next.purpose, at: now) }
        switch next.purpose {
        case .password, .database, .telling: break
        case .claim: break
        case .key: takeKey(reply, at: now, isFirst: true)
        case .beatClaim: allow()
        case .beatKey: takeKey(reply, at: now, isFirst: false)
        case .lists(let ticket, let scope):
            var holding: Holding?
            if case .integer(let count) = reply {
                holding = count >= LedgerCommands.recipientsMin ? .recipients : .wholes
                if count == 0 { holding = .nothing }
            }
            takeLists(ticket, scope, holding, at: now)
        case .look(let id): takeLook(reply, id, at: now)
        case .take(let id):
            // Somebody else is telling it just now.
            let other = LedgerAnswer(whole: .pending(submission: 0))
            endLook(id, reply == .nothing ? other : looks[id]?.found)
        case .lease(let change): takeLease(reply, change, at: now)
        case .change(let change, let isLast): if isLast { endChange(change, at: now) }
        case .barrier(let id): effects.append(.passed(barrier: id))
        case .news: takeNews(reply, at: now)
        }
    }

    /// The server does not do what was asked. While it refuses writes it can still be asked.
    private mutating func takeError(_ words: String, _ purpose: Purpose, at now: MonotonicTime) {
        let isRefusal = ServerWords.isRefusal(words)
        switch purpose {
        case .news, .telling:
            if !isRefusal { effects.append(.newsRefused(ServerWords.cleaned(words))) }
            return
        case .take(let id): endLook(id, looks[id]?.found)
        case .look(let id): endLook(id, nil)
        case .lists(let ticket, let scope): takeLists(ticket, scope, nil, at: now)
        case .barrier(let id): effects.append(.passed(barrier: id))
        case .lease(let change):
            leases.drop(change.digest)
            isChangeRefused = true
            endChange(change, at: now)
        case .change(let change, let isLast):
            isChangeRefused = true
            if isLast { endChange(change, at: now) }
        case .password, .database, .claim, .key, .beatClaim, .beatKey: break
        }
        guard isRefusal else { return fail(ServerWords.cleaned(words), at: now) }
        refuse(ServerWords.cleaned(words))
    }

    private mutating func refuse(_ words: String) {
        let wasRefused = refusal != nil
        refusal = words
        if !wasRefused, phase == .open { effects.append(.writable(refusal: words)) }
    }

    private mutating func allow() {
        guard refusal != nil else { return }
        refusal = nil
        effects.append(.writable(refusal: nil))
    }

    private mutating func fail(_ reason: String, at now: MonotonicTime) {
        guard phase != .closed else { return }
        phase = .closed
        effects.append(.broken(reason))
    }

    private mutating func takeKey(_ reply: ServerReply, at now: MonotonicTime, isFirst: Bool) {
        guard case .bytes(let bytes) = reply else {
            if isFirst { fail(refusal ?? "the server keeps no key", at: now) }
            return
        }
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        guard words.count == 3, let life = UInt64(words[2], radix: 16) else {
            return fail("what is called key in the server is no relay's", at: now)
        }
        let key: ContentHash.Key
        switch (String(words[0]), options.hasSecret) {
        case ("1", false):
            guard let read = ContentHash.Key(text: words[1]) else {
                return fail("what is called key in the server is no relay's", at: now)
            }
            key = read
        case ("2", true):
            guard words[1] == namer.name(.secret, account: 0).text else {
                return fail("the fleet has another secret", at: now)
            }
            key = namer.key
        case ("2", false): return fail("the fleet has a secret, and this relay has none", at: now)
        default: return fail("the fleet has no secret, and this relay has one", at: now)
        }
        if isFirst {
            namer.use(key)
            self.life = life
            phase = .open
            effects.append(.opened(key: key, life: life))
            if let refusal { effects.append(.writable(refusal: refusal)) }
            if readsNews { readNews(now) }
        } else if key.text != namer.key.text {
            fail("the fleet has another key", at: now)
        } else if life != self.life {
            self.life = life
            effects.append(.reborn(life: life))
        }
    }

    private mutating func takeLease(
        _ reply: ServerReply, _ change: LedgerChange, at now: MonotonicTime
    ) {
        endChange(change, at: now)
        // Somebody else's holds: it will do.
        guard reply == .status else { return leases.drop(change.digest) }
        guard let submission = leases.given(change.digest) else { return }
        let name = namer.name(of: change.digest, in: change.scope)
        settle(change, submission, name, at: now)
    }

    private mutating func endChange(_ change: LedgerChange, at now: MonotonicTime) {
        sentChanges -= 1
        defer { isChangeRefused = false }
        guard isChangeRefused, !owed.holds(change.digest) else { return }
        // What was sent of this record after it counts, if it was taken.
        let isOutdated = awaited.contains { later in
            if case .change(let other, _) = later.purpose {
                other.digest == change.digest
            } else {
                false
            }
        }
        if !isOutdated { owe(change, at: now) }
    }

    // MARK: Answers

    private mutating func takeLists(
        _ ticket: UInt64, _ scope: LedgerScope, _ holding: Holding?, at now: MonotonicTime
    ) {
        tickets.answered(ticket, of: scope, holding)
        guard let waiting = looksOfTickets.removeValue(forKey: ticket) else { return }
        for id in waiting {
            if holding == .nothing {
                endLook(id, .nothing)
            } else if phase == .open, let question = looks[id]?.question {
                sendLook(id, question, at: now)
            } else {
                endLook(id, nil)
            }
        }
    }

    private mutating func endLook(_ id: Int, _ answer: LedgerAnswer?) {
        guard looks.removeValue(forKey: id) != nil else { return }
        effects.append(.answered(question: id, answer))
    }

    private mutating func takeLook(_ reply: ServerReply, _ id: Int, at now: MonotonicTime) {
        guard let look = looks[id] else { return }
        let question = look.question
        let wholeCount = question.whole == nil ? 0 : 3
        guard case .list(let values) = reply,
            values.count == wholeCount + 2 * question.recipients.count
        else { return fail("an answer of another length", at: now) }
        if question.whole != nil {
            let (acceptance, lease) = (record(values[0], now), record(values[1], now))
            if case .accepted? = acceptance?.fact {
                switch values[2] {
                case .nothing: return take(id, acceptance?.fact, at: now)
                // The client that this relay has told is silent: it may send the same again.
                case .bytes(let teller) where isToldHere(teller, now): break
                default: return endLook(id, LedgerAnswer(whole: .pending(submission: 0)))
                }
            } else if case .pending? = lease?.fact {
                return endLook(id, LedgerAnswer(whole: lease?.fact))
            }
        }
        let records = question.recipients.indices.map { index in
            let place = wholeCount + 2 * index
            return record(values[place], now) ?? record(values[place + 1], now)
        }
        endLook(id, LedgerAnswer(recipients: records))
    }

    /// An acceptance is told once: others are kept from it until it is recorded or forgotten.
    private mutating func take(_ id: Int, _ fact: LedgerFact?, at now: MonotonicTime) {
        guard let question = looks[id]?.question, let whole = question.whole else { return }
        looks[id]?.found = LedgerAnswer(whole: fact)
        guard refusal == nil else { return endLook(id, looks[id]?.found) }
        commands.take(
            namer.name(of: whole, in: question.scope), for: "\(hexadecimal(process)) \(wall(now))",
            milliseconds: options.takenMilliseconds)
        expect(.take(id), now)
    }

    /// Whether this relay told it, more than a moment ago. Another relay may have ended, so that its
    /// client never heard it.
    private func isToldHere(_ teller: [UInt8], _ now: MonotonicTime) -> Bool {
        let words = String(decoding: teller, as: UTF8.self).split(separator: " ")
        guard words.count == 2, words[0] == hexadecimal(process), let told = Int64(words[1]) else {
            return false
        }
        return wall(now) - told >= Int64(LedgerTable.toldMilliseconds)
    }

    private func record(_ reply: ServerReply, _ now: MonotonicTime) -> LedgerRecord? {
        guard case .bytes(let bytes) = reply, let value = ServerValue.fact(bytes),
            value.until > wall(now)
        else { return nil }
        return LedgerRecord(value.fact, until: time(ofWall: value.until, now))
    }

    private mutating func takeNews(_ reply: ServerReply, at now: MonotonicTime) {
        let (heard, hasMore) = newsReader.read(reply, wall: wall(now), process: process)
        if !heard.isEmpty { effects.append(.heard(heard)) }
        if hasMore { readNews(now) }
    }
}
