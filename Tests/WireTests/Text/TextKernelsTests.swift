// The kernels for short texts, compared byte by byte with their promises.

import CEpoll.Kernels
import Testing

@testable import Wire

@Suite struct TextKernelsTests {
    @Test func `every byte is of its class at every place`() {
        for byte in UInt8.min...UInt8.max {
            for count in [1, 15, 16, 17, 33] {
                for place in Set([0, count / 2, count - 1]) {
                    var bytes = [UInt8](repeating: 65, count: count)
                    bytes[place] = byte
                    bytes.withUnsafeBufferPointer { check($0.baseAddress!, count, byte, place) }
                }
            }
        }
    }

    private func check(_ p: UnsafePointer<UInt8>, _ count: Int, _ byte: UInt8, _ place: Int) {
        let isVisible = byte > 0x20 && byte < 0x7F
        #expect(ck_visible_length(p, count) == (isVisible ? count : place))
        #expect(ck_field_name_length(p, count) == (isVisible && byte != 0x3A ? count : place))
        let isControl = byte < 0x20 && byte != 9 || byte == 0x7F
        #expect((ck_has_controls(p, count) != 0) == isControl)
        let isToken = isVisible && !"\"(),/:;<=>?@[\\]{}".utf8.contains(byte)
        #expect((ck_is_http_token(p, count) != 0) == isToken)
    }

    @Test func `bytes are the same without case when they are the same letter`() {
        for one in UInt8.min...UInt8.max {
            for other in UInt8.min...UInt8.max {
                let isSame = withUnsafePointer(to: one) { p in
                    withUnsafePointer(to: other) { ck_equals_ignoring_case(p, $0, 1) != 0 }
                }
                #expect(isSame == (one.asciiLowercased == other.asciiLowercased))
            }
        }
    }

    @Test func `a difference is found at every place`() {
        let text = Array("content-transfer-encoding".utf8)
        for place in text.indices {
            var other = Array("Content-TRANSFER-Encoding".utf8)
            #expect(ck_equals_ignoring_case(text, other, text.count) != 0)
            other[place] ^= 1
            #expect(ck_equals_ignoring_case(text, other, text.count) == 0)
        }
    }
}
