/*
 * hpack_table: the static table of RFC 7541 appendix A, and the dynamic table (section 2.3.2): a
 * ring of entries and a ring of their bytes in one block of the heap, which comes with the first
 * entry and grows up to the table's bound.
 */
#ifndef HTTP_V2_HPACK_TABLE_H
#define HTTP_V2_HPACK_TABLE_H

#include "base/str.h"

enum {
    HPACK_STATIC_COUNT = 61,
    HPACK_STATIC_STATUS = 8,   /* the first row of ":status" */
    HPACK_STATIC_SHARED = 14,  /* the last row of those whose names have several */
    HPACK_FIELD_COST = 32,     /* what a field counts beyond its bytes (RFC 7541 section 4.1) */
};

enum hpack_pseudo {
    HPACK_REGULAR,
    HPACK_AUTHORITY,
    HPACK_METHOD,
    HPACK_PATH,
    HPACK_SCHEME,
    HPACK_STATUS,
    HPACK_PROTOCOL,
    HPACK_PSEUDO_OTHER,        /* begins with a colon, but is none of these */
};

struct hpack_field {
    struct str name, value;
    uint8_t id;                /* enum header_id; HEADER_OTHER if it is not in that list */
    uint8_t pseudo;            /* enum hpack_pseudo; of other names HPACK_REGULAR */
    uint8_t flaws;             /* of enum hpack_flaw (hpack.h) */
    bool never_index;          /* who passes it on must say the same (RFC 7541 section 7.1.3) */
};

struct hpack_entry {
    uint32_t begin;            /* of its bytes in the ring: the name, then the value */
    uint32_t tag;              /* of the name and value, for a quick look */
    uint16_t name_len, value_len;
    uint8_t name_index;        /* not 0: the name is the static table's, and not in the ring */
    uint8_t id, pseudo, flaws;
};

struct hpack_table {
    struct hpack_entry *entries;   /* the heap's block: the ring of entries, then that of bytes */
    char *bytes;                   /* NULL: nothing was kept yet */
    uint32_t limit;            /* most that the entries' sizes may sum to (RFC 7541 section 4.2) */
    uint32_t size;             /* what they sum to */
    uint32_t room;             /* bytes of the ring, a power of two */
    uint32_t begin, used;      /* those in use; both of the ring */
    uint16_t oldest, count;    /* entries; `oldest` counts on beyond the ring's end */
};

/* By index, from 1; prepared by the first hpack_table_init(). */
extern struct hpack_field hpack_static[HPACK_STATIC_COUNT + 1];

/* The first row of the static table with that name in any case, or 0. */
unsigned hpack_static_find(struct str name);
/* Which pseudo-header field a name is. */
enum hpack_pseudo hpack_pseudo_of(struct str name);

void hpack_table_init(struct hpack_table *t, unsigned limit);
void hpack_table_fini(struct hpack_table *t);

/* Sets another bound; the oldest entries that are too many go. */
void hpack_table_resize(struct hpack_table *t, unsigned limit);

/*
 * Adds a field, whose strings must not be in the table; the oldest entries make room.  One that is
 * larger than the table empties it (RFC 7541 section 4.4).  `name_index`: where in the static table
 * its name stands, or 0.  False: memory is gone, and the table is no longer what the peer thinks.
 */
bool hpack_table_add(struct hpack_table *t, const struct hpack_field *f, unsigned name_index,
                     uint32_t tag);

/* Entry `n`, 0 being the newest, whose index is HPACK_STATIC_COUNT + 1; NULL: there is none. */
static inline const struct hpack_entry *hpack_table_at(const struct hpack_table *t, size_t n)
{
    if (n >= t->count)
        return NULL;
    return &t->entries[((size_t)t->oldest + t->count - 1 - n) & (t->room / HPACK_FIELD_COST - 1)];
}

/* Copies `len` bytes of the ring, beginning `at` there. */
void hpack_table_copy(const struct hpack_table *t, uint32_t at, char *to, size_t len);
/* Whether the bytes there are those of s. */
bool hpack_table_holds(const struct hpack_table *t, uint32_t at, struct str s);

#endif
