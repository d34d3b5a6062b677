// Who is written into `to`, `cc` and `bcc` of the request.
//
// The envelope decides who gets the message; the To and Cc headers only decide where a recipient
// is seen, and under which display name. Each envelope recipient appears exactly once, and header
// addresses that are not in the envelope never. Linear in the addresses of both.

import Wire

/// The recipients of one message. A value that is reused: `begin`, `add`…, then `name` for every address of
/// To and Cc in their order, then `plan`.
struct RecipientPlanner {
    enum Field: UInt8 { case to, cc, bcc }

    private struct Recipient {
        var field = Field.bcc
        /// Position of the header address that placed it; envelope order for hidden ones.
        var position: Int32 = .max
        /// Into `names`; empty when there is none.
        var name = 0..<0
        /// The next recipient that differs in the case of its local part alone; -1 ends.
        var next: Int32 = -1
    }

    /// Several recipients and all of them hidden: one call each.
    private(set) var isGroup = false
    /// Header addresses that the envelope does not have.
    private(set) var strangerCount = 0

    private var addresses = AddressArena()
    private var recipients: [Recipient] = []
    private var names: [UInt8] = []
    private var order: [Int32] = []
    private var exact = RecipientTable(ignoringLocalCase: false)
    private var folded = RecipientTable(ignoringLocalCase: true)
    /// What was named with another case of the local part, by first recipient of that folding.
    private var foldedMarks: [Recipient] = []
    private var named: Int32 = 0

    /// Envelope recipients.
    var count: Int { addresses.count }

    /// Starts a message with room for `recipientCount` recipients; `add` for each follows.
    mutating func begin(recipientCount: Int) {
        addresses.removeAll()
        recipients.removeAll(keepingCapacity: true)
        foldedMarks.removeAll(keepingCapacity: true)
        names.removeAll(keepingCapacity: true)
        order.removeAll(keepingCapacity: true)
        isGroup = false
        strangerCount = 0
        named = 0
        exact.reset(forCount: recipientCount)
        folded.reset(forCount: recipientCount)
    }

    /// Copies one address of the envelope. One that is there already, to the letter of its local
    /// part, is left out.
    mutating func add(_ address: Bytes) {
        let index = Int32(addresses.count)
        precondition(addresses.count < exact.capacity, "more recipients than announced")
        guard exact.find(address, in: addresses, orInsert: index) == nil else { return }
        var recipient = Recipient()
        if let first = folded.find(address, in: addresses, orInsert: index) {
            recipient.next = recipients[Int(first)].next
            recipients[Int(first)].next = index
        }
        addresses.append(address)
        recipients.append(recipient)
        foldedMarks.append(Recipient())
    }

    /// One mailbox of a To or Cc header. An address that is a recipient's to the letter names that
    /// one alone; else it names those that differ in the case of the local part.
    mutating func name(_ address: Bytes, displayName: Bytes, in field: Field) {
        let position = named
        if named < .max { named += 1 }
        if let index = exact.find(address, in: addresses) {
            let isPlaced = Self.isPlaced(recipients[Int(index)], in: field)
            if !isPlaced {
                place(&recipients[Int(index)], field, position, keep(displayName))
            }
        } else if let index = folded.find(address, in: addresses) {
            if !Self.isPlaced(foldedMarks[Int(index)], in: field) {
                place(&foldedMarks[Int(index)], field, position, keep(displayName))
            }
        } else {
            strangerCount += 1
        }
    }

    /// Whether nothing is to be changed: a place in `to` stands, and the first one in each field.
    private static func isPlaced(_ recipient: Recipient, in field: Field) -> Bool {
        recipient.position != .max && recipient.field.rawValue <= field.rawValue
    }

    private func place(
        _ recipient: inout Recipient, _ field: Field, _ position: Int32, _ name: Range<Int>
    ) {
        recipient.field = field
        recipient.position = position
        recipient.name = name
    }

    private mutating func keep(_ name: Bytes) -> Range<Int> {
        let start = names.count
        name.withUnsafeBufferPointer { names.append(contentsOf: $0) }
        return start..<names.count
    }

    /// All headers are read: settles who stands where.
    mutating func plan() {
        applyFoldedMarks()
        var isAnyTo = false
        var isAnyCc = false
        for recipient in recipients {
            isAnyTo = isAnyTo || recipient.field == .to
            isAnyCc = isAnyCc || recipient.field == .cc
        }
        if !isAnyTo {
            if isAnyCc {
                for index in recipients.indices where recipients[index].field == .cc {
                    recipients[index].field = .to
                }
            } else if recipients.count == 1 {
                recipients[0].field = .to
            } else {
                isGroup = recipients.count > 1
            }
        }
        sortByPosition()
    }

    /// Hands what was named without regard to case to all recipients of that folding.
    private mutating func applyFoldedMarks() {
        for first in recipients.indices where foldedMarks[first].position != .max {
            let mark = foldedMarks[first]
            var index = Int32(first)
            while index >= 0 {
                if !Self.isPlaced(recipients[Int(index)], in: mark.field) {
                    place(&recipients[Int(index)], mark.field, mark.position, mark.name)
                }
                index = recipients[Int(index)].next
            }
        }
    }

    private mutating func sortByPosition() {
        order.append(contentsOf: 0..<Int32(recipients.count))
        guard recipients.count > 1 else { return }
        order.sort {
            let (a, b) = (recipients[Int($0)].position, recipients[Int($1)].position)
            return a == b ? $0 < $1 : a < b
        }
    }

    /// The recipients of `field`, in the order in which the headers name them.
    borrowing func forEach(in field: Field, _ body: (_ index: Int) -> Void) {
        for index in order where recipients[Int(index)].field == field { body(Int(index)) }
    }

    /// The address of a recipient, as the envelope has it; valid until `begin`.
    @_lifetime(borrow self)
    func address(_ index: Int) -> Bytes { addresses.bytes(index) }

    /// The display name that its header gave it; empty when there is none.
    @_lifetime(borrow self)
    func displayName(_ index: Int) -> Bytes { names.span.extracting(recipients[index].name) }
}
