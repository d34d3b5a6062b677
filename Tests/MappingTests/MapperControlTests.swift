// Decoded text may not start a header, end a line or end a text: a property of the whole mapper, over
// header blocks that are put together at random from pieces that could smuggle a control character in.

import Foundation
import TestSupport
import Testing
import Wire

@testable import Mapping

@Suite("No control character comes into the request")
struct MapperControlTests {
    let bench = MapperBench()

    private static let names = [
        "From", "To", "Cc", "Subject", "Reply-To", "Sender", "X-Any", "References",
        "X-Postscale-Tags", "X-Postscale-Metadata-key", "X-Postscale-Unsubscribe-Scope",
        "Content-Type", "Content-Disposition", "Content-ID",
    ]

    private static let pieces: [[UInt8]] =
        [
            "=?utf-8?Q?a=0D=0ABcc:_x?=", "=?utf-8?B?DQoAGwk=?=", "=?utf-7?Q?+AA0ACgAA-?=",
            "=?utf-16be?B?AAAADQAKAGE=?=", "=?iso-2022-jp?Q?=1B=24B=0D=0A=1B=28B?=",
            "=?x-none?Q?=00=0D=0A?=", "=?utf-8?Q?=C2=85=E2=80=A8?=", "a@example.net",
            "<b@example.net>", "\"", "\\", "(", ")", ",", ";", ":", "name", "attachment",
            "; filename=", "; filename*=utf-8''%0D%0A%00", "; filename*0*=utf-8''%0A",
            "; filename*1=\"", "text/plain", "; name=", "; charset=utf-16", "\r\n ", "\t",
            "é", "@", "<", ">",
        ].map { Array($0.utf8) } + [[0x00], [0x0D], [0x1B], [0x07], [0xE9], [0x8D, 0x0D]]

    @Test("whatever the headers are made of", arguments: 0..<20)
    func random(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed) + 77)
        for _ in 0..<60 {
            var content: [UInt8] = []
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                content += Array(Self.names.randomElement(using: &generator)!.utf8) + [0x3A, 0x20]
                for _ in 0..<Int.random(in: 0...9, using: &generator) {
                    content += Self.pieces.randomElement(using: &generator)!
                }
                content += [0x0D, 0x0A]
            }
            content += Array("\r\nbody".utf8)
            let result = bench.map(MappedMessage(bytes: content))
            guard result.failure == nil else { continue }
            let text = String(decoding: content, as: UTF8.self)
            let request = try #require(result.object, "\(text)")
            for case let (key as String, value) in request
            where !["text_body", "html_body"].contains(key) {
                #expect(!holdsControl(value), "\(key): \(value) of \(text)")
            }
        }
    }

    private func holdsControl(_ value: Any) -> Bool {
        switch value {
        case let text as String: text.unicodeScalars.contains { $0.value < 0x20 }
        case let list as [Any]: list.contains { holdsControl($0) }
        case let object as [String: Any]:
            object.contains { holdsControl($0.key) || holdsControl($0.value) }
        default: false
        }
    }
}
