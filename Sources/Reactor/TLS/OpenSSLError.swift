// OpenSSL's reason for a failure, as one printable line.
//
// OpenSSL keeps a queue of errors for each thread. An error that stays in it would be reported as
// the cause of the next failure. So reading a failure always empties the queue.

import CEpoll.TLS

/// Reads OpenSSL's error queue.
enum OpenSSLError {
    /// The first error of this thread's queue, which is empty afterwards:
    /// "tlsv1 alert unknown ca (SSL alert number 48)".
    static func takeLine() -> String {
        var data: UnsafePointer<CChar>?
        var flags: Int32 = 0
        let code = ERR_get_error_all(nil, nil, nil, &data, &flags)
        var line = reason(code)
        let isOwn = ct_system_error(code) == 0
        if isOwn, flags & ERR_TXT_STRING != 0, let data, data.pointee != 0 {
            line += " (\(String(cString: data)))"
        }
        ERR_clear_error()
        return printable(line)
    }

    /// Empties the queue, at little cost when it is empty, as it nearly always is: ERR_clear_error
    /// looks into each of its 16 places (840 instructions per call, ten calls per message).
    static func clear() {
        if ERR_peek_error() != 0 { ERR_clear_error() }
    }

    /// Whether the first error is that of a key whose passphrase nobody was asked for.
    static var isOfPassphrase: Bool { ct_is_of_passphrase(ERR_peek_error()) == 1 }

    private static func reason(_ code: UInt) -> String {
        guard code != 0 else { return "unexpected end of TLS" }
        let errno = ct_system_error(code)
        if errno != 0 { return SystemError.text(errno) }
        guard let text = ERR_reason_error_string(code) else { return "OpenSSL error \(code)" }
        return String(cString: text)
    }

    /// Printable ASCII only, at most 200 bytes: fit for a log line whatever is in it.
    private static func printable(_ line: String) -> String {
        String(
            decoding: line.utf8.prefix(200).map { $0 >= 0x20 && $0 < 0x7F ? $0 : 0x3F },
            as: UTF8.self)
    }
}
