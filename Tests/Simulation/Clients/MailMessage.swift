// Messages that identify themselves, so that whatever the API gets can be traced to what was sent.

import Mapping
import Reactor

/// One message of a simulated client.
struct MailMessage {
    let number: Int
    let recipients: [String]
    let isGroup: Bool
    /// Of a group: the header names its first recipient, who joins the envelope at a later try.
    let isMixed: Bool
    let hasMessageID: Bool
    let announcesSize: Bool
    /// It cannot be mapped: the relay refuses it, and the API never gets it.
    let isMalformed: Bool
    /// As sent after DATA: CRLF line ends, dots stuffed, without the last dot.
    let wire: [UInt8]
    /// The same as sent by BDAT: no dots are stuffed.
    var content: [UInt8] {
        var content: [UInt8] = []
        content.reserveCapacity(wire.count)
        for (index, byte) in wire.enumerated() {
            let isLineStart = index == 0 || wire[index - 1] == 10
            if !isLineStart || byte != UInt8(ascii: ".") { content.append(byte) }
        }
        return content
    }
    /// The lines of the text, without line ends.
    let text: [UInt8]
    /// Base64 without line ends; empty when there is no attachment.
    let attachment: [UInt8]

    var facts: MessageFacts {
        MessageFacts(
            number: number, recipients: recipients.count, isGroup: isGroup,
            hasMessageID: hasMessageID, isMixed: isMixed)
    }

    /// - Parameters:
    ///   - textBytesMax: bounds the size; one of a few messages is near it.
    ///   - groups: the chance that it is a group.
    init(
        number: Int, dice: inout Dice, textBytesMax: Int, oddities: Double, groups: Double,
        isLarge: Bool
    ) {
        self.number = number
        isGroup = dice.happens(groups)
        hasMessageID = dice.happens(0.8)
        announcesSize = dice.happens(0.5)
        isMalformed = dice.happens(oddities * 0.2)
        let count = isGroup ? dice.number(2...5) : dice.number(1...3)
        recipients = (0..<count).map { "r\($0).m\(number)@example.com" }
        isMixed = isGroup && count > 2 && number % 2 == 0
        let hasAttachment = dice.happens(0.25)
        let textBytes =
            isLarge || dice.happens(0.15)
            ? textBytesMax : dice.skewed(1...max(2, textBytesMax / 8))
        var wire: [UInt8] = []
        var text: [UInt8] = []
        func line(_ string: String) { wire += Array(string.utf8) + [13, 10] }
        line("From: Sim <sender@simulation.example>")
        if isMixed {
            line("To: " + recipients[0])
        } else if isGroup {
            line("To: undisclosed-recipients:;")
        } else {
            line("To: " + recipients.joined(separator: ", "))
        }
        line("Subject: message \(number)")
        if hasMessageID { line("Message-ID: <m\(number)@simulation.example>") }
        line("X-Sim-Message: \(number)")
        line("MIME-Version: 1.0")
        if isMalformed { line("X-Postscale-Metadata: {\"broken\": ") }
        var encoded: [UInt8] = []
        if hasAttachment {
            let isFirst = dice.happens(0.5)
            line("Content-Type: multipart/mixed; boundary=\"edge\"")
            line("")
            if isFirst { encoded = MailMessage.attach(&wire, &dice, bytes: textBytes) }
            line("--edge")
            line("Content-Type: text/plain; charset=us-ascii")
            line("")
            text = MailMessage.write(&wire, &dice, bytes: textBytes, number: number)
            if !isFirst { encoded = MailMessage.attach(&wire, &dice, bytes: textBytes) }
            line("--edge--")
        } else {
            line("Content-Type: text/plain; charset=us-ascii")
            line("")
            text = MailMessage.write(&wire, &dice, bytes: textBytes, number: number)
        }
        self.wire = wire
        self.text = text
        attachment = encoded
    }

    /// Lines, some of which begin with a dot.
    private static func write(
        _ wire: inout [UInt8], _ dice: inout Dice, bytes: Int, number: Int
    ) -> [UInt8] {
        var text: [UInt8] = []
        var row = 0
        while text.count < bytes {
            row += 1
            var line = Array("\(number) line \(row) \(String(dice.next(), radix: 36))".utf8)
            if bytes > 10_000 { for _ in 0..<3 { line += line } }
            if dice.happens(0.1) { line = [UInt8(ascii: ".")] + line }
            text += line
            if line.first == UInt8(ascii: ".") { wire.append(UInt8(ascii: ".")) }
            wire += line + [13, 10]
        }
        return text
    }

    private static func attach(_ wire: inout [UInt8], _ dice: inout Dice, bytes: Int) -> [UInt8] {
        let head =
            "--edge\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\n"
            + "Content-Transfer-Encoding: base64\r\n\r\n"
        wire += Array(head.utf8)
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var encoded: [UInt8] = []
        repeat {
            var line: [UInt8] = []
            while line.count < 76 {
                var word = dice.next()
                for _ in 0..<4 {
                    line.append(alphabet[Int(word & 63)])
                    word >>= 6
                }
            }
            encoded += line
            wire += line + [13, 10]
        } while encoded.count < bytes
        return encoded
    }
}
