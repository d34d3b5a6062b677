// What a session remembers of its logins (RFC 4954), and what guessing costs.
//
// A value that never sees a credential: fingerprints stand for them. A refused login is answered
// later each time, and the last allowed one closes the session. An outage of the API never counts.
// A client that tries PLAIN and then LOGIN with the same key (Python's smtplib does) has made one
// mistake, not two.

import Wire

/// Which answer of an AUTH exchange a line is (RFC 4954 4).
enum SASLExchange: UInt8, Equatable {
    case plain, loginUsername, loginPassword
}

/// An AUTH response, decoded. A fingerprint stands for the credentials, so that the machine can
/// tell a repetition without ever seeing them.
enum SASLResponse: Equatable {
    /// `*`
    case cancelled
    case badBase64
    case badFormat
    /// LOGIN: the username is right.
    case username
    case wrongUsername(fingerprint: UInt64)
    /// Not a key that the API could be asked about, or for another identity.
    case unusableKey(fingerprint: UInt64)
    case key(fingerprint: UInt64)
}

/// What was wrong with a login.
enum LoginFault: UInt8, Equatable {
    case username, key

    /// For the log.
    var word: String { "\(self)" }
}

/// The logins of one session.
struct LoginState {
    /// Why a session is not logged in.
    private enum Lack {
        /// There was no AUTH that came to an end.
        case neverTried
        /// The last login could not be checked.
        case unchecked
        /// The last login was refused, or the API has refused its key since.
        case refused
    }

    private(set) var isAuthenticated = false
    /// There was a login, whatever became of it.
    private(set) var hasSucceeded = false
    /// Why there is no login.
    private var lack = Lack.neverTried
    /// Refused logins that count.
    private(set) var failures = 0
    /// Which answer of the exchange comes next, or came last.
    private(set) var exchange = SASLExchange.plain
    /// Of the key that is being checked.
    private(set) var fingerprint: UInt64 = 0
    /// The last refused login that may still be repeated with the other mechanism.
    private var lastFailure: (fingerprint: UInt64, isPlain: Bool)?
    private var lastFault = LoginFault.key

    /// AUTH names a mechanism. False when it is one that the relay does not speak.
    mutating func begin(_ mechanism: Bytes) -> Bool {
        if mechanism.equalsIgnoringCase("PLAIN") {
            exchange = .plain
        } else if mechanism.equalsIgnoringCase("LOGIN") {
            exchange = .loginUsername
        } else {
            return false
        }
        return true
    }

    /// What the client is asked for when AUTH brought no response with it.
    var firstChallenge: Reply { exchange == .plain ? .emptyChallenge : .usernamePrompt }

    /// LOGIN: the username was right.
    mutating func expectPassword() { exchange = .loginPassword }

    /// The API is asked about a key.
    mutating func check(_ fingerprint: UInt64) { self.fingerprint = fingerprint }

    /// The API's answer about the key; a refusal is noted by `refuse`.
    mutating func settle(_ verdict: KeyVerdict) {
        if case .unavailable = verdict { lack = .unchecked }
        guard verdict == .valid else { return }
        isAuthenticated = true
        hasSucceeded = true
        failures = 0
        lastFailure = nil
    }

    /// The API's answer about the key did not come.
    mutating func missAnswer() { lack = .unchecked }

    /// The API no longer knows the key.
    mutating func logOut() {
        isAuthenticated = false
        lack = .refused
    }

    /// What MAIL is answered without a login because of what became of one; nil when there was
    /// none. Some clients go on after a login that failed. After a permanent reply here they would
    /// return messages that only have to be sent again (dma does, and sendmail its whole queue).
    var replyToMail: Reply? {
        switch lack {
        case .neverTried: nil
        case .unchecked: .authUnavailable
        case .refused: .logInAgain
        }
    }

    /// Notes a refused login; false when it repeats the last one and does not count.
    mutating func refuse(_ fault: LoginFault, _ fingerprint: UInt64) -> Bool {
        let isPlain = exchange == .plain
        lastFault = fault
        lack = .refused
        if let last = lastFailure, last.fingerprint == fingerprint, last.isPlain != isPlain {
            lastFailure = nil
            return false
        }
        failures += 1
        lastFailure = (fingerprint, isPlain)
        return true
    }

    /// How much later the refusal is answered: at once the first time, then one step more each time.
    func delayMilliseconds(_ limits: SessionLimits) -> Int {
        max(0, failures - 1) * limits.failedLoginDelayMilliseconds
    }

    /// What the refused login is answered; nil when it was the last one that is allowed.
    func refusal(_ limits: SessionLimits) -> Reply? {
        guard failures < limits.failedLoginsMax else { return nil }
        switch lastFault {
        case .username: return .badUsername
        case .key: return .authFailed
        }
    }
}
