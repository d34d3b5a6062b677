// The relay's version, in one place: `--version`, the log, the User-Agent.

enum RelayVersion {
    /// Semantic version; CHANGELOG.md says what is in it.
    static let current = "0.1.0"
}
