// The sends that the sandbox refused last: the inbox shows them to the developers of clients.

import HTTPServer

/// One refused `POST /v1/send`.
struct SandboxRefusal {
    /// Seconds since 1970.
    var refusedAt: Int
    var status: Int
    /// The answer's body, cut to `SandboxRefusals.bodyBytesMax`.
    var body: String
}

/// The last refusals, oldest first.
struct SandboxRefusals {
    static let countMax = 200
    static let bodyBytesMax = 1_000

    private(set) var list: [SandboxRefusal] = []

    mutating func add(_ answer: HTTPAnswer, at seconds: Int) {
        if list.count == Self.countMax { list.removeFirst() }
        let body =
            switch answer.delivery {
            case .reset: "(the connection was reset)"
            case .never: "(never answered)"
            case .now, .after:
                String(decoding: answer.body.prefix(Self.bodyBytesMax), as: UTF8.self)
            }
        list.append(SandboxRefusal(refusedAt: seconds, status: answer.status, body: body))
    }

    mutating func removeAll() { list = [] }
}
