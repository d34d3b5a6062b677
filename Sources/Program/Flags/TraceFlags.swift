// Flags: the clients whose sessions are written to the log line by line, and envelopes.

import ArgumentParser
import Log
import Reactor
import Relay

struct TraceFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Log what clients with this key say and are answered, line by line. Repeatable.",
            discussion: """
                The key's hash: printf %s KEY | sha256sum, the first 16 digits or all. Responses of \
                AUTH and content are never written, only their sizes; at most 200 lines a second.
                """, valueName: "hash"))
    var traceKey: [String] = []

    @Option(
        help: ArgumentHelp(
            "The same for clients of these addresses: 192.0.2.7, 192.0.2.0/24. Repeatable.",
            valueName: "address"))
    var traceAddress: [String] = []

    @Flag(
        help: ArgumentHelp(
            "The log line of a message has its sender, its recipients and its Message-ID."))
    var logEnvelope = false

    /// - Returns: nil when no client is traced.
    /// - Throws: `ValidationError` that names the flag.
    func rules() throws -> TraceRules? {
        guard !traceKey.isEmpty || !traceAddress.isEmpty else { return nil }
        let hashes = try traceKey.map { text in
            guard let hash = TraceRules.hash(text) else {
                // The text may be a key: the error does not repeat it.
                throw ValidationError(
                    "--trace-key: give a hash of 16 to 64 hexadecimal digits, not a key: "
                        + "printf %s KEY | sha256sum.")
            }
            return hash
        }
        let blocks = try traceAddress.map { text in
            guard let block = AddressBlock(text) else {
                throw ValidationError(
                    "--trace-address \(text): give an address or a block such as 192.0.2.0/24.")
            }
            return block
        }
        return TraceRules(keyHashes: Set(hashes), blocks: blocks)
    }
}
