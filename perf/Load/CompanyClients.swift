// Clients that accompany the measured ones: silent, slow, or gone in the middle of a message.

import Reactor

/// Logs in and stays, with a NOOP every 30 s so that no idle timeout ends it.
final class IdleClient: SMTPClient {
    private static let noopMilliseconds = 30_000

    override var failurePrefix: String { "idle: " }

    override func loggedIn() {
        stream?.deadline = run.loop.now.advanced(byMilliseconds: IdleClient.noopMilliseconds)
        run.companyJoined()
    }

    override func replied(_ code: Int) {
        if code != 250 { fail("reply \(code)") }
    }

    override func streamTimedOut(_ stream: Stream) {
        guard isLoggedIn, !isLeaving else { return super.streamTimedOut(stream) }
        stream.write("NOOP\r\n")
        stream.deadline = run.loop.now.advanced(byMilliseconds: IdleClient.noopMilliseconds)
    }
}

/// Sends one message after the other, a few bytes every 100 ms.
final class SlowClient: SMTPClient {
    private static let stepMilliseconds = 100

    private enum Step { case mail, recipient, data, content }
    private var step = Step.mail
    private var message: [UInt8] = []
    private var sentBytes = 0

    override var failurePrefix: String { "slow: " }

    override func loggedIn() {
        run.companyJoined()
        begin()
    }

    override func replied(_ code: Int) {
        switch (step, code) {
        case (.mail, 250):
            step = .recipient
            send("RCPT TO:<slow@\(plan.recipientDomain)>\r\n")
        case (.recipient, 250...251):
            step = .data
            send("DATA\r\n")
        case (.data, 354):
            step = .content
            sendPiece()
        case (.content, 250):
            run.slowMessageAccepted()
            begin()
        default: fail("reply \(code)")
        }
    }

    override func streamTimedOut(_ stream: Stream) {
        if step == .content && sentBytes < message.count {
            sendPiece()
        } else {
            super.streamTimedOut(stream)
        }
    }

    private func begin() {
        message = run.message(0)
        sentBytes = 0
        step = .mail
        bePatient()
        send("MAIL FROM:<\(plan.sender)>\r\n")
    }

    private func sendPiece() {
        let count = max(1, plan.company.slowBytesPerSecond * SlowClient.stepMilliseconds / 1_000)
        let message = self.message
        let end = min(sentBytes + count, message.count)
        stream?.write(message.span.extracting(sentBytes..<end))
        sentBytes = end
        if end < message.count {
            stream?.deadline = run.loop.now.advanced(byMilliseconds: SlowClient.stepMilliseconds)
        } else {
            bePatient()
        }
    }
}

/// Begins a message and resets the connection in the middle of it; another client takes its place.
final class VanishingClient: SMTPClient {
    private enum Step { case mail, recipient, data, content }
    private var step = Step.mail

    override var failurePrefix: String { "vanishing: " }

    override func loggedIn() {
        run.companyJoined()
        send("MAIL FROM:<\(plan.sender)>\r\n")
    }

    override func replied(_ code: Int) {
        switch (step, code) {
        case (.mail, 250):
            step = .recipient
            send("RCPT TO:<vanishing@\(plan.recipientDomain)>\r\n")
        case (.recipient, 250...251):
            step = .data
            send("DATA\r\n")
        case (.data, 354):
            step = .content
            let message = run.message(0)
            stream?.write(message.span.extracting(0..<message.count / 2))
            // Long enough for the server to have read it.
            stream?.deadline = run.loop.now.advanced(byMilliseconds: 50)
        default: fail("reply \(code)")
        }
    }

    override func streamTimedOut(_ stream: Stream) {
        guard step == .content else { return super.streamTimedOut(stream) }
        run.clientVanished()
        end()
    }
}
