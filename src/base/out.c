/*
 * out: see out.h.
 */
#include "base/out.h"

#include <stdio.h>

bool out_grow(struct out *o, size_t size)
{
    size_t len = out_len(o), room = (size_t)(o->end - o->start);

    if (o->overflow || !o->arena || size > o->max - len) {
        o->overflow = true;
        return false;
    }
    size_t more = room ? room * 2 : 256;
    if (more < len + size)
        more = len + size;
    if (more > o->max)
        more = o->max;
    char *moved = arena_try_alloc(o->arena, more);
    if (!moved) {
        o->overflow = true;
        return false;
    }
    if (len)
        memcpy(moved, o->start, len);
    o->start = moved;
    o->at = moved + len;
    o->end = moved + more;
    return true;
}

void out_fill(struct out *o, char c, size_t count)
{
    if (count != 0 && out_need(o, count)) {
        memset(o->at, c, count);
        o->at += count;
    }
}

void out_padded(struct out *o, uint64_t value, unsigned width)
{
    char digits[20];
    unsigned n = sizeof digits;

    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    unsigned len = (unsigned)sizeof digits - n;
    if (len < width)
        out_fill(o, '0', width - len);
    out_bytes(o, digits + n, len);
}

void out_uint(struct out *o, uint64_t value)
{
    out_padded(o, value, 1);
}

void out_int(struct out *o, int64_t value)
{
    if (value < 0)
        out_char(o, '-');
    out_uint(o, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void out_hex(struct out *o, uint64_t value, unsigned width)
{
    char digits[16];
    unsigned n = sizeof digits;

    do {
        digits[--n] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    unsigned len = (unsigned)sizeof digits - n;
    if (len < width)
        out_fill(o, '0', width - len);
    out_bytes(o, digits + n, len);
}

void out_vprintf(struct out *o, const char *format, va_list args)
{
    char small[512];
    va_list again;

    va_copy(again, args);
    int len = vsnprintf(small, sizeof small, format, args);
    if (len > 0 && (size_t)len < sizeof small)
        out_bytes(o, small, (size_t)len);
    else if (len > 0 && out_need(o, (size_t)len + 1)) {   /* vsnprintf ends it with NUL */
        vsnprintf(o->at, (size_t)len + 1, format, again);
        o->at += len;
    }
    va_end(again);
}

void out_printf(struct out *o, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    out_vprintf(o, format, args);
    va_end(args);
}

static void out_big_endian(struct out *o, uint64_t value, unsigned bytes)
{
    if (!out_need(o, bytes))
        return;
    for (unsigned i = bytes; i-- > 0;)
        *o->at++ = (char)(value >> (8 * i));
}

void out_u8(struct out *o, uint8_t value)
{
    out_big_endian(o, value, 1);
}

void out_u16(struct out *o, uint16_t value)
{
    out_big_endian(o, value, 2);
}

void out_u24(struct out *o, uint32_t value)
{
    out_big_endian(o, value, 3);
}

void out_u32(struct out *o, uint32_t value)
{
    out_big_endian(o, value, 4);
}

void out_u64(struct out *o, uint64_t value)
{
    out_big_endian(o, value, 8);
}
