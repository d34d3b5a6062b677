// The rule by which keys share what cannot be taken back from them: memory and temporary bytes.
//
// A key may hold at most as much as is still free. So a key that is alone gets half, the next one
// gets half of the rest, and one that holds nothing always finds something.

/// Whether a share may be given. A function of numbers, so that every budget decides alike.
enum FairShare {
    /// Why a share is not given.
    enum Shortage: Equatable {
        /// Not so many bytes are free.
        case budget
        /// They are free, but the key would hold more than is left then.
        case share
    }

    /// Why `bytes` cannot be given; nil when they can.
    /// - Parameters:
    ///   - held: bytes that the key holds without them.
    ///   - own: of `held`, the bytes that belong to the message that asks. A key that holds nothing
    ///     else gets what is free, so that a budget for one message serves one message.
    ///   - free: bytes that are free without them.
    static func shortage(of bytes: Int, held: Int, own: Int = 0, free: Int) -> Shortage? {
        if bytes > free { return .budget }
        return held <= own || held + bytes <= free - bytes ? nil : .share
    }
}
