/*
 * regex_utf8: see regex_utf8.h.
 */
#include "base/regex/regex_utf8.h"

/* By the first byte: the length, and what the second byte may be. */
static unsigned shape_of(unsigned char lead, unsigned char *low, unsigned char *high)
{
    *low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

bool regex_utf8_valid(struct str s)
{
    const unsigned char *at = (const unsigned char *)s.data, *end = at + s.len;
    unsigned char low, high;

    while (at < end) {
        unsigned length = shape_of(*at, &low, &high);
        if (length == 0 || length > (size_t)(end - at))
            return false;
        if (length > 1 && (at[1] < low || at[1] > high))
            return false;
        for (unsigned i = 2; i < length; i++) {
            if (!regex_utf8_is_continuation(at[i]))
                return false;
        }
        at += length;
    }
    return true;
}

uint32_t regex_utf8_decode(const unsigned char **at)
{
    const unsigned char *p = *at;
    unsigned length = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    uint32_t code = length == 1 ? p[0] : p[0] & (0x7Fu >> length);

    for (unsigned i = 1; i < length; i++)
        code = code << 6 | (p[i] & 0x3F);
    *at = p + length;
    return code;
}

static unsigned encode(uint32_t code, unsigned char *bytes)
{
    static const unsigned char leads[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    unsigned length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (unsigned i = length; i-- > 0; code >>= 6)
        bytes[i] = (unsigned char)(i ? 0x80 | (code & 0x3F) : leads[length] | code);
    return length;
}

/* The last character from `from` on whose encoding has the same length. */
static uint32_t last_of_length(uint32_t from)
{
    if (from < 0x80)
        return 0x7F;
    if (from < 0x800)
        return 0x7FF;
    if (from < 0xD800)
        return 0xD7FF;
    return from < 0x10000 ? 0xFFFF : 0x10FFFF;
}

bool regex_utf8_next_sequence(uint32_t *from, uint32_t to, struct regex_utf8_sequence *s)
{
    uint32_t first = *from >= 0xD800 && *from <= 0xDFFF ? 0xE000 : *from, last = to;

    if (first > to)
        return false;
    if (last > last_of_length(first))
        last = last_of_length(first);
    /* Where the two differ above the lowest 6, 12 or 18 bits, those must run from all zeros to all
     * ones, for each byte's range to be independent of the others. */
    for (unsigned bits = 6; bits <= 18 && first >= 0x80; bits += 6) {
        uint32_t mask = (1u << bits) - 1;
        if ((first | mask) == (last | mask))
            break;
        if (first & mask) {
            last = first | mask;
            break;
        }
        if ((last & mask) != mask)
            last = (last & ~mask) - 1;
    }
    s->length = encode(first, s->first);
    encode(last, s->last);
    *from = last + 1;
    return true;
}
