// What a loop has still to do in this turn, in its order. Taking an element moves it out, and the list
// keeps its memory: neither counts references, nor allocates once the list has had its largest size.

/// Elements that are taken from the front while others are added at the end. Its memory is as large as
/// the most that were added between two moments at which it was empty.
struct WorkList<Element> {
    private var places: [Element?] = []
    /// The next to be taken, and the first free place.
    private var first = 0
    private var end = 0

    var isEmpty: Bool { first == end }

    mutating func append(_ element: consuming Element) {
        if end == places.count {
            places.append(element)
        } else {
            places[end] = element
        }
        end += 1
    }

    /// The element that was added first of those that are left; nil when there is none.
    mutating func next() -> Element? {
        guard first < end else {
            first = 0
            end = 0
            return nil
        }
        let element = places[first].take()
        first += 1
        return element
    }

    /// Lets go of all elements and of the memory.
    mutating func removeAll() { self = WorkList() }
}
