// What one session and one message may do, with the one default of each limit.

/// The limits of one message and one session.
package struct SessionLimits: Sendable, Equatable {
    package var messageBytesMax = 52_428_800
    package var recipientsMax = 100
    /// CHUNKING and BINARYMIME are offered, and BDAT is taken (RFC 3030).
    package var hasChunking = true
    /// Between commands and between chunks of DATA.
    package var idleTimeoutMilliseconds = 60_000
    package var sessionTimeoutMilliseconds = 30 * 60_000
    /// Bytes a second, over the last fifteen seconds of DATA in which bytes arrived; 0 for no minimum.
    package var dataRateMin = 1_024
    package var commandLineBytesMax = 2_048
    package var authLineBytesMax = 12_288
    /// Wrong commands in a session before 421.
    package var errorsMax = 20
    /// Commands that do nothing (NOOP, RSET, EHLO…) before the login, before 421.
    package var idleCommandsBeforeLoginMax = 100
    /// The same after the login, between two messages.
    package var idleCommandsMax = 1_000
    /// Refused logins in a session before 421.
    package var failedLoginsMax = 3
    /// Each refused login of a session but the first is answered this much later than the last.
    package var failedLoginDelayMilliseconds = 1_000

    package init() {}
}
