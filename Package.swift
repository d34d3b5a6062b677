// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableExperimentalFeature("Lifetimes"),
    // Debug builds, and so all tests but the end-to-end ones, check each access for exclusivity;
    // those checks were 11 % of a small message's instructions (docs/performance.md).
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

// Executables that have the relay inside them. One executable cannot be linked into another, so for
// them the relay is a library without its entry, and `@testable` sees its insides as the tests do
// (`-enable-testing`). `make fuzz` and `make simulate` set the variable, and build in scratch
// folders of their own.
enum Harness: String { case fuzz, simulation }
let harness = Context.environment["POSTSCALE_HARNESS"].flatMap(Harness.init(rawValue:))
let relayDependencies: [Target.Dependency] = [
    "CEpoll", "COpenSSL", "Reactor", "Wire",
    .product(name: "ArgumentParser", package: "swift-argument-parser"),
    .product(name: "Logging", package: "swift-log"),
]
/// The inbox page, a part of the executable.
let relayResources: [Resource] = [
    .embedInCode("Sandbox/Page/inbox.html"), .embedInCode("Sandbox/Page/inbox.css"),
    .embedInCode("Sandbox/Page/inbox.js"),
]
let relay: Target =
    harness != nil
    ? .target(
        name: "Relay", dependencies: relayDependencies, exclude: ["Process/Main.swift"],
        resources: relayResources, swiftSettings: strict)
    : .executableTarget(
        name: "Relay", dependencies: relayDependencies, resources: relayResources,
        swiftSettings: strict)

let package = Package(
    name: "postscale-relay",
    products: harness != nil
        ? []
        : [
            .executable(name: "postscale-relay", targets: ["Relay"]),
            .executable(name: "relay-perf", targets: ["Perf"]),
        ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.6.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "CEpoll",
            linkerSettings: [
                .linkedLibrary("ssl"), .linkedLibrary("crypto"), .linkedLibrary("uring"),
            ]),
        .target(
            name: "Reactor", dependencies: ["CEpoll", "COpenSSL"], swiftSettings: strict),
        .target(name: "Wire", dependencies: ["CEpoll"], swiftSettings: strict),
        relay,
        .executableTarget(
            name: "Perf",
            dependencies: [
                "CEpoll", "Reactor",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            path: "perf", exclude: ["peers", "gate"], swiftSettings: strict),
        .testTarget(
            name: "PerfTests", dependencies: ["Perf", "Reactor"], swiftSettings: strict),
        .testTarget(name: "WireTests", dependencies: ["Wire"], swiftSettings: strict),
        .testTarget(name: "ReactorTests", dependencies: ["Reactor"], swiftSettings: strict),
        .testTarget(
            name: "RelayTests", dependencies: ["Relay", "Reactor", "Wire"],
            swiftSettings: strict),
    ]
)

switch harness {
case .fuzz:
    package.targets.append(
        .executableTarget(
            name: "Fuzz", dependencies: ["Reactor", "Relay", "Wire"], path: "Tests/Fuzz",
            exclude: ["Dictionaries", "Seeds", "run.sh"],
            swiftSettings: strict + [
                .unsafeFlags(["-parse-as-library", "-sanitize=fuzzer,address"])
            ],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]))
case .simulation:
    package.targets += [
        .target(name: "CRandomness", path: "Tests/Simulation/CRandomness"),
        .executableTarget(
            name: "Simulate",
            dependencies: [
                "CRandomness", "Reactor", "Relay", "Wire",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/Simulation", exclude: ["CRandomness", "Certificates", "mutations.py"],
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]),
    ]
case nil: break
}
