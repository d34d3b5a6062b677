// What a submission needs for each message and can use again for the next one of the same session.
//
// An object is used again only when nobody else holds it: whoever still does (a connection, a
// queue) may look at it, and gets to keep the old one.

import APIClient
import Reactor

/// The objects of the message before, at rest.
struct SubmissionParts {
    /// Of the message id; empty while an outcome is made of it.
    var messageID: [UInt8] = []
    private var body: RequestBody?
    private var call: APICall?

    /// An empty body.
    mutating func takeBody(pool: SlabPool) -> RequestBody {
        defer { body = nil }
        guard isKnownUniquelyReferenced(&body), let body else { return RequestBody(pool: pool) }
        body.begin()
        return body
    }

    /// A call that sends `body`, not started.
    mutating func takeCall(
        key: APIKey, body: RequestBody, owner: any APICallOwner, deadline: MonotonicTime
    ) -> APICall {
        defer { call = nil }
        guard isKnownUniquelyReferenced(&call), let call else {
            return APICall(kind: .send, key: key, body: body, owner: owner, deadline: deadline)
        }
        call.begin(key: key, body: body, owner: owner, deadline: deadline)
        return call
    }

    /// Keeps a body that was discarded.
    mutating func rest(_ body: RequestBody?) { self.body = body }

    /// Keeps a call that has ended.
    mutating func rest(_ call: APICall) {
        call.rest()
        self.call = call
    }
}
