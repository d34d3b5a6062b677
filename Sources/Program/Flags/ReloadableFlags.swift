// The flags that SIGHUP reads again, and the settings that they make.
//
// A flag is reloadable exactly when its group is here. So there is no second list that could forget
// one: the parser of this type tells which flags these are, and `settings` has nothing else to read.

import ArgumentParser
import Relay

struct ReloadableFlags: ParsableArguments {
    @OptionGroup private var balancers: BalancerFlags
    @OptionGroup private var certificates: CertificateFlags
    @OptionGroup private var limits: ClientLimitFlags
    @OptionGroup private var replies: ReplyFlags

    init() {}

    /// Those of a command line.
    init(listen: ListenFlags, limits: LimitFlags, message: MessageFlags) {
        balancers = listen.balancers
        certificates = listen.certificates
        self.limits = limits.clients
        replies = message.replies
    }

    /// - Throws: `ValidationError` with the flag, its value and what would do instead.
    func settings(environment: [String: String], hasSandbox: Bool) throws -> ReloadableSettings {
        var settings = ReloadableSettings()
        settings.limits = try limits.sessionLimits()
        settings.abuse = try limits.abuseLimits()
        settings.proxies = balancers.proxies
        settings.hasVerboseReplies = replies.verboseReplies
        settings.certificate = try certificates.source(
            environment: environment, hasSandbox: hasSandbox)
        settings.ticketKeyFile = certificates.ticketKeys
        return settings
    }

    /// Whether `line` is one of these flags.
    /// - Parameter line: of a settings file that is valid as a whole.
    static func has(_ line: ConfigFile.Line) -> Bool {
        (try? parse([line.argument])) != nil
    }
}
