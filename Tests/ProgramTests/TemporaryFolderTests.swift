// Which folder temporary files go to, and how it is tried.

import ArgumentParser
import Foundation
import Log
import Testing

@testable import Program
@testable import Relay

struct TemporaryFolderTests {
    private typealias Candidate = TemporaryFolder.Candidate

    /// A flag, an environment and a home, and the folders that are tried then, in order.
    static let rows:
        [(flag: String?, environment: [String: String], home: String?, folders: [String])] = [
            ("/flag", ["STATE_DIRECTORY": "/state"], "/home/u", ["/flag"]),
            (
                nil, ["STATE_DIRECTORY": "/state"], "/home/u",
                ["/state", "/home/u/.local/state/postscale-relay"]
            ),
            (nil, ["STATE_DIRECTORY": "/one:/two"], nil, ["/one"]),
            (nil, ["STATE_DIRECTORY": ""], nil, []),
            (nil, ["STATE_DIRECTORY": "relative"], nil, []),
            (
                nil, ["STATE_DIRECTORY": "/state", "XDG_STATE_HOME": "/xdg"], "/home/u",
                ["/state", "/xdg/postscale-relay"]
            ),
            (nil, ["XDG_STATE_HOME": "/xdg"], "/home/u", ["/xdg/postscale-relay"]),
            (
                nil, ["XDG_STATE_HOME": "relative"], "/home/u",
                ["/home/u/.local/state/postscale-relay"]
            ),
            (nil, [:], "/home/u", ["/home/u/.local/state/postscale-relay"]),
            (nil, [:], "", []), (nil, [:], nil, []),
        ]

    @Test(arguments: rows)
    func `the flag wins, then the state folders in their order`(
        _ flag: String?, _ environment: [String: String], _ home: String?, _ folders: [String]
    ) {
        let candidates = TemporaryFolder.candidates(
            flag: flag, environment: environment, home: home)
        #expect(candidates.map(\.path) == folders)
    }

    private func folder() -> String { NSTemporaryDirectory() + "relay-\(UUID().uuidString)" }

    private func open(_ folder: TemporaryFolder) throws -> TemporaryBudget {
        let budget = TemporaryBudget()
        try folder.open(for: budget, hasNewUser: false)
        return budget
    }

    @Test func `a state folder is made for its user alone, and left empty`() throws {
        let home = folder()
        defer { try? FileManager.default.removeItem(atPath: home) }
        let budget = try open(
            TemporaryFolder(flag: nil, bytesMax: nil, environment: ["HOME": home], log: .silent()))
        let path = home + "/.local/state/postscale-relay"
        #expect(budget.folder == path)
        #expect(budget.bytesMax > 0)
        let rights = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        #expect(rights as? Int == 0o700)
        #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
    }

    @Test func `the next folder serves when one cannot`() throws {
        let home = folder()
        defer { try? FileManager.default.removeItem(atPath: home) }
        let budget = try open(
            TemporaryFolder(
                flag: nil, bytesMax: 4_711,
                environment: ["STATE_DIRECTORY": "/dev/null/state", "XDG_STATE_HOME": home],
                log: .silent()))
        #expect(budget.folder == home + "/postscale-relay" && budget.bytesMax == 4_711)
    }

    @Test func `without a usable folder nothing is spilled, and the relay runs`() throws {
        let budget = try open(
            TemporaryFolder(
                flag: nil, bytesMax: 4_711, environment: ["HOME": "/dev/null"], log: .silent()))
        #expect(budget.folder == nil && budget.bytesMax == 0)
    }

    @Test(arguments: ["/nonexistent/folder", "/dev/null", ""])
    func `a folder of the flag that is not usable is an error that names the flag`(
        _ path: String
    ) {
        let folder = TemporaryFolder(flag: path, bytesMax: nil, environment: [:], log: .silent())
        let error = #expect(throws: ValidationError.self) { try folder.checkFlag() }
        #expect(error?.message.hasPrefix("--temporary-folder \(path): ") == true)
        #expect(throws: ValidationError.self) { try open(folder) }
    }
}
