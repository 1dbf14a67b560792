/*
 * str: a counted, unowned piece of text, and the comparisons and conversions that all floors need.
 * A str never owns its bytes and need not end in NUL.  Case is ASCII's, whatever the locale.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *data;
    size_t len;
};

/* A str of a string literal. */
#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
/* The same, as an initialiser of a static object. */
#define STR_INIT(literal) { "" literal, sizeof(literal) - 1 }
/* For "%.*s". */
#define STR_ARG(s) (int)(s).len, (s).data

static inline struct str str_of(const char *text)
{
    return (struct str){ text, strlen(text) };
}

static inline struct str str_range(const char *from, const char *to)
{
    return (struct str){ from, (size_t)(to - from) };
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}

static inline bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.data + s.len - suffix.len, suffix.data, suffix.len) == 0);
}

/* Eight bytes as a number, in the machine's order. */
static inline uint64_t str_word(const char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline char char_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The value of a hexadecimal digit, or -1. */
int char_hex(char c);

/* What remains of s without its first n bytes (n is at most s.len). */
static inline struct str str_from(struct str s, size_t n)
{
    return (struct str){ s.data + n, s.len - n };
}

static inline struct str str_first(struct str s, size_t n)
{
    return (struct str){ s.data, n };
}

bool str_eq_nocase(struct str a, struct str b);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends_nocase(struct str s, struct str suffix);

/* Order as memcmp, the shorter first where one begins the other. */
int str_cmp(struct str a, struct str b);

/* Index of the first c in s, or -1. */
ptrdiff_t str_index(struct str s, char c);
/* Index of the last c in s, or -1. */
ptrdiff_t str_rindex(struct str s, char c);
/* Index of the first `needle` in s, or -1; the second ignores case. */
ptrdiff_t str_find(struct str s, struct str needle);
ptrdiff_t str_find_nocase(struct str s, struct str needle);

/* Without spaces and tabs at both ends. */
struct str str_trim(struct str s);

/*
 * Cut *rest at the first `separator`: returns what stands before it, leaves in *rest what stands
 * after (data is NULL when no separator was left).  Loop while rest->data is not NULL.
 */
struct str str_split(struct str *rest, char separator);

/* Decimal digits only, no sign, the whole of s; false if it is empty, has more, or overflows. */
bool str_to_u64(struct str s, uint64_t *value);
/* The same, and at most `max`. */
bool str_to_uint(struct str s, unsigned max, unsigned *value);

/* FNV-1a, 32 bits; the second over the lower-case form. */
uint32_t str_hash(struct str s);
uint32_t str_hash_nocase(struct str s);

/*
 * How many single-character edits lead from a to b, neighbours swapped counting as one; case is
 * ignored.  For "did you mean"; texts over 63 bytes are taken to be far apart.
 */
unsigned str_distance(struct str a, struct str b);

#endif
