// The keys that seal session tickets (RFC 5077 section 4, RFC 8446 section 4.6.1).
//
// The relay's own keys are in memory only: a key seals for six hours and opens for six more, longer
// than a ticket lives. Time is an argument; a key is made when it is first used. Keys from a file
// replace the relay's own, so that several relays open each other's tickets; then the writer of the
// file rotates them.

import CEpoll.TLS

/// The ticket keys of a server, shared by all loops and by the contexts that follow each other when
/// certificates are read again.
public final class TLSTickets: Sendable {
    let keys = Locked(TLSTicketKeys())

    /// Keys of our own, made when they are needed.
    public init() {}

    /// From now on these keys seal and open; nil: our own again.
    ///
    /// - Parameter bytes: one or more keys of 80 bytes each: a name of 16, a key for HMAC of 32, a
    ///   key for AES of 32 (as nginx reads them). The first seals, all open.
    /// - Throws: `TLSError` when that is not what they are; nothing has changed then.
    public func use(_ bytes: [UInt8]?) throws(TLSError) {
        let given = try bytes.map(TLSTicketKeys.read) ?? []
        keys.withLock { $0.use(given) }
    }
}

/// The ticket keys of one server.
struct TLSTicketKeys {
    /// Bytes of one key in a file.
    static let fileKeyBytes = 80
    /// Keys of a file at most; each ticket of a stranger is compared with the names of all.
    static let fileKeysMax = 16

    /// How long one key seals.
    static let lifetimeMilliseconds = 6 * 3_600 * 1_000

    /// One key and its public name.
    struct Key {
        var name: [UInt8]
        var cipherKey: [UInt8]
        var macKey: [UInt8]
        var madeAt: MonotonicTime
    }

    /// Keys from a file; without any, ours are used.
    private(set) var given: [Key] = []
    /// The key that seals, and the one before it.
    private(set) var current: Key?
    private(set) var previous: Key?

    /// The keys of a file.
    static func read(_ bytes: [UInt8]) throws(TLSError) -> [Key] {
        let count = bytes.count / fileKeyBytes
        guard count > 0, count <= fileKeysMax, bytes.count % fileKeyBytes == 0 else {
            throw TLSError(
                line: "\(bytes.count) bytes: give 1 to \(fileKeysMax) keys of \(fileKeyBytes) bytes"
            )
        }
        return (0..<count).map { index in
            let key = bytes[index * fileKeyBytes..<(index + 1) * fileKeyBytes]
            let start = key.startIndex
            return Key(
                name: Array(key[start..<start + 16]),
                cipherKey: Array(key[(start + 48)...]),
                macKey: Array(key[start + 16..<start + 48]), madeAt: MonotonicTime(nanoseconds: 0))
        }
    }

    /// Keys from a file seal and open from now on; none: ours.
    mutating func use(_ given: [Key]) { self.given = given }

    /// Lets go of keys whose time is over, and makes the next; the key to seal with, or nil when
    /// there is no randomness to be had.
    mutating func rotate(now: MonotonicTime) -> Key? {
        if let key = given.first { return key }
        guard let key = current else {
            current = TLSTicketKeys.makeKey(now)
            return current
        }
        let age = now.milliseconds(since: key.madeAt)
        if age >= TLSTicketKeys.lifetimeMilliseconds {
            previous = age < 2 * TLSTicketKeys.lifetimeMilliseconds ? key : nil
            current = TLSTicketKeys.makeKey(now)
        }
        return current
    }

    private static func makeKey(_ now: MonotonicTime) -> Key? {
        guard let name = random(16), let cipherKey = random(32), let macKey = random(32) else {
            return nil
        }
        return Key(name: name, cipherKey: cipherKey, macKey: macKey, madeAt: now)
    }

    private static func random(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return RAND_bytes(&bytes, Int32(count)) == 1 ? bytes : nil
    }

    /// Prepares to seal a ticket: fills the 16 bytes of `name` and `iv`. OpenSSL's answer: 1 done,
    /// -1 failed.
    mutating func seal(
        _ name: UnsafeMutablePointer<UInt8>, _ iv: UnsafeMutablePointer<UInt8>,
        _ cipher: OpaquePointer, _ mac: OpaquePointer, now: MonotonicTime
    ) -> Int32 {
        guard let key = rotate(now: now), RAND_bytes(iv, 16) == 1 else { return -1 }
        name.update(from: key.name, count: 16)
        return ct_ticket_init(cipher, mac, key.cipherKey, key.macKey, iv, 1) == 1 ? 1 : -1
    }

    /// Prepares to open a ticket. OpenSSL's answer: 2 done, and the client gets a new ticket (in
    /// TLS 1.3 it would have none for its next connection otherwise); 0 unknown key, and a full
    /// handshake follows; -1 failed.
    mutating func open(
        _ name: UnsafePointer<UInt8>, _ iv: UnsafePointer<UInt8>,
        _ cipher: OpaquePointer, _ mac: OpaquePointer, now: MonotonicTime
    ) -> Int32 {
        _ = rotate(now: now)
        let wanted = UnsafeBufferPointer(start: name, count: 16)
        let keys = given.isEmpty ? [current, previous].compactMap(\.self) : given
        for key in keys where key.name.elementsEqual(wanted) {
            let isReady = ct_ticket_init(cipher, mac, key.cipherKey, key.macKey, iv, 0) == 1
            return isReady ? 2 : -1
        }
        return 0
    }
}
