// The version of the relay, in one place: the API's User-Agent, `--version`, the metrics.

/// What this build calls itself.
enum RelayVersion {
    /// Semantic version (semver.org).
    static let current = "0.1.0"
}
