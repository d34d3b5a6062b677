// Everything that SIGHUP changes, as one value that is replaced whole.
//
// A setting is reloadable exactly when it is a field here: the flags that make this value are the
// ones that the relay reads again (`ReloadableFlags`), and the loops adopt the whole value.

import Reactor

/// The settings that sessions go by which begin after the last SIGHUP.
package struct ReloadableSettings: Sendable, Equatable {
    package var limits = SessionLimits()
    package var abuse = AbuseLimits()
    /// Balancers: their connections begin with a PROXY header, which names the client.
    package var proxies: [AddressBlock] = []
    /// A 452 says which limit was met and how long to wait, a 250 what the message has lost.
    package var hasVerboseReplies = false
    package var certificate = CertificateSource.selfSigned
    /// The file of keys for session tickets; nil for keys of the relay's own.
    package var ticketKeyFile: String?

    package init() {}
}

/// Where the server's certificates come from.
package enum CertificateSource: Sendable, Equatable {
    case files([TLSCertificateFiles])
    /// A new self-signed one in memory, for the sandbox only.
    case selfSigned
}
