// Whether the relay can listen where it is to listen, for `check`.

import Glibc
import Reactor
import Relay

/// Looks at each port: it is free, or a relay answers there.
struct PortCheck {
    private static let words = "ESMTP Postscale SMTP Relay"

    let listeners: [ListenerSpec]
    /// Of `--admin`.
    let admin: [SocketAddress]
    /// Of `--sandbox-listen`.
    let sandbox: [SocketAddress]

    func findings() -> [Finding] {
        guard let backend = try? EpollBackend() else {
            return [.bad("port", "this process has no descriptor left", "raise LimitNOFILE")]
        }
        let taken = listeners.filter { $0.inherited == nil && Self.isTaken($0.address, backend) }
        let isRelayRunning = taken.contains { !$0.isImplicitTLS && Self.greets($0.address) }
        let ports = listeners.map { listener in
            if taken.contains(listener) {
                return Self.taken(listener, isRelayRunning: isRelayRunning)
            }
            guard listener.inherited == nil else {
                return .ok("port", "\(listener.address) comes from the service manager")
            }
            return Self.bind(listener.address, "--listen", backend)
        }
        let others = [("--admin", admin), ("--sandbox-listen", sandbox)].flatMap {
            flag, addresses in
            addresses.map { Self.alone($0, flag, isRelayRunning: isRelayRunning, backend) }
        }
        return ports + others
    }

    /// A port that no two relays can share.
    private static func alone(
        _ address: SocketAddress, _ flag: String, isRelayRunning: Bool, _ backend: EpollBackend
    ) -> Finding {
        guard isTaken(address, backend) else { return bind(address, flag, backend) }
        if isRelayRunning {
            return .ok("port", "\(address) (\(flag)) is in use, and a relay runs")
        }
        return .bad(
            "port", "\(address) (\(flag)) is in use by another program",
            "see by which: ss -ltnp 'sport = :\(address.port)'; end it, or give another \(flag)")
    }

    /// Binds the port for a moment. It is not shared: a relay that runs shares its ports with others,
    /// and this must see it.
    private static func listen(
        _ address: SocketAddress, _ backend: EpollBackend
    ) throws(SystemError) {
        let descriptor = try backend.listen(
            on: address, backlog: 1, isShared: false, sendBufferBytes: nil)
        backend.discard(descriptor)
    }

    private static func isTaken(_ address: SocketAddress, _ backend: EpollBackend) -> Bool {
        do throws(SystemError) {
            try listen(address, backend)
            return false
        } catch { return error.errno == EADDRINUSE }
    }

    private static func bind(
        _ address: SocketAddress, _ flag: String, _ backend: EpollBackend
    ) -> Finding {
        do throws(SystemError) {
            try listen(address, backend)
            return .ok("port", "\(address) is free")
        } catch {
            switch error.errno {
            case EACCES, EPERM:
                return .bad(
                    "port", "\(address): \(SystemError.text(error.errno))",
                    "ports below 1024 need root, or: "
                        + "setcap cap_net_bind_service=+ep postscale-relay")
            case EADDRNOTAVAIL:
                return .bad(
                    "port", "\(address) is no address of this machine",
                    "give one that `ip address` shows, or 0.0.0.0 for all")
            default:
                return .bad("port", error.description, "give another \(flag)")
            }
        }
    }

    /// Something listens there. In the clear its greeting says what; a port with TLS is taken for that
    /// of a relay which greets on another one.
    private static func taken(_ listener: ListenerSpec, isRelayRunning: Bool) -> Finding {
        let address = listener.address
        if listener.isImplicitTLS ? isRelayRunning : greets(address) {
            return .ok("port", "\(address) is in use by a relay")
        }
        return .bad(
            "port", "\(address) is in use by another program",
            "see by which: ss -ltnp 'sport = :\(address.port)'; end it, or give another --listen")
    }

    /// Whether a relay answers there.
    private static func greets(_ address: SocketAddress) -> Bool {
        let local = address.isIPv6 ? "[::1]:\(address.port)" : "127.0.0.1:\(address.port)"
        let isAny = address.host == "0.0.0.0" || address.host == "::"
        let target = isAny ? SocketAddress(local) ?? address : address
        return Probe(address: target).ask([]) { $0.contains(0x0A) }.firstLine.hasSuffix(words)
    }
}
