// Each bound of a message's structure: exactly at it and one past it, however the message is cut.

import Testing

@testable import Wire

private func fault(_ message: [UInt8]) -> MIMEFault? {
    let whole = Walk(message)
    #expect(whole.mistakes == [])
    let pieces = message.count / 4_096
    let plans = [
        [Int](repeating: 4_096, count: pieces) + [message.count % 4_096],
        [message.count - 1, 1],
        [1, message.count - 1],
    ]
    for plan in plans { #expect(Walk(message, plan: plan) == whole) }
    return whole.fault
}

private func text(_ count: Int) -> String { String(repeating: "x", count: count) }

@Suite struct PartWalkerBoundsTests {
    @Test("A header block of 262,144 bytes")
    func headerBlock() {
        let line = "A: " + text(995) + "\r\n"
        let lines = String(repeating: line, count: 262)
        let rest = 262_144 - lines.utf8.count - 2
        let most = lines + "B:" + text(rest - 4) + "\r\n\r\n"
        #expect(most.utf8.count == 262_144)
        #expect(fault((most + "body").bytes) == nil)
        let more = lines + "B:" + text(rest - 3) + "\r\n\r\n"
        #expect(
            fault((more + "body").bytes) == MIMEFault(kind: .headerBlockTooLarge, at: 262_144))
        let prefix = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        #expect(fault((prefix + most + "body").bytes) == nil)
        #expect(
            fault((prefix + more + "body").bytes)
                == MIMEFault(kind: .headerBlockTooLarge, at: 262_144 + prefix.utf8.count))
    }

    @Test("A header of 65,536 bytes, folded or not")
    func header() {
        let most = "A: b\r\nC:" + text(65_536 - 4) + "\r\n"
        #expect(fault((most + "\r\nbody").bytes) == nil)
        let more = "A: b\r\nC:" + text(65_536 - 3) + "\r\n\r\nbody"
        #expect(fault(more.bytes) == MIMEFault(kind: .headerTooLarge, at: 6 + 65_536))
        let folded = "C: " + String(repeating: "d\r\n ", count: 20_000) + "\r\n\r\nbody"
        #expect(fault(folded.bytes) == MIMEFault(kind: .headerTooLarge, at: 65_536))
    }

    @Test("A long first line that is no header is a body")
    func longFirstLine() {
        for body in ["hello " + text(300_000), text(300_000), text(70_000) + ": x\r\n\r\ny"] {
            #expect(fault(body.bytes) == nil)
            #expect(Walk(body.bytes).leaves.map(\.content) == [body.bytes])
        }
    }

    @Test("1,000 headers")
    func headers() {
        let most = String(repeating: "A: b\r\n c\r\n", count: 1_000)
        #expect(fault((most + "\r\nbody").bytes) == nil)
        #expect(
            fault((most + "A: b\r\n\r\nbody").bytes)
                == MIMEFault(kind: .tooManyHeaders, at: most.utf8.count))
    }

    @Test("1,000 parts")
    func parts() {
        let start = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        let most = start + String(repeating: "--b\r\n\r\nx\r\n", count: 1_000)
        #expect(fault((most + "--b--\r\n").bytes) == nil)
        #expect(
            fault((most + "--b\r\n\r\n").bytes)
                == MIMEFault(kind: .tooManyParts, at: most.utf8.count + 5))
    }

    @Test("100 multiparts inside each other")
    func nesting() {
        func nested(_ count: Int) -> String {
            (0..<count).map {
                ($0 == 0 ? "" : "--b\($0 - 1)\r\n")
                    + "Content-Type: multipart/mixed; boundary=b\($0)\r\n\r\n"
            }.joined()
        }
        let most = nested(100) + "--b99\r\n\r\nx\r\n--b0--\r\n"
        #expect(fault(most.bytes) == nil)
        let walk = Walk(most.bytes)
        #expect(walk.leaves.map(\.depth) == [100])
        #expect(walk.leaves.map(\.content) == ["x".bytes])
        let more = nested(101)
        let at = more.utf8.count - "Content-Type: multipart/mixed; boundary=b100\r\n\r\n".utf8.count
        #expect(fault(more.bytes) == MIMEFault(kind: .nestedTooDeep, at: at))
    }

    @Test("A boundary of 200 bytes")
    func boundary() {
        func message(_ count: Int) -> [UInt8] {
            ("Content-Type: multipart/mixed; boundary=\"" + text(count) + "\"\r\n\r\n--"
                + text(count) + "\r\n\r\nx\r\n--" + text(count) + "--\r\n").bytes
        }
        #expect(fault(message(200)) == nil)
        #expect(Walk(message(200)).leaves.map(\.content) == ["x".bytes])
        #expect(fault(message(201)) == MIMEFault(kind: .boundaryTooLong, at: 0))
        #expect(fault(message(5_000)) == MIMEFault(kind: .boundaryTooLong, at: 0))
    }

    @Test("Every fault says what and where")
    func descriptions() {
        #expect(
            MIMEFault(kind: .headerBlockTooLarge, at: 262_150).description
                == "header block over 262144 bytes at byte 262150")
        #expect(
            MIMEFault(kind: .tooManyParts, at: 7).description == "more than 1000 parts at byte 7")
    }
}
