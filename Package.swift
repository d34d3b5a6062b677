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
let argumentParser = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

/// A module of the relay: the compiler checks that it names no other than these.
func module(
    _ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []
) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "postscale-relay",
    products: [
        .executable(name: "postscale-relay", targets: ["Program"]),
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
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(
            name: "CIDN2", pkgConfig: "libidn2", providers: [.apt(["libidn2-dev"])]),
        .systemLibrary(
            name: "CNGHTTP2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .target(
            name: "CEpoll",
            linkerSettings: [
                .linkedLibrary("ssl"), .linkedLibrary("crypto"), .linkedLibrary("uring"),
            ]),
        // Linked in: the library's name differs between Debian's releases, its archive's does not.
        .target(name: "CHiredis", linkerSettings: [.linkedLibrary(":libhiredis.a")]),
        module("Reactor", ["CEpoll", "COpenSSL"]),
        module("Wire", ["CEpoll"]),
        module("Log", ["CEpoll", "Reactor", logging]),
        module("APIClient", ["COpenSSL", "Reactor", "Wire", "Log", "HTTP2"]),
        module("Mapping", ["CIDN2", "Reactor", "Wire", "APIClient"]),
        module("HTTP2", ["CNGHTTP2", "Wire"]),
        module("HTTPServer", ["Reactor", "Wire", "HTTP2"]),
        module(
            "Relay",
            [
                "CEpoll", "COpenSSL", "Reactor", "Wire", "HTTPServer", "Log", "APIClient",
                "Mapping", logging,
            ],
            resources: [
                .embedInCode("Admin/Page/status.html"), .embedInCode("Admin/Page/status.css"),
                .embedInCode("Admin/Page/status.js"),
            ]),
        module("LedgerFile", ["CEpoll", "CSQLite", "Reactor", "Log", "Relay"]),
        module(
            "LedgerServer",
            ["CHiredis", "COpenSSL", "Reactor", "Wire", "Log", "APIClient", "Relay"]),
        module(
            "Sandbox", ["Reactor", "Wire", "HTTPServer", "Log", logging],
            resources: [
                .embedInCode("Page/inbox.html"), .embedInCode("Page/inbox.css"),
                .embedInCode("Page/inbox.js"),
            ]),
        .executableTarget(
            name: "Program",
            dependencies: [
                "CEpoll", "COpenSSL", "Reactor", "Wire", "Log", "APIClient", "Mapping", "Relay",
                "LedgerFile", "LedgerServer", "Sandbox", argumentParser, logging,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "Perf",
            dependencies: [
                "CEpoll", "Reactor", argumentParser,
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            path: "perf", exclude: ["peers", "gate"], swiftSettings: strict),
        .target(
            name: "TestSupport",
            dependencies: ["Reactor", "Wire", "Log", "APIClient", "Mapping", logging],
            path: "Tests/TestSupport", swiftSettings: strict),
        // A Valkey server without sockets, for tests of its client and for the simulation.
        .target(name: "ValkeyModel", path: "Tests/ValkeyModel", swiftSettings: strict),
        tests("WireTests", ["CEpoll", "Wire", "TestSupport"]),
        tests("ReactorTests", ["CEpoll", "Reactor", "TestSupport"]),
        tests("LogTests", ["Reactor", "Log", "Wire", logging]),
        tests("APIClientTests", ["Reactor", "Wire", "Log", "HTTP2", "APIClient", "TestSupport"]),
        tests("MappingTests", ["Reactor", "Wire", "APIClient", "Mapping", "TestSupport"]),
        tests("HTTP2Tests", ["Wire", "HTTP2", "TestSupport"]),
        tests("HTTPServerTests", ["Reactor", "Wire", "HTTP2", "HTTPServer", "TestSupport"]),
        tests(
            "SandboxTests", ["Reactor", "Wire", "HTTPServer", "Log", "Sandbox", "TestSupport"]),
        tests(
            "RelayTests",
            [
                "Reactor", "Wire", "HTTPServer", "Log", "APIClient", "Mapping", "Relay",
                "TestSupport", logging,
            ]),
        tests(
            "LedgerFileTests", ["Reactor", "Log", "Relay", "LedgerFile", "TestSupport"]),
        tests(
            "LedgerServerTests",
            [
                "Reactor", "Wire", "Log", "APIClient", "Relay", "LedgerServer", "TestSupport",
                "ValkeyModel", logging,
            ]),
        tests(
            "ProgramTests",
            ["Reactor", "Wire", "Log", "APIClient", "Mapping", "Relay", "Sandbox", "Program"]),
        tests("PerfTests", ["Perf", "Reactor", "TestSupport"]),
        // The relay in a simulated network, in one thread from one seed.
        .target(name: "CRandomness", path: "Tests/Simulation/CRandomness"),
        .executableTarget(
            name: "Simulate",
            dependencies: [
                "CRandomness", "Reactor", "Wire", "HTTP2", "Log", "APIClient", "Mapping", "Relay",
                "Sandbox", "LedgerServer", "ValkeyModel", logging,
            ],
            path: "Tests/Simulation",
            exclude: ["CRandomness", "Certificates", "mutations.py", "run.sh"],
            swiftSettings: strict),
        // `make fuzz-build` builds it with the fuzzer's instrumentation; without it, it replays.
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "Reactor", "Wire", "HTTP2", "Log", "APIClient", "Mapping", "Relay",
            ],
            path: "Tests/Fuzz", exclude: ["Dictionaries", "Seeds", "run.sh"],
            swiftSettings: strict),
    ]
)
