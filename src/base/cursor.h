/*
 * cursor: the one bounds-checked reader, for every binary format.  Reading past the end sets `bad`,
 * and gives zeros from then on: a parser may read a whole record and ask once.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/str.h"

struct cursor {
    const unsigned char *at, *end;
    bool bad;
};

static inline struct cursor cursor_of(const void *data, size_t len)
{
    const unsigned char *at = len ? data : (const void *)"";    /* no bytes may be at NULL */

    return (struct cursor){ .at = at, .end = at + len };
}

static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

/* The next `len` bytes, or NULL (and bad) if there are fewer. */
static inline const unsigned char *cursor_take(struct cursor *c, size_t len)
{
    if (cursor_left(c) < len) {
        c->bad = true;
        c->at = c->end;
        return NULL;
    }
    const unsigned char *p = c->at;
    c->at += len;
    return p;
}

static inline struct str cursor_str(struct cursor *c, size_t len)
{
    const unsigned char *p = cursor_take(c, len);

    return p ? (struct str){ (const char *)p, len } : (struct str){ "", 0 };
}

/* A number of `bytes` bytes in network byte order. */
static inline uint64_t cursor_big_endian(struct cursor *c, unsigned bytes)
{
    const unsigned char *p = cursor_take(c, bytes);
    uint64_t value = 0;

    for (unsigned i = 0; p && i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
    return (uint8_t)cursor_big_endian(c, 1);
}

static inline uint16_t cursor_u16(struct cursor *c)
{
    return (uint16_t)cursor_big_endian(c, 2);
}

static inline uint32_t cursor_u24(struct cursor *c)
{
    return (uint32_t)cursor_big_endian(c, 3);
}

static inline uint32_t cursor_u32(struct cursor *c)
{
    return (uint32_t)cursor_big_endian(c, 4);
}

static inline uint64_t cursor_u64(struct cursor *c)
{
    return cursor_big_endian(c, 8);
}

#endif
