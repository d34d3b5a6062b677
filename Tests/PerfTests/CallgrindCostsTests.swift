import Testing

@testable import Perf

@Suite struct CallgrindCostsTests {
    private static let profile = """
        # callgrind format
        events: Ir
        ob=(1) /tmp/relay
        fn=(1) one
        +3 10
        cob=(2) /lib/libc.so.6
        cfn=(2) memcpy
        calls=4 0
        * 400
        fn=(3) two
        16 5
        ob=(2)
        fn=(2)
        0 400
        ob=(3) /opt/libswiftCore.so
        fn=(4) swift_retain
        -1 7
        ob=(1)
        fn=(1)
        * 1
        totals: 423
        """

    @Test func `Costs count for the object that owns the code, and calls count once`() throws {
        let costs = try #require(
            CallgrindCosts(Self.profile) { $0 == "/tmp/relay" || $0.contains("/libswift") })
        #expect(costs.total == 423)
        #expect(costs.own == 23)
    }

    @Test func `A file without a total gives nothing`() {
        #expect(CallgrindCosts("events: Ir\nfn=(1) one\n1 2\n") { _ in true } == nil)
    }
}
