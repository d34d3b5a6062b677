// Parameters: RFC 2045 and 2231's examples, what mailers write, and hostile ones.

import Testing

@testable import Wire

/// The decoded text of a parameter, nil when it is absent.
func parameterText(_ name: String, _ value: [UInt8]) -> String? {
    question(name, value) { parameters, name, region in
        var losses = DecodeLosses()
        return parameters.text(
            name, value.span, charsets: CharsetCache(), into: &region, losses: &losses)
    }
}

/// The raw value of a parameter, nil when it is absent.
func parameterRaw(_ name: String, _ value: [UInt8]) -> String? {
    question(name, value) { $0.raw($1, value.span, into: &$2) }
}

/// The main value in lower case.
func mainValue(_ value: [UInt8]) -> String {
    let parameters = FieldParameters(value.span)
    return written(capacity: value.count) { parameters.writeMain(value.span, into: &$0) }.text
}

private func question(
    _ name: String, _ value: [UInt8],
    _ ask: (FieldParameters, StaticString, inout Region) -> Bool
) -> String? {
    guard let name = names.first(where: { "\($0)" == name }) else { return "(name not listed)" }
    let parameters = FieldParameters(value.span)
    var isThere = false
    let bytes = written(capacity: 4 * value.count + 64) { region in
        isThere = ask(parameters, name, &region)
    }
    guard isThere else { return nil }
    return String(validating: bytes, as: UTF8.self) ?? "(not UTF-8)"
}

/// A `StaticString` can't be made at run time.
private let names: [StaticString] = [
    "charset", "name", "filename", "boundary", "title", "url", "x", "key", "key2", "key3", "key4",
    "access-type", "URL", "server", "expiration", "site", "mode", "directory", "format", "id",
    "number", "total", "micalg", "protocol", "x-mac-type", "permission", "size",
]
