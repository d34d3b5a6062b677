// What relays of a fleet tell one another, besides the records of the ledger: limits that one of them
// has met, and keys that are not good any more.
//
// Names are digests that only relays of the fleet can make. Nobody waits for news. One that is missed
// costs at most one more refusal by the API: limits are believed for five minutes, and keys for one.

import Reactor

/// One piece of news.
package enum FleetNews: Equatable, Sendable {
    /// A limit that the API has spoken of.
    package struct Limit: Equatable, Sendable {
        /// Of key and domain, or of the key.
        package var name: ContentDigest
        /// Of the key that met it.
        package var key: ContentDigest
        /// Of the domain; nil for a limit of the key.
        package var domain: ContentDigest?
        /// What is left of it.
        package var milliseconds: Int
        /// As the API calls it.
        package var kind: String

        package init(
            name: ContentDigest, key: ContentDigest, domain: ContentDigest?, milliseconds: Int,
            kind: String
        ) {
            self.name = name
            self.key = key
            self.domain = domain
            self.milliseconds = milliseconds
            self.kind = kind
        }
    }

    case limited(Limit)
    /// The API has accepted a message again, or an operator knows better.
    case limitEnded(ContentDigest)
    /// An operator has ended all limits of a domain.
    case domainForgotten(ContentDigest)
    /// An operator has ended all limits that a key met.
    case keyLimitsForgotten(ContentDigest)
    /// The API has refused the key, or an operator wants it to be asked.
    case keyForgotten(ContentDigest)
}

/// The way to the other relays of a fleet. Safe to use from any thread.
package protocol FleetLink: AnyObject, Sendable {
    /// What a limit of a key and domain is called in the fleet; of the key alone without a domain.
    /// - Parameter account: the public hash of the API key.
    func limitName(account: UInt64, domain: String) -> ContentDigest
    /// What a domain is called.
    func domainName(_ domain: String) -> ContentDigest
    /// What a key is called.
    func keyName(account: UInt64) -> ContentDigest
    /// Tells the others, some time soon.
    func tell(_ news: FleetNews)
    /// From now on `hear` is called with what others tell, and the time, on any thread.
    func listen(_ hear: @escaping @Sendable (FleetNews, MonotonicTime) -> Void)
}
