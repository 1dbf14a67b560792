/*
 * hpack_huffman: see hpack_huffman.h.  The code is canonical, so that the lengths of its words tell
 * all: the tables are made of them.  Decoding looks at the next twelve bits, which give up to two
 * symbols; the rare longer words are found by their length.
 */
#include "http/v2/hpack_huffman.h"

enum {
    SYMBOLS = 257,
    END_OF_STRING = 256,
    SHORTEST = 5,
    LONGEST = 30,
    MOST_PADDING = 8,      /* bits behind the last word: RFC 7541 section 5.2 has 7, but there are
                            * clients that fill a whole byte, and nginx takes it */
    LOOK = 12,             /* bits of a look-up */
    WINDOW_BITS = 64,
    LOOKS = 4,             /* look-ups in a window, of which at least 57 bits are the string's */
};

/* Lengths of the words in bits, RFC 7541 appendix B; the last is that of the end of a string. */
static const uint8_t lengths[SYMBOLS] = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,
    5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8,  15, 6,  12, 10,
    13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
    7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8,  13, 19, 13, 14, 6,
    15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,
    6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
};

/* What the next LOOK bits begin with. */
struct look {
    uint8_t symbols[2];
    uint8_t bits;          /* of `count` symbols; 0: a longer word */
    uint8_t count;
};

static struct look looks[1 << LOOK];
static uint32_t words[SYMBOLS];
static uint16_t ordered[SYMBOLS];              /* symbols in the order of their words */
/* Of each length: first word, how many, and the first one's place in `ordered`. */
static struct {
    uint32_t word;
    uint16_t count, place;
} of_length[LONGEST + 1];
static bool prepared;

static void prepare_words(void)
{
    uint32_t word = 0;
    uint16_t place = 0;

    for (unsigned length = 1; length <= LONGEST; length++) {
        word <<= 1;
        of_length[length].word = word;
        of_length[length].place = place;
        for (unsigned symbol = 0; symbol < SYMBOLS; symbol++) {
            if (lengths[symbol] == length) {
                words[symbol] = word++;
                ordered[place++] = (uint16_t)symbol;
            }
        }
        of_length[length].count = (uint16_t)(place - of_length[length].place);
    }
}

/* The symbol that the `have` bits at the low end of `bits` begin with, or -1 if none is whole. */
static int first_symbol(uint32_t bits, unsigned have)
{
    for (unsigned length = SHORTEST; length <= have; length++) {
        uint32_t nth = (bits >> (have - length)) - of_length[length].word;
        if (nth < of_length[length].count)
            return ordered[of_length[length].place + nth];
    }
    return -1;
}

static void prepare_looks(void)
{
    for (unsigned bits = 0; bits < 1 << LOOK; bits++) {
        struct look *l = &looks[bits];
        unsigned left = LOOK;
        int symbol;
        while (l->count < 2 && (symbol = first_symbol(bits & ((1U << left) - 1), left)) >= 0) {
            l->symbols[l->count++] = (uint8_t)symbol;
            left -= lengths[symbol];
        }
        l->bits = (uint8_t)(LOOK - left);
    }
}

void hpack_huffman_prepare(void)
{
    if (prepared)
        return;
    prepare_words();
    prepare_looks();
    prepared = true;
}

/* ---- decoding -------------------------------------------------------------------------------- */

/* The bits from `at` on, the first one at the high end; ones follow the string's end. */
static uint64_t window(struct str coded, size_t at)
{
    const unsigned char *p = (const unsigned char *)coded.data + at / 8;
    size_t left = coded.len - at / 8;
    uint64_t bits = 0;

    if (left >= sizeof bits) {
        bits = (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
               (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
               (uint64_t)p[6] << 8 | p[7];
        return bits << at % 8;
    }
    for (unsigned i = 0; i < sizeof bits; i++)
        bits = bits << 8 | (i < left ? p[i] : 0xff);
    return bits << at % 8 | ((1U << at % 8) - 1);
}

/* Decodes what look-ups find in a window, `left` bits of it the string's; gives the bits used. */
static unsigned decode_window(uint64_t bits, size_t left, char **at, const char *end)
{
    bool plenty = left >= WINDOW_BITS && end - *at >= 2 * LOOKS;
    unsigned used = 0;
    char *to = *at;

    for (unsigned i = 0; i < LOOKS; i++) {
        const struct look *l = &looks[bits >> (WINDOW_BITS - LOOK)];
        if (!plenty && (l->count == 0 || used + l->bits > left || end - to < 2))
            break;
        memcpy(to, l->symbols, sizeof l->symbols);
        to += l->count;
        bits <<= l->bits;
        used += l->bits;
    }
    *at = to;
    return used;
}

bool hpack_huffman_decode(struct str coded, char *to, size_t room, size_t *len)
{
    char *at = to, *end = to + room;
    size_t bit = 0, total = coded.len * 8, dropped = 0;

    while (bit < total) {
        uint64_t bits = window(coded, bit);
        size_t left = total - bit;
        unsigned used = decode_window(bits, left, &at, end);
        bit += used;
        if (used)
            continue;

        /* A long word, the string's end, or no room for two. */
        int symbol = first_symbol((uint32_t)(bits >> (WINDOW_BITS - LONGEST)), LONGEST);
        if (symbol == END_OF_STRING || lengths[symbol] > left) {
            if (left > MOST_PADDING || ~bits >> (WINDOW_BITS - left) != 0)
                return false;
            break;
        }
        if (at < end)
            *at++ = (char)symbol;
        else
            dropped++;
        bit += lengths[symbol];
    }
    *len = (size_t)(at - to) + dropped;
    return true;
}

/* ---- encoding -------------------------------------------------------------------------------- */

size_t hpack_huffman_encode(struct str s, bool lower, char *to, size_t room)
{
    char *at = to, *end = to + room;
    uint64_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)(lower ? char_lower(s.data[i]) : s.data[i]);
        bits = bits << lengths[c] | words[c];
        have += lengths[c];
        if (have < 32)
            continue;
        if (end - at < 4)
            return 0;
        have -= 32;
        for (unsigned k = 0; k < 4; k++)
            *at++ = (char)(bits >> (have + 24 - 8 * k));
    }
    unsigned padding = (8 - have % 8) % 8;
    bits = bits << padding | ((1U << padding) - 1);
    have += padding;
    if ((size_t)(end - at) < have / 8)
        return 0;
    while (have) {
        have -= 8;
        *at++ = (char)(bits >> have);
    }
    return (size_t)(at - to);
}
