// The byte kernels against what they promise, computed naively, at every alignment and length.

import CEpoll.Kernels
import Testing

@testable import Wire

@Suite struct KernelsTests {
    @Test(arguments: [0, 1, 2, 15, 16, 17, 63, 64, 65, 66, 100, 128, 129, 200])
    func `a pair is found at its first place and nowhere else`(count: Int) {
        var generator = SplitMix64(seed: UInt64(count))
        for round in 0..<300 {
            let alphabet: [UInt8] = round % 3 == 0 ? [10, 46] : [10, 46] + Array(65...125)
            let bytes = generator.bytes(count, from: alphabet)
            let naive = (0..<max(0, count - 1)).first { bytes[$0] == 10 && bytes[$0 + 1] == 46 }
            let found = bytes.withUnsafeBufferPointer {
                ck_find_pair($0.baseAddress, $0.count, 10, 46)
            }
            #expect(found == naive ?? count)
        }
    }

    @Test func `a pair is found alone at every place`() {
        for count in 2...150 {
            for place in 0..<count - 1 {
                var bytes = [UInt8](repeating: 65, count: count)
                bytes[place] = 10
                bytes[place + 1] = 46
                let found = bytes.withUnsafeBufferPointer {
                    ck_find_pair($0.baseAddress, $0.count, 10, 46)
                }
                #expect(found == place)
            }
        }
    }
}
