// From flags and environment to a checked Configuration: it only puts together what each group of
// flags makes.
//
// A flag wins over its environment variable, which wins over the default. An error names the flag,
// the value that was given and what would do instead; nothing is started then.

import Relay
import Sandbox

/// What `run` starts: the relay's settings, and the sandbox's when there is one.
struct RelaySettings: Sendable {
    var configuration: Configuration
    var sandbox: SandboxOptions?
    /// The user that the process becomes once its ports are bound; nil when it stays as it is.
    var identity: ProcessIdentity?
}

/// Builds settings from parsed flags and the process's environment.
struct ConfigurationBuilder {
    let listen: ListenFlags
    let api: APIFlags
    let limits: LimitFlags
    let mapping: MappingFlags
    let message: MessageFlags
    let process: ProcessFlags
    let sandbox: SandboxFlags
    let environment: [String: String]
    /// Sockets that the process was started with.
    var inherited: [ListenerSpec] = []

    /// - Throws: `ValidationError`.
    func build() throws -> RelaySettings {
        var sandbox = sandbox.options(environment: environment)
        let listeners = try listen.listeners(
            environment: environment, inherited: inherited, hasSandbox: sandbox != nil)
        let api = try api.options(environment: environment, sandbox: sandbox?.addresses[0])
        let loops = try process.loopCount()
        let hostname = try listen.name(environment: environment)
        sandbox?.hostname = hostname
        let budget = try limits.memoryBudgetBytes()
        var configuration = Configuration(
            hostname: hostname, listeners: listeners,
            loops: loops, api: api, memoryBudgetBytes: budget)
        configuration.tlsGroups = listen.tlsGroups
        configuration.backend = process.backend
        configuration.keys = self.api.keyOptions()
        configuration.mapping = try mapping.options()
        configuration.messages = try message.options(
            bufferThreshold: limits.bufferThreshold, environment: environment,
            hasSandbox: sandbox != nil)
        configuration.hasEnhancedStatusCodes = message.enhancedStatusCodes
        configuration.drain = process.drainOptions()
        configuration.admin = try process.adminAddresses(environment: environment)
        configuration.trace = try process.trace.rules()
        configuration.logsEnvelopes = process.trace.logEnvelope
        configuration.mapping.keepsMessageID = process.trace.logEnvelope
        configuration.reloadable = try ReloadableFlags(
            listen: listen, limits: limits, message: message
        ).settings(environment: environment, hasSandbox: sandbox != nil)
        return RelaySettings(
            configuration: configuration, sandbox: sandbox, identity: try process.identity())
    }
}
