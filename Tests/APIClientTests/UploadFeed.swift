// A body that arrives as fast as its call takes it.

import Reactor
import TestSupport

@testable import APIClient

extension Bench {
    /// Writes `content` as fast as the call takes it, with at most 128 KiB pending, and completes it.
    func feed(_ content: [UInt8], to call: APICall, of owner: TestOwner) {
        var at = 0
        // The closure holds neither the bench nor the owner, because the owner holds the closure.
        let more: (APICall) -> Void = { [loop] call in
            guard let body = call.body, !body.isComplete else { return }
            while at < content.count, body.pendingBytes < 131_072 {
                let piece = Array(content[at..<min(at + 10_000, content.count)])
                body.append(piece.span)
                at += piece.count
                call.bodyGrew()
            }
            guard at == content.count else { return }
            body.complete()
            call.bodyCompleted(deadline: loop.now.advanced(byMilliseconds: 15_000))
        }
        owner.onWanted = more
        more(call)
    }
}
