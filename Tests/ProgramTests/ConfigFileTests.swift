// Flags in a settings file, at start and when it is read again.

import ArgumentParser
import Testing

@testable import Program

struct ConfigFileTests {
    private func lines(_ text: String) throws -> [ConfigFile.Line] {
        try ConfigFile(text: text, path: "relay.conf").lines
    }

    private func refusal(_ arguments: [String]) -> String {
        do {
            _ = try ConfigFile(namedIn: arguments)
            return "accepted"
        } catch {
            return RunCommand.message(for: error)
        }
    }

    @Test func `a line is a flag as on the command line, with the rest of the line as its value`()
        throws
    {
        let text = "# comment\n\n  --hostname smtp.example.com \r\n--loops=4\n--verbose-replies\n"
        #expect(
            try lines(text) == [
                ConfigFile.Line(name: "--hostname", value: "smtp.example.com"),
                ConfigFile.Line(name: "--loops", value: "4"),
                ConfigFile.Line(name: "--verbose-replies", value: nil),
            ])
        let folder = try lines("--tls-folder   /a folder = with\tthings")
        #expect(
            folder == [ConfigFile.Line(name: "--tls-folder", value: "/a folder = with\tthings")])
    }

    @Test(arguments: [
        ("hostname a", "relay.conf:1: hostname a: give one flag a line"),
        ("\n--config other", "relay.conf:2: --config cannot stand in such a file."),
        ("--", "relay.conf:1: --: give one flag a line"),
        ("--loops 2\n--help", "relay.conf:2: --help cannot stand in such a file."),
    ])
    func `an error names its line`(_ text: String, _ reason: String) {
        do {
            _ = try lines(text)
            Issue.record("accepted")
        } catch {
            #expect(RunCommand.message(for: error).hasPrefix(reason))
        }
    }

    @Test(arguments: [
        ("--loops 2\n--max-recipient 5", "relay.conf:2: Unknown option '--max-recipient'"),
        ("\n--idle-timeout 60", "relay.conf:2: The value '60' is invalid for '--idle-timeout"),
    ])
    func `what cannot be parsed is known by its line`(_ text: String, _ reason: String) throws {
        let fault = try ConfigFile(text: text, path: "relay.conf").fault
        #expect(fault?.hasPrefix(reason) == true, "\(fault ?? "none")")
    }

    @Test func `the command line replaces the file's lines of the same name`() throws {
        let file = try TemporaryText(
            "--loops 2\n--listen 127.0.0.1:1\n--listen 127.0.0.1:2\n--max-errors 7\n")
        let arguments = ["run", "--config", file.path, "--listen=127.0.0.1:3", "--loops", "5"]
        let config = try ConfigFile(namedIn: arguments)
        #expect(config.before(arguments) == ["run", "--max-errors=7"] + arguments.dropFirst())
        let command = try RunCommand.parse(Array(config.before(arguments).dropFirst()))
        #expect(command.limits.clients.maxErrors == 7 && command.process.loops == 5)
        #expect(command.listen.startTLS.map(\.address.port) == [3])
    }

    @Test func `without a file nothing is added`() throws {
        let arguments = ["--sandbox", "--loops", "5"]
        #expect(try ConfigFile(namedIn: arguments).before(arguments) == arguments)
    }

    @Test func `a missing file is named; a file with a NUL is read`() throws {
        #expect(
            refusal(["--config", "/nowhere/relay.conf"])
                == "--config /nowhere/relay.conf: No such file or directory")
        let file = try TemporaryText("--hostname \u{0}")
        #expect(refusal(["--config=\(file.path)"]) == "accepted")
    }

    @Test func `only flags that need a restart are named`() throws {
        let file = try TemporaryText("--loops 2\n--max-errors 7\n--sandbox\n")
        let reader = try SettingsReader(arguments: ["--config", file.path], environment: [:])
        try file.replace("--loops 3\n--max-errors 8\n--sandbox\n--hostname new.example\n")
        let (settings, needRestart) = try reader.readAgain()
        #expect(settings.configuration.reloadable.limits.errorsMax == 8)
        #expect(needRestart == ["--hostname", "--loops"])
        #expect(try reader.readAgain().needRestart == needRestart, "until there was one")
    }

    @Test(arguments: ["--max-errors 0", "--max-errors x", "--no-such-flag", "--tls-cert c.pem"])
    func `an error in a second reading is refused as in the first`(_ line: String) throws {
        let file = try TemporaryText("--sandbox\n")
        let reader = try SettingsReader(arguments: ["--config", file.path], environment: [:])
        try file.replace("--sandbox\n\(line)\n")
        #expect(throws: (any Error).self) { try reader.readAgain() }
    }
}
