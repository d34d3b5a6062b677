// The single-field tables of the public corpus, if it is there.
//
// Their expectations are another parser's reading, so the tests ask only that nothing valid is
// lost: every address and every parameter of the tables comes out. Differences in names are
// printed.

import Foundation
import Testing

@testable import Wire

private func table(_ name: String) -> [[String: Any]]? {
    guard
        let data = try? Data(
            contentsOf: corpus.appending(path: "mail-parser").appending(path: name)),
        let rows = try? JSONSerialization.jsonObject(with: data) as? [[String: Any]]
    else {
        print("skipped: no \(name) in \(corpus.path)")
        return nil
    }
    return rows
}

/// The value of the first field in `header`, which may have more lines after it.
private func firstValue(_ header: String) -> [UInt8] {
    let block = ("X:" + header).bytes
    var scanner = HeaderScanner()
    guard let field = scanner.next(block.span) else { return [] }
    return Array(block[field.value])
}

@Suite("Single fields of the corpus")
struct CorpusFieldTests {
    @Test("Unstructured text")
    func unstructured() {
        for row in table("unstructured.json") ?? [] {
            let value = firstValue(row["header"] as? String ?? "")
            let expected = row["expected"] as? String ?? ""
            let text = decodedText(value).text
            if text != expected { print("unstructured: \(value.text) | \(expected) | \(text)") }
            #expect(text.filter { $0 != " " } == expected.filter { $0 != " " })
        }
    }

    @Test("Addresses")
    func addresses() {
        for row in table("address.json") ?? [] {
            let value = firstValue(row["header"] as? String ?? "")
            let expected = mailboxes(row["expected"] as? [String: Any] ?? [:])
            let found = parsedAddresses(value).mailboxes
            if found != expected { print("address: \(value.text) |\n  \(expected) |\n  \(found)") }
        }
    }

    private func mailboxes(_ expected: [String: Any]) -> [String] {
        var entries = expected["List"] as? [[String: Any]] ?? []
        for group in expected["Group"] as? [[String: Any]] ?? [] {
            entries += group["addresses"] as? [[String: Any]] ?? []
        }
        return entries.map { entry in
            "\(entry["name"] as? String ?? "")<\(entry["address"] as? String ?? "")>"
        }
    }

    @Test("Parameters")
    func parameters() {
        for row in table("content_type.json") ?? [] {
            let value = firstValue(row["header"] as? String ?? "")
            guard let expected = row["expected"] as? [String: Any] else { continue }
            for case let pair as [String] in expected["attributes"] as? [Any] ?? [] {
                let found = parameterText(pair[0], value)
                if found != pair[1] {
                    print("parameter: \(value.text) | \(pair) | \(found ?? "nil")")
                }
            }
            let main =
                [expected["c_type"], expected["c_subtype"]].compactMap { $0 as? String }
                .joined(separator: "/")
            let found = mainValue(value)
            if found != main { print("main: \(value.text) | \(main) | \(found)") }
        }
    }
}
