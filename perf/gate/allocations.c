/*
 * Counts heap allocations of a process, separately for OpenSSL and for everything else.
 *
 * Preloaded (LD_PRELOAD) into the relay by `relay-perf gate`. The counts are in the file that
 * $RELAY_PERF_ALLOCATIONS names, which is mapped, so they can be read at any time from outside.
 * An allocation belongs to OpenSSL when the code that it returns to lies in libssl or libcrypto.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own, under the names that cannot be interposed. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

struct counts {
    atomic_uint_fast64_t own;
    atomic_uint_fast64_t openssl;
};

static struct counts before_mapping;
static struct counts *counts = &before_mapping;

static struct {
    uintptr_t start, end;
} openssl_code[8];
static int openssl_code_count;

static int note_object(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    (void)context;
    if (!strstr(info->dlpi_name, "libssl") && !strstr(info->dlpi_name, "libcrypto")) return 0;
    for (int i = 0; i < info->dlpi_phnum && openssl_code_count < 8; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
        openssl_code[openssl_code_count].start = info->dlpi_addr + part->p_vaddr;
        openssl_code[openssl_code_count].end = info->dlpi_addr + part->p_vaddr + part->p_memsz;
        openssl_code_count++;
    }
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    dl_iterate_phdr(note_object, NULL);
    const char *path = getenv("RELAY_PERF_ALLOCATIONS");
    if (!path) return;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return;
    if (ftruncate(file, sizeof *counts) == 0) {
        void *memory =
            mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (memory != MAP_FAILED) counts = memory;
    }
    close(file);
}

static inline void note(void *caller) {
    uintptr_t address = (uintptr_t)caller;
    for (int i = 0; i < openssl_code_count; i++) {
        if (address >= openssl_code[i].start && address < openssl_code[i].end) {
            atomic_fetch_add_explicit(&counts->openssl, 1, memory_order_relaxed);
            return;
        }
    }
    atomic_fetch_add_explicit(&counts->own, 1, memory_order_relaxed);
}

void *malloc(size_t size) {
    note(__builtin_return_address(0));
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    note(__builtin_return_address(0));
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    note(__builtin_return_address(0));
    return __libc_realloc(block, size);
}

void *memalign(size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    *block = __libc_memalign(alignment, size);
    return *block ? 0 : 12;
}
