import Testing

@testable import Reactor

@Suite struct TLSApplicationProtocolTests {
    @Test(
        "Both sides know which protocol was chosen, also after a resumption",
        arguments: [
            ([.http2, .http11], true, .http2), ([.http11, .http2], true, .http2),
            ([.http11], true, .http11), ([], true, nil), ([.http2, .http11], false, nil),
        ] as [([TLSApplicationProtocol], Bool, TLSApplicationProtocol?)])
    func chosen(
        offered: [TLSApplicationProtocol], servesHTTP2: Bool, expected: TLSApplicationProtocol?
    ) throws {
        let test = try TestLoop()
        let serverTLS = try TLSContext.selfSignedServer(
            names: ["localhost"], speaksHTTP2: servesHTTP2)
        let file = try TemporaryFile(#require(serverTLS.certificatePEM))
        let clientTLS = try TLSContext.client(caFile: file.path, protocols: offered)
        for isResumed in [false, true] {
            let server = Recorder()
            server.onOpened = { $0.write("220 ready\r\n") }
            let listener = try test.listen(tls: serverTLS) { server }
            let client = Recorder()
            client.onReceived = { stream, _ in stream.finish() }
            _ = test.connect(listener, tls: clientTLS, client)
            test.run { client.isClosed && server.isClosed }
            #expect(client.info?.resumed == isResumed)
            #expect(client.info?.applicationProtocol == expected)
            #expect(server.info?.applicationProtocol == expected)
        }
    }
}
