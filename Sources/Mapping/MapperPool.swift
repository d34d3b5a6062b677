// The mappers of one loop that rest between two messages, with all their buffers.

import Reactor
import Wire

/// The mappers of one loop. Each message in flight takes one and gives it back at its end.
package final class MapperPool {
    private let options: MappingOptions
    private let charsets: CharsetCache
    private let slabs: SlabPool
    private let heldBytesMax: Int
    private let scratch = MapperScratch()
    private var free: [MessageMapper] = []

    /// Mappers that are kept for reuse; the rest of a burst goes back to the heap.
    private static let freeMax = 64

    /// Mappers that are in use.
    package private(set) var outstanding = 0

    /// - Parameter heldBytesMax: memory for a message that is held whole, before it goes to a file.
    package init(
        options: MappingOptions, charsets: CharsetCache, slabs: SlabPool, heldBytesMax: Int
    ) {
        self.options = options
        self.heldBytesMax = heldBytesMax
        self.charsets = charsets
        self.slabs = slabs
    }

    /// A mapper to `begin` with.
    package func take() -> MessageMapper {
        outstanding += 1
        return free.popLast()
            ?? MessageMapper(
                options: options, charsets: charsets, scratch: scratch, pool: slabs,
                heldBytesMax: heldBytesMax)
    }

    /// Takes a mapper back, whatever state its message is in.
    package func give(back mapper: MessageMapper) {
        mapper.end()
        outstanding -= 1
        if free.count < Self.freeMax { free.append(mapper) }
    }
}
