// The entry of a fuzzer: picks one target by name and starts libFuzzer.
//
// `make fuzz TARGET=DotReader` builds this with the fuzzer's instrumentation and `-D FUZZING`. A
// normal build contains no fuzzer and runs a target over the files of its command line. A target
// returns normally for every input. A broken promise traps, and libFuzzer keeps the input that
// caused it.

import Glibc
import Wire

/// One thing to fuzz: it takes any bytes, and traps when a promise is broken.
struct FuzzTarget: Sendable {
    let name: String
    let run: @Sendable (Bytes) -> Void
}

private let targets: [FuzzTarget] = [
    commandTarget, dotReaderTarget, chunkReaderTarget, jsonReaderTarget, jsonEscaperTarget,
    base64Target,
    responseHeadTarget, requestHeadTarget, chunkedTarget, headerScannerTarget,
    fieldParametersTarget, encodedWordTarget, addressListTarget, partWalkerTarget, mapperTarget,
    sessionTarget, proxyHeaderTarget, adminRequestTarget, http2SessionTarget,
]

/// The target that FUZZ_TARGET names; ends the process when FUZZ_TARGET names none.
private let chosen: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    if let target = targets.first(where: { $0.name == name }) { return target }
    print("FUZZ_TARGET must be one of: \(targets.map(\.name).joined(separator: " "))")
    exit(2)
}()

#if FUZZING
    @_silgen_name("LLVMFuzzerRunDriver")
    private func runDriver(
        _ count: UnsafeMutablePointer<Int32>,
        _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
        _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
    ) -> Int32

    /// The process's entry, under the name that the package manager gives it.
    @_cdecl("Fuzz_main")
    public func fuzzMain(
        _ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    ) -> Int32 {
        var count = count
        var arguments = arguments
        return runDriver(&count, &arguments) { data, size in
            chosen.run(UnsafeBufferPointer(start: data, count: size).span)
            return 0
        }
    }
#else
    @main
    enum EntryPoint {
        static func main() { replay(CommandLine.arguments.dropFirst()) }
    }

    /// Runs the chosen target over each file.
    nonisolated func replay(_ paths: ArraySlice<String>) {
        for path in paths {
            guard let file = fopen(path, "r") else {
                print("\(path): \(String(cString: strerror(errno)))")
                exit(2)
            }
            var bytes: [UInt8] = []
            var byte = fgetc(file)
            while byte != EOF {
                bytes.append(UInt8(truncatingIfNeeded: byte))
                byte = fgetc(file)
            }
            fclose(file)
            chosen.run(bytes.span)
            print("\(path): \(bytes.count) bytes, no promise broken")
        }
    }
#endif

/// Traps with a reason when `condition` does not hold.
func require(_ condition: Bool, _ reason: @autoclosure () -> String) {
    if !condition { fatalError(reason()) }
}

/// Lends an empty region of `capacity` bytes and returns what was written to it.
func written(capacity: Int, _ body: (inout Region) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: max(capacity, 1)) { memory, count in
        var region = Region(UnsafeMutableBufferPointer(rebasing: memory[0..<capacity]))
        body(&region)
        count = region.count
    }
}

/// Decoded header text: valid UTF-8 without line ends and other C0 controls.
func requireClean(_ text: [UInt8], _ what: String) {
    require(String(validating: text, as: UTF8.self) != nil, "\(what) is not valid UTF-8")
    require(!text.contains { $0 < 0x20 }, "\(what) holds a control")
}

/// Lengths of pieces that add up to `count`. After the 200th cut the rest is one piece, because
/// each piece costs an allocation. The input's own bytes decide the lengths, so that the fuzzer
/// finds the cuts, and an input always has the same ones.
func pieces(of bytes: Bytes) -> [Int] {
    var lengths: [Int] = []
    var left = bytes.count
    var state = UInt64(bytes.count) &* 0x9E37_79B9_7F4A_7C15
    if bytes.count > 0 { state ^= UInt64(bytes[bytes.count / 2]) << 8 }
    let longest = [1, 3, 16, 80, 700][bytes.count % 5]
    while left > 0 && lengths.count < 200 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let length = min(left, longest == 1 ? 1 : Int(state >> 33) % (longest + 1))
        lengths.append(length)
        left -= length
    }
    if left > 0 { lengths.append(left) }
    return lengths
}

/// Runs a transform to its end through regions of `size` bytes and returns everything that it
/// wrote.
func collect(
    size: Int, _ step: (inout Region) -> Bool
) -> [UInt8] {
    var result: [UInt8] = []
    let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: size)
    defer { memory.deallocate() }
    var isDone = false
    var idleRounds = 0
    while !isDone {
        var region = Region(memory)
        isDone = step(&region)
        idleRounds = region.count == 0 ? idleRounds + 1 : 0
        require(isDone || idleRounds < 3, "no progress")
        result.append(contentsOf: region.bytes.copied())
    }
    return result
}
