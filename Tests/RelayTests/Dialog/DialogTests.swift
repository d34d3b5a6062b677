// Whole sessions against a whole relay: every row of the reply table is a file in Tests/Dialogs.

import Testing

@testable import Relay

@Suite("Dialogs", .serialized)
struct DialogTests {
    @Test("A session goes as its transcript says", arguments: Dialog.all)
    func whole(_ dialog: Dialog) throws { try DialogRunner(dialog, .whole).play() }

    @Test(
        "It does so when the client sends single bytes",
        arguments: Dialog.all.filter { !$0.isWholeOnly })
    func singleBytes(_ dialog: Dialog) throws {
        try DialogRunner(dialog, .singleBytes).play()
    }

    @Test("There are dialogs")
    func exist() { #expect(Dialog.all.count > 30) }
}
