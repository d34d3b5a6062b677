// The first thing that a newcomer sees: the settings for a mail client, and a command to paste.

import Mapping
import Relay

/// The text that `--sandbox` prints when it is ready.
enum SandboxBanner {
    /// Several lines with their line ends.
    static func text(for configuration: Configuration) -> String {
        let startTLS = configuration.listeners.first { !$0.isImplicitTLS }
        let implicit = configuration.listeners.first { $0.isImplicitTLS }
        var lines = [
            "", "Postscale SMTP relay, with a sandbox API: nothing leaves this machine.", "",
        ]
        if let startTLS {
            lines.append("  Server    \(startTLS.address.host)")
            lines.append("  Port      \(startTLS.address.port), STARTTLS")
        }
        if let implicit { lines.append("  Port      \(implicit.address.port), TLS") }
        lines.append("  Username  postscale")
        lines.append("  Password  ps_test_key")
        lines.append("  Inbox     \(configuration.api.endpoint.description)/")
        if let server = startTLS ?? implicit {
            let mode = server.isImplicitTLS ? "--tls-on-connect" : "--tls"
            lines += [
                "", "Send a message:", "",
                "swaks --server \(server.address) \(mode) \\",
                "  --auth PLAIN --auth-user postscale --auth-password ps_test_key \\",
                "  --from sender@yourdomain.com --to recipient@example.com \\",
                "  --header \"Subject: Hello from Postscale\" \\",
                "  --header \"X-Postscale-Tags: welcome, onboarding\" \\",
                "  --header 'X-Postscale-Metadata: {\"user_id\": \"42\"}' \\",
                "  --body \"Sent via SMTP relay!\"",
            ]
        }
        lines += [
            "", "See it in a browser: \(configuration.api.endpoint.description)/", "",
        ]
        return lines.joined(separator: "\n")
    }
}
