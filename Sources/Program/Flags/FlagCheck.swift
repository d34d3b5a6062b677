// Checks of flags' values; the error names the flag.

import ArgumentParser
import Reactor
import Relay

/// Checks that a flag's type alone does not make.
enum FlagCheck {
    /// - Throws: `ValidationError`: "--loops 0: give 1 to 1024."
    static func check(_ holds: Bool, _ flag: String, _ value: String, _ want: String) throws {
        guard holds else { throw ValidationError("\(flag) \(value): give \(want).") }
    }

    /// No address twice among those of one flag.
    static func checkDistinct(_ flag: String, _ addresses: [SocketAddress]) throws {
        for (index, address) in addresses.enumerated() where addresses[..<index].contains(address) {
            throw ValidationError("\(flag) \(address): it is given twice.")
        }
    }

    /// No address for two listeners, because the kernel would divide its connections among them.
    /// - Parameter inherited: listeners that the service manager has bound.
    static func checkDistinct(inherited: [ListenerSpec], _ own: [ListenerSpec]) throws {
        for (index, listener) in own.enumerated() {
            let address = listener.address
            if inherited.contains(where: { $0.address == address }) {
                throw ValidationError(
                    "\(listener.flag) \(address): the service manager has passed a socket for it; "
                        + "leave it out here, or there.")
            }
            guard let other = own[..<index].first(where: { $0.address == address }) else {
                continue
            }
            throw ValidationError(
                other.flag == listener.flag
                    ? "\(listener.flag) \(address): it is given twice."
                    : "\(listener.flag) \(address): \(other.flag) has it already.")
        }
    }

    /// A count or a size in bytes.
    static func positive(_ flag: String, _ value: Int) throws -> Int {
        try check(value > 0 && value <= 1 << 40, flag, "\(value)", "a number above 0")
        return value
    }

    /// A time in milliseconds.
    static func positive(_ flag: String, _ value: TimeSpan) throws -> Int {
        let text = value.defaultValueDescription
        try check(
            value.milliseconds > 0 && value.milliseconds <= 7 * 86_400_000, flag, text,
            "a time above 0 and at most 168h")
        return value.milliseconds
    }
}

extension ListenerSpec {
    /// The flag that asks for such a listener.
    fileprivate var flag: String { isImplicitTLS ? "--listen-tls" : "--listen" }
}
