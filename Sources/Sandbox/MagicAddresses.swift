// The magic addresses: what happens to a message stands in the domain of a recipient or of its sender,
// or in the local part at example.com, because some libraries refuse every address under `.test`.
//
// `suppressed@example.com` is `anybody@suppressed.test`. What comes after a `+` makes an address unlike
// others: `flaky+2@example.com`. docs/sandbox.md lists the names.

/// What an address asks of the sandbox.
enum MagicAddress {
    /// Below it, local parts are the names that stand before `.test` elsewhere.
    private static let otherDomain = "example.com"

    private static let recipientNames: Set<String> = [
        "suppressed.test", "invalid.test", "down.test", "flaky.test",
    ]

    /// The domain that says what happens to a message for this recipient; its own for an ordinary
    /// address.
    static func recipientDomain(_ address: SendAddress) -> String {
        renamed(address) { recipientNames.contains($0) || SandboxEffect(domain: $0) != nil }
    }

    /// The domain whose limits count for a message from this sender.
    static func senderDomain(_ address: SendAddress) -> String {
        renamed(address) { $0 == "unverified.test" || SandboxWarming.isMagic($0) }
    }

    private static func renamed(_ address: SendAddress, if isMagic: (String) -> Bool) -> String {
        guard address.domain == otherDomain, let at = address.address.lastIndex(of: "@") else {
            return address.domain
        }
        let name = address.address[..<at].prefix { $0 != "+" }.lowercased() + ".test"
        return isMagic(name) ? name : address.domain
    }
}
