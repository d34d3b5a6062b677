#include "replies.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

/* Of one reply. The largest that is asked for is a page of 64 entries of a stream. */
enum { VALUES_MAX = 1024, BYTES_MAX = 65536, WAITING_MAX = 131072 };

struct ch_reader {
    redisReader *hiredis;
    /* The last reply was handed out. */
    int is_done;
    size_t value_count, byte_count;
    struct ch_value values[VALUES_MAX];
    uint8_t bytes[BYTES_MAX];
};

/* What hiredis calls a reply's object is the number of its value and one; NULL breaks the reader off. */
static void *add(const redisReadTask *task, int32_t kind, uint32_t count, int64_t number) {
    struct ch_reader *reader = task->privdata;
    if (reader->value_count == VALUES_MAX) return NULL;
    reader->values[reader->value_count] = (struct ch_value){kind, count, number};
    reader->value_count += 1;
    return (void *)(uintptr_t)reader->value_count;
}

static void *add_text(const redisReadTask *task, char *text, size_t count) {
    struct ch_reader *reader = task->privdata;
    int32_t kind;
    switch (task->type) {
    case REDIS_REPLY_STATUS: kind = CH_STATUS; break;
    case REDIS_REPLY_ERROR: kind = CH_ERROR; break;
    case REDIS_REPLY_STRING: kind = CH_BYTES; break;
    default: return NULL;
    }
    if (count > BYTES_MAX - reader->byte_count) return NULL;
    size_t start = reader->byte_count;
    memcpy(reader->bytes + start, text, count);
    reader->byte_count += count;
    return add(task, kind, (uint32_t)count, (int64_t)start);
}

static void *add_integer(const redisReadTask *task, long long number) {
    return task->type == REDIS_REPLY_INTEGER ? add(task, CH_INTEGER, 0, number) : NULL;
}

static void *add_nothing(const redisReadTask *task) { return add(task, CH_NOTHING, 0, 0); }

static void forget(void *object) { (void)object; }

/* A server that was not asked for RESP3 has no business with its types. */
#if HIREDIS_MAJOR >= 1
static void *add_list(const redisReadTask *task, size_t count) {
    if (task->type != REDIS_REPLY_ARRAY || count > VALUES_MAX) return NULL;
    return add(task, CH_LIST, (uint32_t)count, 0);
}

static void *refuse_double(const redisReadTask *task, double number, char *text, size_t count) {
    (void)task, (void)number, (void)text, (void)count;
    return NULL;
}

static void *refuse_bool(const redisReadTask *task, int value) {
    (void)task, (void)value;
    return NULL;
}

static redisReplyObjectFunctions functions = {
    .createString = add_text, .createArray = add_list, .createInteger = add_integer,
    .createDouble = refuse_double, .createNil = add_nothing, .createBool = refuse_bool,
    .freeObject = forget,
};
#else
static void *add_list(const redisReadTask *task, int count) {
    if (task->type != REDIS_REPLY_ARRAY || count < 0 || count > VALUES_MAX) return NULL;
    return add(task, CH_LIST, (uint32_t)count, 0);
}

static redisReplyObjectFunctions functions = {
    .createString = add_text, .createArray = add_list, .createInteger = add_integer,
    .createNil = add_nothing, .freeObject = forget,
};
#endif

struct ch_reader *ch_reader_new(void) {
    struct ch_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return NULL;
    reader->hiredis = redisReaderCreateWithFunctions(&functions);
    if (!reader->hiredis) {
        free(reader);
        return NULL;
    }
    reader->hiredis->privdata = reader;
    return reader;
}

void ch_reader_free(struct ch_reader *reader) {
    if (!reader) return;
    redisReaderFree(reader->hiredis);
    free(reader);
}

int ch_reader_feed(struct ch_reader *reader, const void *bytes, size_t count) {
    redisReader *hiredis = reader->hiredis;
    if (hiredis->err || hiredis->len - hiredis->pos + count > WAITING_MAX) return -1;
    if (count == 0) return 0;
    return redisReaderFeed(hiredis, bytes, count) == REDIS_OK ? 0 : -1;
}

int ch_reader_next(struct ch_reader *reader) {
    if (reader->is_done) reader->is_done = 0, reader->value_count = reader->byte_count = 0;
    void *reply = NULL;
    if (reader->hiredis->err || redisReaderGetReply(reader->hiredis, &reply) != REDIS_OK) return -1;
    if (!reply) return 0;
    reader->is_done = 1;
    return 1;
}

const struct ch_value *ch_reader_values(const struct ch_reader *reader, size_t *count) {
    *count = reader->value_count;
    return reader->values;
}

const uint8_t *ch_reader_bytes(const struct ch_reader *reader) { return reader->bytes; }
