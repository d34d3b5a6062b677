import Reactor
import Synchronization
import TestSupport

/// How a sink fails.
enum SinkFault: Sendable { case none, refuses, hangsUp }

/// An SMTP server without TLS that accepts everything and keeps nothing, on its own thread.
final class SinkServer: Sendable {
    let address: SocketAddress
    private let group: LoopGroup

    init(_ fault: SinkFault = .none) throws {
        let bound = BoundAddress()
        group = try LoopGroup(count: 1, backend: testBackend) { loop in
            let listener = try Listener(
                loop: loop, address: SocketAddress("127.0.0.1:0")!, tls: nil,
                handler: SinkListener(fault))
            bound.value.withLock { $0 = listener.address }
            return listener
        }
        address = bound.value.withLock { $0 }!
    }

    deinit {
        group.stop()
        group.join()
    }
}

/// Brings the address from the loop's thread.
private final class BoundAddress: Sendable {
    let value = Mutex<SocketAddress?>(nil)
}

private final class SinkListener: ListenerHandler {
    private let fault: SinkFault

    init(_ fault: SinkFault) {
        self.fault = fault
        super.init()
    }

    override func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? {
        SinkSession(fault)
    }
}

private final class SinkSession: StreamHandler {
    private let fault: SinkFault
    private var line: [UInt8] = []
    private var isContent = false

    init(_ fault: SinkFault) {
        self.fault = fault
        super.init()
    }

    override func streamOpened(_ stream: Stream) { stream.write("220-sink\r\n220 ready\r\n") }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        for index in bytes.indices {
            line.append(bytes[index])
            guard bytes[index] == 10 else { continue }
            take(String(decoding: line, as: UTF8.self), stream)
            line.removeAll()
        }
    }

    private func take(_ text: String, _ stream: Stream) {
        if isContent {
            guard text == ".\r\n" else { return }
            isContent = false
            if fault == .hangsUp { return stream.abort() }
            stream.write("250 accepted\r\n")
        } else if text.hasPrefix("EHLO") {
            stream.write("250-sink\r\n250 PIPELINING\r\n")
        } else if text.hasPrefix("AUTH") {
            stream.write("235 welcome\r\n")
        } else if text.hasPrefix("DATA") {
            isContent = true
            stream.write("354 go on\r\n")
        } else if text.hasPrefix("MAIL") && fault == .refuses {
            stream.write("451 not now\r\n")
        } else if text.hasPrefix("QUIT") {
            stream.write("221 bye\r\n")
            stream.finish()
        } else {
            stream.write("250 fine\r\n")
        }
    }
}
