/* Reads replies of a Valkey or Redis server (RESP2) with hiredis's reader, and lays each one out flat.
 *
 * The reader's structures differ between Debian 12 (0.14) and 13 (1.1), so this side is compiled against
 * the installed headers, and Swift sees these few functions alone. The library is linked in statically.
 * Sizes and nesting are bounded; whatever goes beyond a bound breaks the connection. */
#ifndef CHIREDIS_REPLIES_H
#define CHIREDIS_REPLIES_H

#include <stddef.h>
#include <stdint.h>

enum ch_kind { CH_STATUS, CH_ERROR, CH_INTEGER, CH_BYTES, CH_NOTHING, CH_LIST };

/* One value. The values of a list follow it, each with its own. */
struct ch_value {
    int32_t kind;
    /* Of a list: how many values it has. Of texts: bytes. */
    uint32_t count;
    /* Of an integer: itself. Of texts: where they begin among the bytes. */
    int64_t number;
};

struct ch_reader;

/* A reader, or NULL without memory. */
struct ch_reader *ch_reader_new(void);
void ch_reader_free(struct ch_reader *reader);

/* Takes bytes, which are copied. 0; or -1 when the server speaks something else or too much. */
int ch_reader_feed(struct ch_reader *reader, const void *bytes, size_t count);

/* The next reply: 1, 0 when more bytes are needed, -1 as above. The values and bytes that it made are
 * valid until the next call. */
int ch_reader_next(struct ch_reader *reader);
const struct ch_value *ch_reader_values(const struct ch_reader *reader, size_t *count);
const uint8_t *ch_reader_bytes(const struct ch_reader *reader);

#endif
