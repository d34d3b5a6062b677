// How long an answer about an API key is believed: the settings of `KeyCache`, each with its one
// default.

/// Settings of the key cache.
package struct KeyOptions: Sendable, Equatable {
    /// The API is not asked again about a key that it found valid.
    package var validTTLMilliseconds = 60_000
    /// A key that the API refused is refused again without a question.
    package var refusedTTLMilliseconds = 10_000

    package init() {}
}
