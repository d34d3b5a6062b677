// A dictionary with a bound, for caches that strangers can fill.
//
// It has two generations. When the young one has taken half of the bound it becomes the old one, and
// the former old one is forgotten. Every operation is O(1), and no sweep holds a lock for long.

/// A map of at most `countMax` entries. When it is full it forgets its older half.
struct BoundedMap<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]
    private let generationMax: Int

    /// - Parameter countMax: at least 2.
    init(countMax: Int) {
        precondition(countMax >= 2)
        generationMax = countMax / 2
    }

    /// Entries held now.
    var count: Int { young.count + old.count }

    subscript(key: Key) -> Value? { young[key] ?? old[key] }

    /// Sets the value of `key`, which becomes the youngest.
    mutating func insert(_ value: Value, for key: Key) {
        old[key] = nil
        young[key] = value
        guard young.count >= generationMax else { return }
        old = young
        young = [:]
    }

    /// Forgets the keys that `isOld` names, and looks at all for it.
    /// - Returns: how many there were.
    mutating func removeAll(where isOld: (Key) -> Bool) -> Int {
        let before = count
        young = young.filter { !isOld($0.key) }
        old = old.filter { !isOld($0.key) }
        return before - count
    }

    /// Forgets the entries that `isOld` names, and looks at all for it.
    mutating func removeAll(entries isOld: (Key, Value) -> Bool) {
        young = young.filter { !isOld($0.key, $0.value) }
        old = old.filter { !isOld($0.key, $0.value) }
    }

    /// Forgets `key`.
    mutating func remove(_ key: Key) {
        young[key] = nil
        old[key] = nil
    }
}
