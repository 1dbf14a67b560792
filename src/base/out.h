/*
 * out: the one bounds-checked appender.  Text is written once, into a space of fixed size or into an
 * arena where it grows; what does not fit sets `overflow` and is dropped, and nothing is ever written
 * out of bounds.  There is no first pass that computes a length.
 */
#ifndef BASE_OUT_H
#define BASE_OUT_H

#include <stdarg.h>

#include "base/arena.h"

struct out {
    char *start, *at, *end;
    struct arena *arena;   /* where to grow; NULL for a space of fixed size */
    size_t max;            /* with an arena: no larger than this */
    bool overflow;
};

/* Appends to `size` bytes at `space`. */
static inline struct out out_fixed(void *space, size_t size)
{
    return (struct out){ .start = space, .at = space, .end = (char *)space + size };
}

/* Grows in `arena` as needed, up to `max` bytes; memory that is short counts as overflow. */
static inline struct out out_growing(struct arena *arena, size_t max)
{
    return (struct out){ .arena = arena, .max = max };
}

static inline size_t out_len(const struct out *o)
{
    return (size_t)(o->at - o->start);
}

static inline size_t out_room(const struct out *o)
{
    return (size_t)(o->end - o->at);
}

/* What was written; not ended by NUL. */
static inline struct str out_str_of(const struct out *o)
{
    return (struct str){ o->start, out_len(o) };
}

/* Makes room for `size` bytes; false, and overflow set, if that can't be. */
bool out_grow(struct out *o, size_t size);

static inline bool out_need(struct out *o, size_t size)
{
    return out_room(o) >= size || out_grow(o, size);
}

static inline void out_bytes(struct out *o, const void *data, size_t len)
{
    if (len != 0 && out_need(o, len)) {
        memcpy(o->at, data, len);
        o->at += len;
    }
}

static inline void out_str(struct out *o, struct str s)
{
    out_bytes(o, s.data, s.len);
}

static inline void out_char(struct out *o, char c)
{
    if (out_need(o, 1))
        *o->at++ = c;
}

#define OUT_LITERAL(o, literal) out_bytes((o), "" literal, sizeof(literal) - 1)

void out_fill(struct out *o, char c, size_t count);
/* Decimal. */
void out_uint(struct out *o, uint64_t value);
void out_int(struct out *o, int64_t value);
/* Decimal, with leading zeros to at least `width` digits. */
void out_padded(struct out *o, uint64_t value, unsigned width);
/* Hexadecimal in lower case, with leading zeros to at least `width` digits. */
void out_hex(struct out *o, uint64_t value, unsigned width);
void out_printf(struct out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
void out_vprintf(struct out *o, const char *format, va_list args);

/* Numbers in network byte order, for binary formats. */
void out_u8(struct out *o, uint8_t value);
void out_u16(struct out *o, uint16_t value);
void out_u24(struct out *o, uint32_t value);
void out_u32(struct out *o, uint32_t value);
void out_u64(struct out *o, uint64_t value);

#endif
