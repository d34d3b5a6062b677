// STUB of the contract (author: sandbox). Replace by the real files.

import Reactor
struct SandboxOptions: Sendable { var addresses: [SocketAddress]; var tls: TLSContext?; var storeFolder: String?; var slowMilliseconds: Int }
final class SandboxServer { init(loop: Loop, options: SandboxOptions, log: EventLog) throws {} }
