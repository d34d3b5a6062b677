// A loop that the test turns by hand, and pools and calls on it.

import APIClient
import Reactor
import Testing

/// A loop that the test turns by hand. A wait ends after 20 s.
package final class Bench {
    package let loop: Loop
    private let patience = Patience()

    private final class Patience: TimerHandler {
        var isOver = false
        override func timerFired(_ timer: LoopTimer) { isOver = true }
    }

    package init() {
        loop = try! Loop(index: 0, backend: testBackend)
        LoopTimer(loop: loop, handler: patience)
            .arm(at: loop.now.advanced(byMilliseconds: 20_000))
    }

    /// Ends the loop with everything on it, and so frees it.
    deinit {
        loop.stop()
        loop.run()
    }

    /// Does `work` inside a tick, as calls on streams and on the pool require.
    package func act(_ work: @escaping () -> Void) {
        loop.later(work)
        loop.tick()
    }

    /// Turns the loop until `condition` holds; false after 20 s of the test.
    @discardableResult
    package func turn(until condition: () -> Bool) -> Bool {
        while !condition() {
            if patience.isOver {
                Issue.record("waited for too long")
                return false
            }
            loop.tick()
        }
        return true
    }

    /// Turns the loop for this long, to see that something does not happen.
    package func turn(milliseconds: Int) {
        let end = MonotonicTime.readClock().advanced(byMilliseconds: milliseconds)
        let timer = LoopTimer(loop: loop, handler: TimerHandler())
        timer.arm(at: end)
        while MonotonicTime.readClock() < end { loop.tick() }
        timer.cancel()
    }

    package func pool(
        _ servers: [SocketAddress], tls: TLSContext? = nil, http1TLS: TLSContext? = nil,
        answers: LastAnswers = LastAnswers(), adjust: (inout APIOptions) -> Void = { _ in }
    ) -> ConnectionPool {
        var options = APIOptions.plain(port: servers.first?.port ?? 1)
        options.endpoint.isTLS = tls != nil
        adjust(&options)
        return ConnectionPool(
            loop: loop, options: options, tls: tls, http1TLS: http1TLS, log: .silent(),
            answers: answers, addresses: servers)
    }

    /// A send whose body is complete.
    package func send(
        _ content: [UInt8], to pool: ConnectionPool, owner: TestOwner, flow: CallFlow? = nil,
        milliseconds: Int = 15_000
    ) -> APICall {
        let body = RequestBody(pool: loop.slabs)
        body.append(content.span)
        body.complete()
        let call = APICall(
            kind: .send, key: APIKey(text: "ps_test_k"), flow: flow ?? pool.makeFlow(), body: body,
            owner: owner, deadline: loop.now.advanced(byMilliseconds: milliseconds))
        pool.start(call)
        return call
    }

    /// A send whose body is still arriving.
    package func upload(
        to pool: ConnectionPool, owner: TestOwner, flow: CallFlow? = nil
    ) -> APICall {
        let call = APICall(
            kind: .send, key: APIKey(text: "ps_test_k"), flow: flow ?? pool.makeFlow(),
            body: RequestBody(pool: loop.slabs), owner: owner, deadline: .never)
        pool.start(call)
        return call
    }
}
