// The certificate of all dialogs, made in memory; its client trusts it through a file.

import Foundation
import Reactor

@testable import Relay

/// One self-signed server for all dialogs, and a client that trusts it.
struct DialogCertificates {
    let server: TLSContext
    let client: TLSContext

    init() throws {
        server = try TLSContext.selfSignedServer(names: ["localhost", "127.0.0.1"])
        let file = FileManager.default.temporaryDirectory
            .appending(path: "dialog-\(UUID().uuidString).pem")
        try (server.certificatePEM ?? "").write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        client = try TLSContext.client(caFile: file.path)
    }
}
