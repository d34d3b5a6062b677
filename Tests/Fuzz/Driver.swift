// The entry of a fuzzer: picks one target by name and hands over to libFuzzer.
//
// `make fuzz TARGET=DotReader` builds this with the fuzzer's instrumentation; it is not part of a
// normal build (Package.swift adds it only when POSTSCALE_FUZZ is set). A target returns normally
// for every input; a broken promise traps, and libFuzzer keeps the input that did it.

import Glibc
import Wire

/// One thing to fuzz: any bytes in, a trap when a promise is broken.
struct FuzzTarget: Sendable {
    let name: String
    let run: @Sendable (Bytes) -> Void
}

private let targets: [FuzzTarget] = [
    commandTarget, dotReaderTarget, jsonReaderTarget, jsonEscaperTarget, base64Target,
    responseHeadTarget, requestHeadTarget, chunkedTarget,
]

/// The target that FUZZ_TARGET names; ends the process when it names none.
private let chosen: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    if let target = targets.first(where: { $0.name == name }) { return target }
    print("FUZZ_TARGET must be one of: \(targets.map(\.name).joined(separator: " "))")
    exit(2)
}()

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// The process's entry, by the name that the package manager gives it.
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

/// Traps with a reason when `condition` does not hold.
func require(_ condition: Bool, _ reason: @autoclosure () -> String) {
    if !condition { fatalError(reason()) }
}

/// Runs a transform to its end through regions of `size` bytes and returns all it wrote.
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
