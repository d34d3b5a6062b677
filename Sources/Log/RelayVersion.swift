// The version of the relay, in one place: the User-Agent at the API, `--version`, the log, the metrics.
//
// It lives in this module because every module that tells the version has the log, and a target of
// its own for one constant would be one more for the reader.

/// The version of this build.
package enum RelayVersion {
    /// Semantic version (semver.org).
    package static let current = "0.1.0"
}
