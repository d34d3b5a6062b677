// What the writers of a request find out about the message beside its JSON.

import APIClient
import Wire

/// What one message has lost so far, and why it can't be sent, if it can't. The mapper owns it and
/// lends it to its writers.
struct Findings {
    private(set) var losses = MappingLosses()
    /// The first reason why the message can't be sent. The API gets nothing of it then.
    private(set) var refusal: Outcome?

    mutating func count(_ kind: MappingLosses.Kind, _ times: Int = 1) { losses[kind] += times }

    /// The message can't be sent. The first reason stays.
    mutating func refuse(_ outcome: Outcome) {
        if refusal == nil { refusal = outcome }
    }

    /// The message can't be sent, because it can't be read.
    /// - Parameter reason: what, and where; the client reads it in the reply.
    mutating func refuse(unparsable reason: String) {
        refuse(.unparsable(reason: Array(reason.utf8)))
    }
}

extension MappingLosses {
    /// Adds what decoding header values lost.
    mutating func add(_ losses: DecodeLosses) {
        self[.charactersReplaced] += losses.replacedCharacters
        self[.charsetsUnknown] += losses.unknownCharsets
        self[.textTruncated] += losses.truncated
        self[.addressesMalformed] += losses.malformedAddresses
        self[.encodingsIrregular] += losses.encodedAddresses
    }
}
