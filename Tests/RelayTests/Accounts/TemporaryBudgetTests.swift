// The bytes of temporary files: never more than the budget, half for a key that is alone, all given
// back.

import APIClient
import TestSupport
import Testing

@testable import Relay

@Suite("Temporary bytes, shared by key")
struct TemporaryBudgetTests {
    private let keys = TestKeys()

    private func key(_ name: String) -> Account { keys[name] }

    private func budget(_ bytesMax: Int) -> TemporaryBudget {
        let budget = TemporaryBudget()
        budget.open(folder: "/tmp", bytesMax: bytesMax)
        return budget
    }

    @Test("Nothing is given before there is a folder")
    func closed() {
        let budget = TemporaryBudget()
        #expect(budget.folder == nil)
        #expect(budget.take(1, for: key("a")) == .budget)
        #expect(key("a").temporaryBytes == 0)
    }

    @Test("A key that is alone gets half, the next one half of the rest")
    func halves() {
        let budget = budget(1_024)
        let keys = ["a", "b", "c"].map { key($0) }
        for account in keys { while budget.take(8, for: account) == nil {} }
        #expect(keys.map(\.temporaryBytes) == [512, 256, 128])
        #expect(budget.usedBytes == 896)
        #expect(budget.take(8, for: keys[0]) == .share)
        #expect(budget.take(129, for: key("d")) == .budget)
        for account in keys { budget.giveBack(account.temporaryBytes, of: account) }
        #expect(budget.usedBytes == 0)
        #expect(budget.take(1_024, for: key("d")) == nil, "who holds nothing may take all")
        budget.giveBack(1_024, of: key("d"))
        #expect(budget.usedBytes == 0 && key("d").temporaryBytes == 0)
    }

    @Test("Four threads of two keys leave nothing taken")
    func threads() async {
        let budget = budget(1_000)
        let keys = [key("a"), key("b")]
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    var dice = SeededGenerator(seed: UInt64(task))
                    var taken = 0
                    for _ in 0..<5_000 {
                        let bytes = Int.random(in: 1...50, using: &dice)
                        if budget.take(bytes, for: keys[task % 2]) == nil {
                            taken += bytes
                            #expect(budget.usedBytes <= 1_000)
                        } else {
                            budget.giveBack(taken, of: keys[task % 2])
                            taken = 0
                        }
                    }
                    budget.giveBack(taken, of: keys[task % 2])
                }
            }
        }
        #expect(budget.usedBytes == 0 && keys.allSatisfy { $0.temporaryBytes == 0 })
    }
}
