// Who is written into `to`, `cc` and `bcc` of the request.
//
// The envelope decides who gets the message. The To and Cc headers only decide where a recipient is
// shown, and with which display name. Each recipient of the envelope is written exactly once; a
// header address that is not in the envelope is never written. Linear in the addresses of both.
// Domains that differ in their form alone (IDNA, a trailing dot) are one; the envelope's is sent.

import Wire

/// The recipients of a message, each with its place.
struct RecipientList {
    enum Field: UInt8 {
        case to, cc, bcc
        /// Written nowhere.
        case none
    }

    fileprivate struct Recipient {
        var field = Field.bcc
        /// Position of the header address that placed it; hidden recipients stand in the order of
        /// the envelope.
        var position: Int32 = .max
        /// Into `names`; empty when there is none.
        var name = 0..<0
        /// The next recipient that differs in the case of its local part alone; -1 ends.
        var next: Int32 = -1
    }

    fileprivate var addresses = AddressArena()
    fileprivate var recipients: [Recipient] = []
    fileprivate var names: [UInt8] = []
    /// Into `recipients`, as they are written.
    fileprivate var order: [Int32] = []

    /// Envelope recipients.
    var count: Int { addresses.count }

    /// The recipients of `field`, in the order in which the headers name them.
    func forEach(in field: Field, _ body: (_ index: Int) -> Void) {
        for index in order where recipients[Int(index)].field == field { body(Int(index)) }
    }

    /// The address of a recipient, as the envelope has it; valid until `begin`.
    @_lifetime(borrow self)
    func address(_ index: Int) -> Bytes { addresses.bytes(index) }

    /// The display name that its header gave it; empty when there is none.
    @_lifetime(borrow self)
    func displayName(_ index: Int) -> Bytes { names.span.extracting(recipients[index].name) }
}

/// Decides who is written where, for one message after the other: `begin`, `add`…, then `name` for
/// each address of To and Cc in their order, then `plan`.
struct RecipientPlanner {
    typealias Field = RecipientList.Field
    fileprivate typealias Recipient = RecipientList.Recipient

    /// Several recipients and all of them hidden: one call each.
    private(set) var isGroup = false
    /// Header addresses that the envelope does not have.
    private(set) var strangerCount = 0

    /// Who stands where, after `plan`.
    private(set) var list = RecipientList()
    private var exact = RecipientTable(ignoringLocalCase: false)
    private var folded = RecipientTable(ignoringLocalCase: true)
    /// What was named with another case of the local part, by the first recipient that is the same
    /// without case.
    private var foldedMarks: [Recipient] = []
    /// The same of what was named in the case of another recipient: it names those that are named
    /// nowhere else. Empty unless local parts of recipients differ in case alone.
    private var twinMarks: [Recipient] = []
    private var named: Int32 = 0
    /// Made when an address is not found as it is written, but may be there in another form.
    private var forms: RecipientForms?

    /// Starts a message with room for `recipientCount` recipients; `add` for each follows.
    mutating func begin(recipientCount: Int) {
        list.addresses.removeAll()
        list.recipients.removeAll(keepingCapacity: true)
        foldedMarks.removeAll(keepingCapacity: true)
        list.names.removeAll(keepingCapacity: true)
        list.order.removeAll(keepingCapacity: true)
        isGroup = false
        strangerCount = 0
        if !twinMarks.isEmpty { twinMarks = [] }
        named = 0
        if forms != nil { forms = nil }
        exact.reset(forCount: recipientCount)
        folded.reset(forCount: recipientCount)
    }

    /// Copies one address of the envelope. An address whose local part is there already, in the
    /// same case, is left out; so is one whose domain is there in another form.
    mutating func add(_ address: Bytes) {
        let index = Int32(list.addresses.count)
        precondition(list.addresses.count < exact.capacity, "more recipients than announced")
        if index > 0, let other = otherForm(of: address), other.isExact { return }
        guard exact.find(address, in: list.addresses, orInsert: index) == nil else { return }
        var recipient = Recipient()
        if let first = folded.find(address, in: list.addresses, orInsert: index) {
            recipient.next = list.recipients[Int(first)].next
            list.recipients[Int(first)].next = index
            twinMarks.append(Recipient())
        }
        list.addresses.append(address)
        list.recipients.append(recipient)
        foldedMarks.append(Recipient())
    }

