// The bound of a map that unknown clients can fill.

import Testing

@testable import Relay

@Suite("Bounded map")
struct BoundedMapTests {
    @Test("It never holds more than its bound and keeps the younger half")
    func bound() {
        var map = BoundedMap<Int, Int>(countMax: 10)
        for number in 0..<1_000 {
            map.insert(number, for: number)
            #expect(map.count <= 10)
            #expect(map[number] == number && map[max(0, number - 4)] != nil)
        }
        map.remove(999)
        #expect(map[999] == nil)
    }
}
