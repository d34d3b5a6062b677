// Commands for a Valkey or Redis server, as arrays of bulk strings (RESP2). They wait here until the
// loop's tick is over, and leave together.

/// Collects commands.
struct CommandWriter {
    private(set) var bytes: [UInt8] = []
    /// They hold a password.
    private(set) var isSecret = false

    /// The beginning of a command of so many words, each of which `add` follows with.
    mutating func begin(_ words: Int) {
        bytes.append(0x2A)
        appendNumber(words)
    }

    mutating func add(_ word: StaticString) {
        word.withUTF8Buffer { word in
            head(word.count)
            bytes.append(contentsOf: word)
        }
        end()
    }

    mutating func add(_ word: String) {
        head(word.utf8.count)
        bytes.append(contentsOf: word.utf8)
        end()
    }

    mutating func add(_ word: [UInt8]) {
        head(word.count)
        bytes.append(contentsOf: word)
        end()
    }

    /// A password.
    mutating func addSecret(_ word: [UInt8]) {
        isSecret = true
        add(word)
    }

    /// A name in the server: the prefix of all ours, what kind it is, and a digest in hexadecimal.
    mutating func add(_ prefix: [UInt8], _ kind: UInt8, _ digest: ServerName) {
        head(prefix.count + 33)
        bytes.append(contentsOf: prefix)
        bytes.append(kind)
        digest.write(into: &bytes)
        end()
    }

    /// Forgets what was written; the memory stays.
    mutating func removeAll() {
        if isSecret { for index in bytes.indices { bytes[index] = 0 } }
        bytes.removeAll(keepingCapacity: true)
        isSecret = false
    }

    private mutating func head(_ count: Int) {
        bytes.append(0x24)
        appendNumber(count)
    }

    private mutating func appendNumber(_ number: Int) {
        if number < 10 {
            bytes.append(0x30 + UInt8(number))
        } else if number < 100 {
            bytes.append(0x30 + UInt8(number / 10))
            bytes.append(0x30 + UInt8(number % 10))
        } else {
            bytes.append(contentsOf: String(number).utf8)
        }
        end()
    }

    private mutating func end() {
        bytes.append(0x0D)
        bytes.append(0x0A)
    }
}
