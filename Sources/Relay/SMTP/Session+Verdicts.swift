// Carries out what the machine has decided.

import Reactor
import Wire

extension Session {
    /// - Parameter line: what the ranges of the verdict are into.
    func perform(_ verdict: SessionVerdict, in line: Bytes) {
        switch verdict {
        case .none: break
        case .reply(let reply): write(reply)
        case .close(let reply):
            write(reply)
            end()
        case .hangUp:
            giveUp()
            stream?.abort()
        case .greet: greet()
        case .hello(let isExtended): hello(isExtended: isExtended)
        case .startTLS:
            write(.readyForTLS)
            stream?.startTLS(worker.serverTLS)
        case .readResponse(let range, let exchange):
            readResponse(line.extracting(range), exchange)
        case .checkKey: checkKey()
        case .logIn: logIn()
        case .beginMail(let mail):
            envelope.setSender(line.extracting(mail.path), isSMTPUTF8: mail.isSMTPUTF8)
            write(.senderOk)
        case .addRecipient(let range):
            machine.recipientAdded(isNew: envelope.addRecipient(line.extracting(range)))
            write(.recipientOk)
        case .reserve(let bytes): reserve(bytes)
        case .beginData: beginData()
        case .finishMessage: finishMessage()
        case .giveUp(let reply):
            giveUp()
            if let reply { write(reply) }
        case .quit:
            hasQuit = true
            write(.bye)
            end()
        }
    }

    /// The same for verdicts on events other than lines.
    func perform(_ verdict: SessionVerdict) { perform(verdict, in: Bytes()) }

    func write(_ reply: Reply) {
        stream?.write(
            reply, isEnhanced: worker.configuration.hasEnhancedStatusCodes)
        worker.counters.replies.count(reply.code)
        if isTraced { traceReply(reply) }
        if reply.isFailure { logRefused(reply) }
    }

    /// Closes behind what is written. Nothing that still arrives is read.
    private func end() {
        giveUp()
        stream?.finish()
    }

    /// Nothing is waited for any more, and no message goes on.
    func giveUp() {
        cancelKeyCheck()
        leaveBudgetLine()
        dropSubmission()
    }

    private func greet() {
        worker.counters.replies.count(220)
        traceNote("greeted")
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Reply.wireBytesMax) { memory in
            var region = Region(memory)
            Reply.writeGreeting(
                hostname: worker.configuration.hostname.utf8.span, into: &region)
            stream?.write(region.bytes)
        }
    }

    private func hello(isExtended: Bool) {
        let configuration = worker.configuration
        worker.counters.replies.count(250)
        traceNote(isExtended ? "EHLO answered" : "HELO answered")
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Reply.ehloBytesMax) { memory in
            var region = Region(memory)
            let hostname = configuration.hostname.utf8.span
            if isExtended {
                let options = EHLOOptions(
                    isTLS: machine.isTLS, messageBytesMax: machine.limits.messageBytesMax,
                    recipientsMax: machine.limits.recipientsMax,
                    hasEnhancedStatusCodes: configuration.hasEnhancedStatusCodes)
                Reply.writeEHLO(hostname: hostname, options: options, into: &region)
            } else {
                Reply.writeHELO(hostname: hostname, into: &region)
            }
            stream?.write(region.bytes)
        }
    }
}
