// How a client's OpenSSL learns a server's tickets while the engine opens the records (RFC 8446
// section 4.6.1).
//
// OpenSSL takes tickets in sealed records only. So what the engine has opened is sealed again, with the
// server's key and the record numbers that OpenSSL expects: it has seen nothing but tickets. These
// records never leave this file, so no nonce is used twice on the wire.

import CEpoll.TLS

/// Hands the tickets of one connection to its OpenSSL.
final class TLSTicketPassage {
    private let key: TLSTrafficKey
    /// The alert that OpenSSL has chosen; nil while it is content.
    private var alert: UInt8?

    /// - Parameter key: seals, from record 0 of the server's first secret on.
    init(key: TLSTrafficKey, of ssl: OpaquePointer) {
        self.key = key
        SSL_set_info_callback(ssl) { ssl, event, value in
            guard event == SSL_CB_WRITE_ALERT, let ssl, let owner = ct_owner(ssl) else { return }
            Unmanaged<TLSEngine>.fromOpaque(owner).takeUnretainedValue()
                .passage?.alert = UInt8(truncatingIfNeeded: value)
        }
    }

    /// Makes OpenSSL read some bytes of handshake messages, at most a record.
    /// - Returns: nil when it takes them; else the alert that it would send. Its error queue says why.
    func pass(
        _ content: UnsafeRawBufferPointer, to ssl: OpaquePointer, through port: TLSPort
    ) -> UInt8? {
        let body = content.count + 1 + TLSTrafficKey.tagBytes
        let total = TLSRecordSealer.headerBytes + body
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: total) { record in
            let start = record.baseAddress!
            for (place, byte) in [
                TLSContent.applicationData, 3, 3, UInt8(body >> 8), UInt8(body & 0xFF),
            ]
            .enumerated() { record[place] = byte }
            let inner = start + TLSRecordSealer.headerBytes
            inner.update(
                from: content.bindMemory(to: UInt8.self).baseAddress!, count: content.count)
            inner[content.count] = TLSContent.handshake
            guard key.begin(header: start, tag: nil),
                key.transform(inner, content.count + 1, into: inner),
                key.seal(tag: inner + content.count + 1)
            else { return TLSAlert.internalError }
            return read(UnsafeRawBufferPointer(record), ssl, port)
        }
    }

    private func read(
        _ record: UnsafeRawBufferPointer, _ ssl: OpaquePointer, _ port: TLSPort
    ) -> UInt8? {
        OpenSSLError.clear()
        var isTaken = false
        _ = port.run(input: record, output: port.unsent) {
            var none: UInt8 = 0
            isTaken = SSL_get_error(ssl, SSL_read(ssl, &none, 1)) == SSL_ERROR_WANT_READ
        }
        _ = port.takeUnsent()
        return isTaken ? nil : alert ?? TLSAlert.internalError
    }
}
