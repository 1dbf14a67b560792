/*
 * str: see str.h.  Allocates nothing.
 */
#include "base/str.h"

int char_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* char_lower() of eight characters at once: 0x80 marks those from A to Z. */
static uint64_t lower_word(uint64_t w)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = w & ones * 0x7f;
    uint64_t upper = (low + ones * (0x80 - 'A')) & ~(low + ones * (0x7f - 'Z')) & ~w & ones * 0x80;

    return w | upper >> 2;
}

static bool same_nocase(const char *a, const char *b, size_t len)
{
    size_t i = 0;

    for (; i + 8 < len; i += 8) {
        if (lower_word(str_word(a + i)) != lower_word(str_word(b + i)))
            return false;
    }
    if (len >= 8)                              /* the last eight, some of them once more */
        return lower_word(str_word(a + len - 8)) == lower_word(str_word(b + len - 8));
    for (; i < len; i++) {
        if (char_lower(a[i]) != char_lower(b[i]))
            return false;
    }
    return true;
}

bool str_eq_nocase(struct str a, struct str b)
{
    return a.len == b.len && same_nocase(a.data, b.data, a.len);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.len >= prefix.len && same_nocase(s.data, prefix.data, prefix.len);
}

bool str_ends_nocase(struct str s, struct str suffix)
{
    return s.len >= suffix.len &&
           same_nocase(s.data + s.len - suffix.len, suffix.data, suffix.len);
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.data, b.data, n) : 0;

    if (order != 0 || a.len == b.len)
        return order;
    return a.len < b.len ? -1 : 1;
}

ptrdiff_t str_index(struct str s, char c)
{
    const char *at = s.len ? memchr(s.data, c, s.len) : NULL;

    return at ? at - s.data : -1;
}

ptrdiff_t str_rindex(struct str s, char c)
{
    for (size_t i = s.len; i-- > 0;) {
        if (s.data[i] == c)
            return (ptrdiff_t)i;
    }
    return -1;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
    for (size_t i = 0; i + needle.len <= s.len; i++) {
        if (str_starts(str_from(s, i), needle))
            return (ptrdiff_t)i;
    }
    return -1;
}

ptrdiff_t str_find_nocase(struct str s, struct str needle)
{
    for (size_t i = 0; i + needle.len <= s.len; i++) {
        if (str_starts_nocase(str_from(s, i), needle))
            return (ptrdiff_t)i;
    }
    return -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.data[0]))
        s = str_from(s, 1);
    while (s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

struct str str_split(struct str *rest, char separator)
{
    struct str whole = *rest;
    ptrdiff_t at = str_index(whole, separator);

    if (at < 0) {
        *rest = (struct str){ NULL, 0 };
        return whole;
    }
    *rest = str_from(whole, (size_t)at + 1);
    return str_first(whole, (size_t)at);
}

bool str_to_u64(struct str s, uint64_t *value)
{
    uint64_t n = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!char_is_digit(s.data[i]))
            return false;
        unsigned digit = (unsigned)(s.data[i] - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *value = n;
    return true;
}

bool str_to_uint(struct str s, unsigned max, unsigned *value)
{
    uint64_t n;

    if (!str_to_u64(s, &n) || n > max)
        return false;
    *value = (unsigned)n;
    return true;
}

uint32_t str_hash(struct str s)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.data[i]) * 16777619u;
    return h;
}

uint32_t str_hash_nocase(struct str s)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)char_lower(s.data[i])) * 16777619u;
    return h;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned str_distance(struct str a, struct str b)
{
    unsigned rows[3][64];

    if (a.len > 63 || b.len > 63)
        return 64;
    for (unsigned j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            char x = char_lower(a.data[i - 1]), y = char_lower(b.data[j - 1]);
            row[j] = least(least(up[j], row[j - 1]) + 1, up[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == char_lower(b.data[j - 2]) && y == char_lower(a.data[i - 2]))
                row[j] = least(row[j], up2[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}
