// A client whose messages are measured: takes one at a time from its run, sends it by DATA or BDAT,
// and waits for the reply to its end.

import Reactor

/// A message to send, and the time since when it waits.
struct Assignment {
    /// Counted from 0, over all connections.
    var number: Int
    /// When it was due (open loop) or started (closed loop): where its latency begins.
    var due: MonotonicTime
}

/// Sends up to `messagesPerConnection` messages over one connection.
final class SendingClient: SMTPClient {
    private enum Step { case resting, mail, recipients, data, content }

    private var step = Step.resting
    private var assignment: Assignment?
    private var message: [UInt8] = []
    private var sentBytes = 0
    private var messagesAccepted = 0
    /// It has had a message.
    private(set) var hasBegun = false
    private var recipientsAnswered = 0

    /// Logged in, with nothing to do.
    var isReady: Bool { step == .resting && !isLeaving && stream != nil }

    override func loggedIn() { run.ready(self) }

    override func ended() {
        if assignment != nil { run.messageFailed() }
        assignment = nil
    }

    /// Between messages the server may close the connection; that is no failure.
    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        if isReady && messagesAccepted > 0 { leave() }
        super.streamClosed(stream, reason)
    }

    /// Waits for the next message to be due.
    func rest() { stream?.deadline = .never }

    func send(_ assignment: Assignment) {
        self.assignment = assignment
        hasBegun = true
        message = run.message(assignment.number)
        recipientsAnswered = 0
        bePatient()
        step = .mail
        send("MAIL FROM:<\(plan.sender)> SIZE=\(message.count)\r\n")
        if plan.isPipelining {
            for index in 0..<plan.recipients { writeRecipient(index) }
            if !plan.isChunked { stream?.write("DATA\r\n") }
        }
    }

    override func replied(_ code: Int) {
        switch (step, code) {
        case (.mail, 250):
            step = .recipients
            if !plan.isPipelining { writeRecipient(0) }
        case (.recipients, 250...251): recipientAnswered()
        case (.data, 354):
            beginContent()
        case (.content, 250): accepted()
        default: fail("reply \(code)")
        }
    }

    override func streamDrained(_ stream: Stream) {
        if step == .content { sendContent() }
    }

    private func writeRecipient(_ index: Int) {
        send("RCPT TO:<recipient\(index)@\(plan.recipientDomain)>\r\n")
    }

    private func recipientAnswered() {
        recipientsAnswered += 1
        let isLast = recipientsAnswered == plan.recipients
        if isLast, plan.isChunked {
            send("BDAT \(contentCount) LAST\r\n")
            beginContent()
        } else if plan.isPipelining {
            if isLast { step = .data }
        } else if isLast {
            step = .data
            stream?.write("DATA\r\n")
        } else {
            writeRecipient(recipientsAnswered)
        }
    }

    /// Bytes to send. The final dot line is not a part of what BDAT carries.
    private var contentCount: Int { plan.isChunked ? message.count - 3 : message.count }

    private func beginContent() {
        step = .content
        sentBytes = 0
        sendContent()
    }

    private func sendContent() {
        guard let stream else { return }
        let message = self.message
        let count = contentCount
        while sentBytes < count && !stream.isAboveHighWater {
            let end = min(sentBytes + Stream.recordBytesMax, count)
            stream.writeRecord(message.span.extracting(sentBytes..<end))
            sentBytes = end
        }
        // A large message to a slow server may take longer than one reply.
        bePatient()
    }

    private func accepted() {
        guard let done = assignment else { return }
        assignment = nil
        step = .resting
        messagesAccepted += 1
        run.messageAccepted(done, bytes: message.count)
        if messagesAccepted < plan.messagesPerConnection { run.ready(self) } else { leave() }
    }
}
