import Testing

@testable import Perf

@Suite struct ThresholdsTests {
    @Test func `Counts are compared with the threshold and its tolerance`() throws {
        let thresholds = try Thresholds("# comment\nW2 1000 2%\n\nW3 4.5 0%\n")
        #expect(thresholds.verdict("W2", 1_020) == .met)
        #expect(thresholds.verdict("W2", 1_020.1) == .exceeded)
        #expect(thresholds.verdict("W2", 10) == .met)
        #expect(thresholds.verdict("W3", 4.5) == .met)
        #expect(thresholds.verdict("W9", 1) == .unknown)
    }

    @Test(arguments: ["W2", "W2 10", "W2 10 2", "W2 x 2%", "W2 10 -2%", "W2 -1 2%", "W2 1 2% x"])
    func `An invalid line is an error`(text: String) {
        #expect(throws: ServerError.self) { try Thresholds(text) }
    }
}
