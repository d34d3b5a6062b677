// Reads the settings again at each SIGHUP: the command line and the environment are the same, the
// files are as they are now.

import ArgumentParser

/// Where settings come from.
struct SettingsReader {
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
    /// - Returns: the settings, and the flags that have changed in the file since the start but are
    ///   not reloadable: they need a restart.
    /// - Throws: an error for people. Nothing has changed then.
    func readAgain() throws -> (settings: RelaySettings, needRestart: [String]) {
        let now = try ConfigFile(namedIn: arguments)
        let flags = now.before(arguments).drop { $0 == "run" }
        let command: RunCommand
        do { command = try RunCommand.parse(Array(flags)) } catch {
            throw now.fault.map { ValidationError($0) } ?? error
        }
        let settings = try command.settings(environment: environment)
        let needRestart = now.differences(from: file).filter { name in
            !(now.lines + file.lines).contains { $0.name == name && ReloadableFlags.has($0) }
        }
        return (settings, needRestart)
    }
}
