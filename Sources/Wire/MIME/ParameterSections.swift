// The sections of one RFC 2231 parameter, in the order of their numbers. RFC 2231 3 and 4.
//
// They are gathered in one scan and sorted, so thousands of them in any order cost at most n log n;
// only a field with sections allocates. Tolerated: numbers that do not begin with 0 or have gaps,
// because a part of a name is better than none. If a number comes twice, the first section counts.

/// Returns the sections of one parameter, one per call.
struct ParameterSections {
    private var sections: [FieldParameter] = []
    private var next = 0

    /// - Parameter start: where the first parameter of `value` may begin.
    init(_ name: StaticString, _ value: Bytes, from start: Int) {
        var scanner = FieldParameterScanner(from: start)
        var isSorted = true
        while let parameter = scanner.next(value) {
            guard parameter.section != nil || parameter.isExtended,
                value.extracting(parameter.name).equalsIgnoringCase(name)
            else { continue }
            guard parameter.section != nil else {
                // `name*=` is complete by itself; after sections it only repeats them.
                if sections.isEmpty { sections.append(parameter) }
                if sections[0].section == nil { return }
                continue
            }
            if let last = sections.last, Self.number(last) >= Self.number(parameter) {
                isSorted = false
            }
            sections.append(parameter)
        }
        if !isSorted { sortByNumber() }
    }

    /// The next section; nil after the last one.
    mutating func take() -> FieldParameter? {
        guard next < sections.count else { return nil }
        next += 1
        return sections[next - 1]
    }

    private static func number(_ parameter: FieldParameter) -> Int { parameter.section ?? 0 }

    /// Sorts by number and, for equal numbers, by place; keeps each number once.
    private mutating func sortByNumber() {
        sections.sort {
            let (one, other) = (Self.number($0), Self.number($1))
            return one == other ? $0.name.lowerBound < $1.name.lowerBound : one < other
        }
        var kept = 0
        for index in sections.indices
        where kept == 0 || Self.number(sections[kept - 1]) != Self.number(sections[index]) {
            sections[kept] = sections[index]
            kept += 1
        }
        sections.removeLast(sections.count - kept)
    }
}
