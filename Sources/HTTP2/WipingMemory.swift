// The memory of nghttp2: wiped when it is given back, because it copies the fields of each head, and
// an API key is one of them.

import CNGHTTP2
import Glibc

enum WipingMemory {
    /// nghttp2 copies the four functions.
    static func functions() -> nghttp2_mem {
        nghttp2_mem(
            mem_user_data: nil,
            malloc: { size, _ in malloc(size) },
            free: { memory, _ in
                guard let memory else { return }
                explicit_bzero(memory, malloc_usable_size(memory))
                free(memory)
            },
            calloc: { count, size, _ in calloc(count, size) },
            realloc: { memory, size, _ in
                guard let memory else { return malloc(size) }
                let old = malloc_usable_size(memory)
                guard size > old else { return memory }
                guard let new = malloc(size) else { return nil }
                memcpy(new, memory, old)
                explicit_bzero(memory, old)
                free(memory)
                return new
            })
    }
}
