// Reads the settings, at start and again at each SIGHUP: the same command line and environment, the
// files as they are now.

import ArgumentParser

/// Where settings come from.
struct SettingsReader {
    /// Flags that take effect when the settings file is read again, for sessions that begin then.
    /// All others are made into something once: listeners, loops, pools.
    static let reloadable: Set<String> = [
        "--max-message-size", "--max-recipients", "--idle-timeout", "--session-timeout",
        "--min-data-rate", "--max-errors", "--max-failed-logins", "--failed-login-delay",
        "--max-connections-per-address", "--max-connections-per-prefix",
        "--max-failed-logins-per-address", "--max-failed-logins-per-prefix",
        "--max-handshakes-per-address", "--max-handshakes-per-prefix",
        "--tls-cert", "--tls-key", "--tls-folder", "--ticket-keys", "--verbose-replies",
        "--proxy-from",
    ]

    private let arguments: [String]
    private let environment: [String: String]
    /// As it was at start.
    private let file: ConfigFile

    /// - Parameter arguments: of the command line, without the program.
    /// - Throws: `ValidationError` for the settings file.
    init(arguments: [String], environment: [String: String]) throws {
        self.arguments = arguments
        self.environment = environment
        file = try ConfigFile(namedIn: arguments)
    }

    /// The settings as the files say now.
    /// - Returns: besides, the flags that have changed in the file since the start and need another.
    /// - Throws: what is wrong, for people; nothing has changed then.
    func readAgain() throws -> (settings: RelaySettings, needRestart: [String]) {
        let now = try ConfigFile(namedIn: arguments)
        let flags = now.before(arguments).drop { $0 == "run" }
        let settings = try RunCommand.parse(Array(flags)).settings(environment: environment)
        let changed = now.differences(from: file)
        return (settings, changed.filter { !Self.reloadable.contains($0) })
    }
}
