// Which certificate serves which server name (RFC 6066 section 3, RFC 9525 section 6.3).
//
// A name is looked up as it is, and then with its first label replaced by a star; a star matches
// exactly one whole label. The table is made once and read by all loops.

/// Certificates by the names that they are for.
struct TLSServerNames: Sendable {
    private var contexts: [String: TLSContext] = [:]
    /// All certificates, in the order in which they were given.
    let all: [TLSContext]

    /// The first certificate that has a name serves it.
    init(_ certificates: [(names: [String], context: TLSContext)]) {
        all = certificates.map(\.context)
        for (names, context) in certificates {
            for name in names where contexts[Self.normalised(name)] == nil {
                contexts[Self.normalised(name)] = context
            }
        }
    }

    /// The certificate for `name`, as a client wrote it; nil when there is none.
    func find(_ name: String) -> TLSContext? {
        let name = Self.normalised(name)
        if let exact = contexts[name] { return exact }
        guard let dot = name.firstIndex(of: "."), dot > name.startIndex else { return nil }
        return contexts["*" + name[dot...]]
    }

    /// Lower case, without the dot of the root.
    private static func normalised(_ name: String) -> String {
        let name = name.lowercased()
        return name.hasSuffix(".") ? String(name.dropLast()) : name
    }
}
