// How messages are held on their way, each setting with its one default.

/// Settings of messages in flight.
package struct MessageOptions: Sendable, Equatable {
    /// Request bodies up to this size are held whole; larger ones are cut through.
    package var bufferThresholdBytes = 262_144
    /// The folder of the unlinked files that hold what memory must not; nil for the first usable
    /// state folder.
    package var temporaryFolder: String?
    /// Bytes of all these files together; nil for an eighth of what is free at start.
    package var temporaryBytesMax: Int?
    /// How long a message is remembered whose 250 the client cannot have seen.
    package var duplicateWindowMilliseconds = 86_400_000
    /// How long it is remembered who of a group has a message that others did not get yet. Longer than
    /// any mail server keeps trying.
    package var groupWindowMilliseconds = 604_800_000

    /// Where records are kept that outlive connections.
    package var ledger = LedgerPlace.memory

    package init() {}
}

/// Where the ledger is at home.
package enum LedgerPlace: Sendable, Equatable {
    /// In this process: a restart forgets it.
    case memory
    /// In a SQLite file of this path.
    case file(String)
}
