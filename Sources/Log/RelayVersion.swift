// The version of the relay, in one place: the API's User-Agent, `--version`, the metrics.

/// What this build calls itself.
package enum RelayVersion {
    /// Semantic version (semver.org).
    package static let current = "0.1.0"
}
