// The settings in a few lines: what `--check-config` prints, and what `systemctl status` shows.

import Log
import Reactor
import Relay

/// The settings that are about to run, for people.
struct ProcessSummary {
    private let settings: RelaySettings

    init(_ settings: RelaySettings) { self.settings = settings }

    /// One line, for the service manager.
    var status: String {
        let configuration = settings.configuration
        return "\(configuration.listeners.count) listeners, API \(configuration.api.endpoint)"
    }

    /// Several lines.
    /// - Parameter serverTLS: the certificates that were loaded.
    func text(_ serverTLS: TLSContext) -> String {
        let configuration = settings.configuration
        let budget = ByteSize(bytes: configuration.memoryBudgetBytes)
        var lines = ["The configuration is valid."]
        lines += configuration.listeners.map {
            "listen   \($0.address) \($0.isImplicitTLS ? "TLS" : "STARTTLS")"
        }
        lines.append("hostname \(configuration.hostname)")
        lines.append("api      \(configuration.api.endpoint)")
        lines.append("loops    \(configuration.loops)")
        if let identity = settings.identity { lines.append("user     \(identity)") }
        lines.append("memory   \(budget.defaultValueDescription) for messages")
        if let end = serverTLS.notAfter {
            lines.append(
                "tls      certificate valid until "
                    + Timestamp.text(seconds: Int(end), milliseconds: 0))
            for names in serverTLS.servedNames {
                lines.append("tls      " + names.joined(separator: " "))
            }
        }
        return lines.joined(separator: "\n")
    }
}
