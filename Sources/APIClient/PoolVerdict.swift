// What a pool tells its driver to do. Plain data, part of `PoolMachine`.

import Reactor

extension PoolMachine {
    /// Why a call got no connection.
    enum Refusal: Equatable {
        case noAddress, deadlinePassed
    }

    /// A place in the queue.
    struct Admission: Equatable {
        /// The call's number until it is assigned, fails or is withdrawn.
        var number: CallNumber
        /// The queue was full: this call of a flow with more has left it.
        var loser: CallNumber?
    }

    /// What the driver has to do.
    enum Verdict: Equatable {
        case nothing
        /// Open a connection under this number, then say `opened` or `openingFailed`.
        case open(ConnectionNumber, SocketAddress)
        /// The call has left the queue for this connection; then say `answered` or `broke` of its
        /// lane.
        case assign(CallNumber, to: ConnectionNumber, as: LaneNumber)
        /// The call has left the queue and gets no connection.
        case fail(CallNumber, Refusal)
        /// Close this connection, which carries no call.
        case close(ConnectionNumber)
        /// Break off this upload, because others wait and uploads hold more than their share; then
        /// say `broke`.
        case breakOffUpload(LaneNumber)
        /// Other loops should hear that this address has answered now.
        case answers(address: SocketAddress)
        /// For the log: no new connections to this address for so long.
        case rests(address: SocketAddress, milliseconds: Int)
        /// For the log: for so long no more connections to this address than those that work.
        case limited(address: SocketAddress, connections: Int, milliseconds: Int)
        /// For the log: the address answers again.
        case isBack(address: SocketAddress)
        /// For the log: the address agrees on HTTP/2 and refuses it, so it is used over HTTP/1.1.
        case demandsHTTP1(address: SocketAddress)

        /// What the log is told of a setback.
        init?(_ setback: AddressTable.Setback, of address: SocketAddress) {
            switch setback {
            case .none: return nil
            case .rests(let milliseconds):
                self = .rests(address: address, milliseconds: milliseconds)
            case .limited(let connections, let milliseconds):
                self = .limited(
                    address: address, connections: connections, milliseconds: milliseconds)
            }
        }
    }
}
