// A scripted API on loopback. The API key chooses the answer, so a dialog says in its login what
// happens to its messages. Plain HTTP, on the loop of the test.

import Reactor
import Wire

@testable import Relay

/// What the API answers to one key.
struct FakeAPIRule {
    /// Status of the key check.
    var check = 200
    /// Status of a send.
    var send = 202
    var body = #"{"message_id":"test-id@fake","status":"queued"}"#
    var retryAfterSeconds: Int?
    /// Never answers a send.
    var isSilent = false
    /// Resets the connection instead of answering a send.
    var resets = false

    /// The body of a key check.
    var checkBody = #"{"emails":[],"total":0}"#

    private static let page = "<html><body>Blocked</body></html>"

    private static func error(_ status: Int, _ text: String) -> FakeAPIRule {
        FakeAPIRule(send: status, body: #"{"error":"\#(text)"}"#)
    }

    /// The keys that dialogs log in with.
    static let rules: [String: FakeAPIRule] = [
        "ok": FakeAPIRule(),
        "revoked": FakeAPIRule(check: 401, checkBody: #"{"error":"invalid API key"}"#),
        "down": FakeAPIRule(check: 503),
        "sendonly": FakeAPIRule(check: 403, checkBody: #"{"error":"no permission"}"#),
        "pagecheck401": FakeAPIRule(check: 401, checkBody: page),
        "pagecheck403": FakeAPIRule(check: 403, checkBody: page),
        "pagecheck429": FakeAPIRule(check: 429, checkBody: page),
        "unpaid": error(402, "payment required"),
        "planlimit": error(403, "plan limit reached"),
        "notemplate": error(404, "template not found"),
        "page": FakeAPIRule(send: 403, body: page),
        "page429": FakeAPIRule(send: 429, body: page, retryAfterSeconds: 1),
        "foreign": FakeAPIRule(send: 400, body: #"{"message":"forbidden"}"#),
        "invalid": error(400, "from address is not verified"),
        "revokedlater": error(401, "unauthorized"),
        "forbidden": error(403, "domain not verified"),
        "toolarge": error(413, "too large"),
        "suppressed": error(422, "all recipients suppressed"),
        "limited": FakeAPIRule(
            send: 429,
            body:
                #"{"error":"rate_limit_exceeded","limit_type":"daily","retry_after_seconds":3600}"#,
            retryAfterSeconds: 3600),
        "broken": error(500, "internal"),
        "silent": FakeAPIRule(isSilent: true),
        "reset": FakeAPIRule(resets: true),
    ]
}

/// The listener and what it received.
final class FakeAPI: ListenerHandler {
    private var listener: Listener?
    /// Bodies of the sends that were answered with 2xx.
    private(set) var acceptedBodies: [String] = []
    /// Sends with a complete body, whatever the answer.
    private(set) var sendCount = 0
    private(set) var checkCount = 0

    init(loop: Loop) throws {
        super.init()
        listener = try Listener(
            loop: loop, address: SocketAddress(ipv4: 0x7F00_0001, port: 0), tls: nil,
            handler: self)
    }

    var port: UInt16 { listener?.address.port ?? 0 }

    func close() {
        listener?.close()
        listener = nil
    }

    override func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? {
        FakeAPIConnection(api: self)
    }

    fileprivate func rule(for request: HTTPRequest) -> FakeAPIRule {
        var key = String(decoding: request.bearerToken ?? [], as: UTF8.self)
        if key.hasSuffix(KeySearch.mark) { key.removeLast(KeySearch.mark.utf8.count) }
        return FakeAPIRule.rules[key]
            ?? FakeAPIRule(check: 401, send: 401, checkBody: #"{"error":"invalid API key"}"#)
    }

    fileprivate func note(_ request: HTTPRequest, _ body: [UInt8], _ rule: FakeAPIRule) {
        guard request.method == "POST" else {
            checkCount += 1
            return
        }
        sendCount += 1
        if rule.send < 300 && !rule.isSilent && !rule.resets {
            acceptedBodies.append(String(decoding: body, as: UTF8.self))
        }
    }
}

/// One connection: requests one after the other.
private final class FakeAPIConnection: StreamHandler {
    private let api: FakeAPI
    private var reader = HTTPRequestReader()
    private var request: HTTPRequest?
    private var body: [UInt8] = []

    init(api: FakeAPI) {
        self.api = api
        super.init()
    }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        var offset = 0
        while true {
            switch reader.next(bytes, &offset) {
            case .needInput: return
            case .head(let head): request = head
            case .content(let range): body += bytes.extracting(range).copied()
            case .end: answer(stream)
            case .invalid: return stream.abort()
            }
        }
    }

    private func answer(_ stream: Stream) {
        guard let request else { return }
        let rule = api.rule(for: request)
        api.note(request, body, rule)
        self.request = nil
        body = []
        let isSend = request.method == "POST"
        if isSend && rule.isSilent { return }
        if isSend && rule.resets { return stream.abort() }
        let status = isSend ? rule.send : rule.check
        let text = isSend ? rule.body : rule.checkBody
        var head = "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\n"
        head += "X-Request-ID: req-1\r\nContent-Length: \(text.utf8.count)\r\n"
        if let seconds = rule.retryAfterSeconds { head += "Retry-After: \(seconds)\r\n" }
        let response = Array((head + "\r\n" + text).utf8)
        stream.write(response.span)
    }
}
