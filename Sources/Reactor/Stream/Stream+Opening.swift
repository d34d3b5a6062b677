// How a stream begins: accepted by a listener, or connected by us.

import Glibc

extension Stream {
    /// Opens a connection; the handler hears `streamOpened` or `streamClosed`, never during this
    /// call. `serverName` is for SNI, verification and the session cache of `tls`.
    public static func connect(
        loop: Loop, to address: SocketAddress, tls: TLSContext?, serverName: String,
        handler: StreamHandler
    ) -> Stream {
        let stream = Stream(
            loop: loop, handler: handler, peerAddress: address, phase: .connecting)
        loop.counters.connected += 1
        if let tls {
            stream.engine = tls.makeEngine(port: loop.tlsPort, serverName: serverName)
            if stream.engine == nil { stream.condemn(.tls(OpenSSLError.takeLine())) }
        }
        if !stream.isCondemned {
            let descriptor = loop.backend.connect(to: address, stream.token)
            if descriptor >= 0 {
                stream.descriptor = descriptor
            } else {
                stream.condemn(.system(errno: -descriptor))
            }
        }
        return stream
    }

    /// Makes a stream of an accepted descriptor and tells its handler.
    static func accept(
        _ descriptor: Int32, from peer: SocketAddress, on listener: Listener,
        handler: StreamHandler
    ) {
        let stream = Stream(
            loop: listener.loop, handler: handler, peerAddress: peer, phase: .open)
        stream.descriptor = descriptor
        let errno = stream.loop.backend.adopt(descriptor, stream.token)
        if errno != 0 { stream.condemn(.system(errno: errno)) }
        stream.loop.settleLater(stream)
        if let tls = listener.tls, !handler.beginsInPlaintext {
            stream.beginHandshake(tls, serverName: nil)
        }
        handler.streamAccepted(stream)
        if stream.phase == .open, !stream.isCondemned { stream.handler.streamOpened(stream) }
    }

    /// The kernel has connected us (0), or not.
    func connected(_ errno: Int32) {
        guard phase == .connecting else { return }
        guard errno == 0 else { return condemn(.system(errno: errno)) }
        if engine == nil {
            phase = .open
            handler.streamOpened(self)
        } else {
            phase = .handshaking
            receiveTLS(UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }
}
