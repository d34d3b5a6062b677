// How descriptors are divided: the shares never exceed the limit, whatever it is.

import Testing

@testable import Relay

@Suite("Descriptor budget")
struct DescriptorBudgetTests {
    struct Row: CustomTestStringConvertible {
        var limit: Int
        var loops: Int
        var api: Int
        var sessions: Int
        var testDescription: String { "\(limit) descriptors, \(loops) loops" }
    }

    static let rows = [
        Row(limit: 128, loops: 1, api: 32, sessions: 56),
        Row(limit: 1_024, loops: 2, api: 128, sessions: 664),
        Row(limit: 20_000, loops: 2, api: 256, sessions: 18_198),
        Row(limit: 1 << 30, loops: 64, api: 256, sessions: (1 << 30) - (1 << 26) - 16_920),
    ]

    @Test("The API's share comes first, and the rest is the clients'", arguments: rows)
    func table(_ row: Row) {
        let budget = DescriptorBudget(
            limit: row.limit, loops: row.loops, listeners: 4, apiConnectionsMax: 256)
        #expect(budget.apiConnectionsMax == row.api)
        #expect(budget.sessionsMax == row.sessions)
    }

    @Test("There is always room for one client and one call", arguments: [1, 16, 64, 100])
    func tiny(limit: Int) {
        let budget = DescriptorBudget(
            limit: limit, loops: 4, listeners: 4, apiConnectionsMax: 256)
        #expect(budget.sessionsMax >= 1 && budget.apiConnectionsMax >= 1)
    }

    @Test("Fewer API connections than the share stay as many as were asked for")
    func few() {
        let budget = DescriptorBudget(
            limit: 1_024, loops: 1, listeners: 1, apiConnectionsMax: 10)
        #expect(budget.apiConnectionsMax == 10 && budget.sessionsMax == 1_024 - 24 - 15 - 64)
    }
}
