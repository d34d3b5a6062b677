// A folder for one command: certificate, configurations, logs; and unused ports.

import Foundation
import Glibc
import Reactor

/// Its owner removes it, unless a server failed and its log should be read.
final class Workspace {
    let folder: String
    /// PEM of an ECDSA P-256 certificate for localhost and 127.0.0.1; its own authority.
    var certificate: String { "\(folder)/certificate.pem" }
    var key: String { "\(folder)/key.pem" }
    /// Certificate and key in one file, as HAProxy needs them.
    var certificateAndKey: String { "\(folder)/both.pem" }
    var isKept = false

    init() throws {
        var template = Array("\(NSTemporaryDirectory())relay-perf.XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw ServerError("no temporary folder: \(String(cString: strerror(errno)))")
        }
        folder = String(cString: made)
        // Servers that give up root read their certificate before that, but must enter the folder
        // after it.
        chmod(folder, 0o755)
        try makeCertificate()
    }

    deinit { if !isKept { try? FileManager.default.removeItem(atPath: folder) } }

    private func makeCertificate() throws {
        let openssl = try ServerProcess(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-keyout", key, "-out",
                certificate, "-subj", "/CN=localhost", "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
            ], log: file("openssl.log"))
        guard openssl.waitForEnd() == 0 else {
            throw ServerError("openssl made no certificate: \(ProcFiles.text(openssl.log))")
        }
        try write("both.pem", ProcFiles.text(certificate) + ProcFiles.text(key))
    }

    func file(_ name: String) -> String { "\(folder)/\(name)" }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: file(name), atomically: true, encoding: .utf8)
        return file(name)
    }

    func makeFolder(_ name: String, owner: String? = nil) throws -> String {
        try FileManager.default.createDirectory(
            atPath: file(name), withIntermediateDirectories: true)
        if let owner, let entry = getpwnam(owner) {
            chown(file(name), entry.pointee.pw_uid, entry.pointee.pw_gid)
        }
        return file(name)
    }

    /// A port of 127.0.0.1 that was free a moment ago.
    static func freePort() throws -> Int {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer -> Int? in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                guard bind(socket, $0, size) == 0, getsockname(socket, $0, &size) == 0 else {
                    return nil
                }
                return Int(UInt16(bigEndian: pointer.pointee.sin_port))
            }
        }
        guard let port else { throw ServerError("no free port") }
        return port
    }

    /// Waits until something listens on a port of 127.0.0.1.
    /// - Throws: when `process` ends earlier or after 60 s; with the end of its log.
    static func waitForPort(_ port: Int, of process: ServerProcess) throws {
        for _ in 0..<3_000 {
            if isListening(port) { return }
            if process.poll() != nil { break }
            usleep(20_000)
        }
        let log = ProcFiles.text(process.log).suffix(2_000)
        throw ServerError("nothing listens on port \(port); its log ends with:\n\(log)")
    }

    /// Reads the kernel's table, so that no connection is needed.
    static func isListening(_ port: Int) -> Bool {
        let hex = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: 4 - hex.count) + hex
        return listeners().contains { $0.hasSuffix(suffix) }
    }

    private static func listeners() -> [String] {
        ProcFiles.lines("/proc/net/tcp").compactMap {
            let fields = $0.split(separator: " ")
            return fields.count > 3 && fields[3] == "0A" ? String(fields[1]) : nil
        }
    }
}