    /// One mailbox of a To or Cc header. It names the recipient whose address it is in the same case,
    /// and those that differ in the case of the local part and are named nowhere else. If it is no
    /// recipient's, it names all that differ in that case.
    mutating func name(_ address: Bytes, displayName: Bytes, in field: Field) {
        let position = named
        if named < .max { named += 1 }
        if let index = exact.find(address, in: list.addresses) {
            let isPlaced = Self.isPlaced(list.recipients[Int(index)], in: field)
            if !isPlaced {
                Self.place(&list.recipients[Int(index)], field, position, keep(displayName))
            }
            if !twinMarks.isEmpty { markTwins(of: address, displayName, field, position) }
        } else if let index = folded.find(address, in: list.addresses) {
            if !Self.isPlaced(foldedMarks[Int(index)], in: field) {
                Self.place(&foldedMarks[Int(index)], field, position, keep(displayName))
            }
        } else if let (index, isExact) = otherForm(of: address) {
            if isExact, !Self.isPlaced(list.recipients[Int(index)], in: field) {
                Self.place(&list.recipients[Int(index)], field, position, keep(displayName))
            } else if !isExact, !Self.isPlaced(foldedMarks[Int(index)], in: field) {
                Self.place(&foldedMarks[Int(index)], field, position, keep(displayName))
            }
        } else {
            strangerCount += 1
        }
    }

    /// `address` is a recipient's, and perhaps another's in another case.
    private mutating func markTwins(
        of address: Bytes, _ displayName: Bytes, _ field: Field, _ position: Int32
    ) {
        guard let first = folded.find(address, in: list.addresses),
            list.recipients[Int(first)].next >= 0
        else { return }
        while twinMarks.count < list.recipients.count { twinMarks.append(Recipient()) }
        if !Self.isPlaced(twinMarks[Int(first)], in: field) {
            Self.place(&twinMarks[Int(first)], field, position, keep(displayName))
        }
    }

    /// The recipient whose address is `address` with its domain in another form.
    private mutating func otherForm(of address: Bytes) -> (index: Int32, isExact: Bool)? {
        var forms = self.forms ?? RecipientForms()
        self.forms = nil
        defer { self.forms = forms }
        guard forms.mayHold(address, list.addresses) else { return nil }
        return forms.find(address, in: list.addresses)
    }

    /// Whether the recipient keeps its place: one in `to` stays, and so does the first in a field.
    private static func isPlaced(_ recipient: Recipient, in field: Field) -> Bool {
        recipient.position != .max && recipient.field.rawValue <= field.rawValue
    }

    private static func place(
        _ recipient: inout Recipient, _ field: Field, _ position: Int32, _ name: Range<Int>
    ) {
        recipient.field = field
        recipient.position = position
        recipient.name = name
    }

    private mutating func keep(_ name: Bytes) -> Range<Int> {
        let start = list.names.count
        name.withUnsafeBufferPointer { list.names.append(contentsOf: $0) }
        return start..<list.names.count
    }

    /// All headers are read: settles who stands where.
    mutating func plan() {
        applyFoldedMarks()
        fillTo(recipientCount: list.recipients.count)
        sortByPosition()
    }

    /// After `plan`: takes recipients out, and settles anew who stands where.
    /// - Parameter isOut: of each recipient.
    mutating func leaveOut(_ isOut: [Bool]) {
        precondition(isOut.count == list.recipients.count)
        for index in list.recipients.indices where isOut[index] {
            list.recipients[index].field = .none
        }
        fillTo(recipientCount: list.recipients.count { $0.field != .none })
    }

    /// The API wants somebody in `to`.
    private mutating func fillTo(recipientCount: Int) {
        var isAnyTo = false
        var isAnyCc = false
        for recipient in list.recipients {
            isAnyTo = isAnyTo || recipient.field == .to
            isAnyCc = isAnyCc || recipient.field == .cc
        }
        isGroup = false
        if isAnyTo { return }
        if !isAnyCc, recipientCount > 1 {
            isGroup = true
            return
        }
        let field = isAnyCc ? Field.cc : .bcc
        for index in list.recipients.indices where list.recipients[index].field == field {
            list.recipients[index].field = .to
        }
    }

    /// Applies what was named in another case to all recipients that are the same without case.
    private mutating func applyFoldedMarks() {
        for first in list.recipients.indices where foldedMarks[first].position != .max {
            let mark = foldedMarks[first]
            forEachTwin(of: first) { recipient in
                guard !Self.isPlaced(recipient, in: mark.field) else { return }
                Self.place(&recipient, mark.field, mark.position, mark.name)
            }
        }
        for first in twinMarks.indices where twinMarks[first].position != .max {
            let mark = twinMarks[first]
            forEachTwin(of: first) { recipient in
                guard recipient.position == .max else { return }
                Self.place(&recipient, mark.field, mark.position, mark.name)
            }
        }
    }

    /// The recipient and those that are the same without case.
    private mutating func forEachTwin(of first: Int, _ body: (inout Recipient) -> Void) {
        var index = Int32(first)
        while index >= 0 {
            body(&list.recipients[Int(index)])
            index = list.recipients[Int(index)].next
        }
    }

    private mutating func sortByPosition() {
        list.order.append(contentsOf: 0..<Int32(list.recipients.count))
        guard list.recipients.count > 1 else { return }
        list.order.sort {
            let (a, b) = (list.recipients[Int($0)].position, list.recipients[Int($1)].position)
            return a == b ? $0 < $1 : a < b
        }
    }
}
