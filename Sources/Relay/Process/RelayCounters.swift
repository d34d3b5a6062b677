// What one loop counts. Plain integers: the loop adds, a scrape sums the loops.

/// Counters of one worker; add fields where something happens that an operator would ask for.
struct RelayCounters {
    var sessionsAccepted = 0
    var sessionsClosed = 0
    var commands = 0
    var bareLineFeeds = 0
    var loginsAccepted = 0
    var loginsRefused = 0
    var loginsWrongUsername = 0
    var loginsUnavailable = 0
    var messagesAccepted = 0
    var messagesRefused = 0
    var messagesUnavailable = 0
    var messagesUncertain = 0
    var messagesAbandoned = 0
    var duplicatesAnswered = 0
    var contentBytes = 0
    var losses = MappingLosses()
}

/// What messages lost on the way, by kind ("Nothing is dropped in silence").
struct MappingLosses: Equatable {
    var headersNotPassed = 0
    var headersMalformed = 0
    var postscaleHeadersUnknown = 0
    var charactersReplaced = 0
    var charsetsUnknown = 0
    var encodingsIrregular = 0
    var textTruncated = 0
    var bodiesReplacedByTemplate = 0
    var preambles = 0
    var addressesNotInEnvelope = 0
    var addressesMalformed = 0
    /// Parts without a byte; the API refuses an attachment that is empty.
    var attachmentsEmpty = 0
}
