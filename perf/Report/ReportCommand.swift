// `relay-perf report`: results as one HTML page.

import ArgumentParser
import Foundation

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Make one HTML page of results.")

    @Argument(help: ArgumentHelp("Results, as --output wrote them.", valueName: "file"))
    var files: [String]

    @Option(name: .shortAndLong, help: ArgumentHelp("The page.", valueName: "file"))
    var output = "perf.html"

    func run() throws {
        let results = try files.flatMap { file in
            do {
                return try ResultFile.read(file)
            } catch {
                throw ServerError("\(file): no results of relay-perf (\(error))")
            }
        }
        guard !results.isEmpty else { throw ServerError("no results in \(files)") }
        try ReportPage(results).html().write(toFile: output, atomically: true, encoding: .utf8)
        print("\(output): \(results.count) results")
    }
}
