/*
 * hpack_encoder: fields to blocks; see hpack.h.
 */
#include "http/v2/hpack.h"

#include "http/v2/hpack_huffman.h"

/* What the first byte of a representation says (RFC 7541 section 6), and the bits for a number. */
enum {
    INDEXED = 0x80,        INDEXED_BITS = 7,
    INCREMENTAL = 0x40,    INCREMENTAL_BITS = 6,
    SIZE_UPDATE = 0x20,    SIZE_UPDATE_BITS = 5,
    NEVER = 0x10,
    PLAIN = 0x00,          PLAIN_BITS = 4,
    HUFFMAN = 0x80,        STRING_BITS = 7,
    NUMBER_ROOM = 10,      /* bytes that no number goes over */
};

void hpack_encoder_init(struct hpack_encoder *e)
{
    *e = (struct hpack_encoder){ .least = HPACK_TABLE_SIZE };
    hpack_table_init(&e->table, HPACK_TABLE_SIZE);
    hpack_huffman_prepare();
}

void hpack_encoder_fini(struct hpack_encoder *e)
{
    hpack_table_fini(&e->table);
}

void hpack_encoder_resize(struct hpack_encoder *e, uint32_t size)
{
    if (size > HPACK_TABLE_SIZE)
        size = HPACK_TABLE_SIZE;
    if (size == e->table.limit)
        return;
    if (!e->resized || size < e->least)
        e->least = size;
    e->resized = true;
    hpack_table_resize(&e->table, size);
}

/* ---- numbers and strings --------------------------------------------------------------------- */

/* Puts a number behind `first` (RFC 7541 section 5.1) into NUMBER_ROOM bytes; gives its end. */
static char *number_at(char *to, unsigned first, unsigned bits, size_t number)
{
    size_t full = (1U << bits) - 1;

    if (number < full) {
        *to++ = (char)(first | number);
        return to;
    }
    *to++ = (char)(first | full);
    for (number -= full; number >= 0x80; number >>= 7)
        *to++ = (char)(0x80 | (number & 0x7f));
    *to++ = (char)number;
    return to;
}

static void put_number(struct out *o, unsigned first, unsigned bits, size_t number)
{
    if (out_need(o, NUMBER_ROOM))
        o->at = number_at(o->at, first, bits, number);
}

static void put_lower(struct out *o, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        out_char(o, char_lower(s.data[i]));
}

/* Huffman code where that is shorter. */
static void put_string(struct out *o, struct str s, bool lower)
{
    char prefix[NUMBER_ROOM];

    if (!out_need(o, s.len + NUMBER_ROOM))
        return;
    /* Its length is known only when it stands there: behind the room that is likely right. */
    size_t gap = s.len < 0x7f ? 1 : 2;
    size_t coded = s.len ? hpack_huffman_encode(s, lower, o->at + gap, s.len - 1) : 0;
    if (coded == 0) {
        put_number(o, 0, STRING_BITS, s.len);
        if (lower)
            put_lower(o, s);
        else
            out_str(o, s);
        return;
    }
    size_t len = (size_t)(number_at(prefix, HUFFMAN, STRING_BITS, coded) - prefix);
    if (len != gap)
        memmove(o->at + len, o->at + gap, coded);
    memcpy(o->at, prefix, len);
    o->at += len + coded;
}

/* ---- fields ---------------------------------------------------------------------------------- */

void hpack_put_begin(struct hpack_encoder *e, struct out *o)
{
    if (!e->resized)
        return;
    if (e->least < e->table.limit)
        put_number(o, SIZE_UPDATE, SIZE_UPDATE_BITS, e->least);
    put_number(o, SIZE_UPDATE, SIZE_UPDATE_BITS, e->table.limit);
    e->resized = false;
}

/* The row of the static table that has name and value, or 0; `row` is the first of that name. */
static unsigned find_static(unsigned row, struct str value)
{
    const struct hpack_field *first = &hpack_static[row];

    do {
        if (str_eq(hpack_static[row].value, value))
            return row;
        row++;
    } while (row <= HPACK_STATIC_SHARED && hpack_static[row].pseudo == first->pseudo);
    return 0;
}

/* Sets apart most fields at a glance: lengths, and the ends of the value, where dates differ. */
static uint32_t tag_of(struct str name, struct str value)
{
    uint64_t head = 0, tail = 0;
    size_t n = value.len < sizeof head ? value.len : sizeof head;

    if (n) {
        memcpy(&head, value.data, n);
        memcpy(&tail, value.data + value.len - n, n);
    }
    head = (head ^ name.len << 8 ^ value.len) * 0x9e3779b97f4a7c15U;
    tail = (tail ^ head >> 29) * 0xbf58476d1ce4e5b9U;
    return (uint32_t)(tail >> 32);
}

static bool entry_is(const struct hpack_table *t, const struct hpack_entry *e,
                     const struct hpack_field *f, unsigned row)
{
    return e->name_index == row && e->value_len == f->value.len &&
           (row || (e->name_len == f->name.len && hpack_table_holds(t, e->begin, f->name))) &&
           hpack_table_holds(t, (e->begin + e->name_len) & (t->room - 1), f->value);
}

/* What counts the table's entries as they come, for hints: the number of the newest one. */
static uint16_t newest_of(const struct hpack_table *t)
{
    return (uint16_t)(t->oldest + t->count - 1);
}

static uint16_t *hint_of(struct hpack_encoder *e, unsigned row)
{
    return &e->hints[row % HPACK_HINTS];
}

/* Where the dynamic table has the field, from 0; -1: nowhere.  It is likely where it was last: what comes
 * with each second (Date) pushes it down, and is not gone through. */
static int find_dynamic(struct hpack_encoder *e, const struct hpack_field *f, unsigned row,
                        uint32_t tag)
{
    const struct hpack_table *t = &e->table;
    uint16_t likely = (uint16_t)(newest_of(t) - *hint_of(e, row));
    const struct hpack_entry *entry = hpack_table_at(t, likely);

    if (entry && entry->tag == tag && entry_is(t, entry, f, row))
        return likely;
    for (unsigned n = 0; n < t->count; n++) {
        entry = hpack_table_at(t, n);
        if (entry->tag == tag && entry_is(t, entry, f, row)) {
            *hint_of(e, row) = (uint16_t)(newest_of(t) - n);
            return (int)n;
        }
    }
    return -1;
}

static void put_literal(struct out *o, unsigned first, unsigned bits, unsigned row, struct str name,
                        struct str value)
{
    put_number(o, first, bits, row);
    if (!row)
        put_string(o, name, true);
    put_string(o, value, false);
}

/* A field that will come again: from the table, or into it. */
static void put_repeated(struct hpack_encoder *e, struct out *o, const struct hpack_field *f,
                         unsigned row)
{
    struct hpack_table *t = &e->table;
    uint32_t tag = tag_of(f->name, f->value);
    int n = find_dynamic(e, f, row, tag);

    if (n >= 0) {
        put_number(o, INDEXED, INDEXED_BITS, HPACK_STATIC_COUNT + 1 + (unsigned)n);
        return;
    }
    if (!hpack_table_add(t, f, row, tag)) {
        o->overflow = true;
        return;
    }
    *hint_of(e, row) = newest_of(t);
    put_literal(o, INCREMENTAL, INCREMENTAL_BITS, row, f->name, f->value);
}

void hpack_put_field(struct hpack_encoder *e, struct out *o, struct str name, struct str value,
                     enum hpack_index index)
{
    unsigned row = hpack_static_find(name), same = row ? find_static(row, value) : 0;
    struct hpack_field f = { .name = name, .value = value };

    if (same)
        put_number(o, INDEXED, INDEXED_BITS, same);
    else if (index == HPACK_REPEATED && name.len + value.len + HPACK_FIELD_COST <= e->table.limit)
        put_repeated(e, o, &f, row);
    else
        put_literal(o, index == HPACK_NEVER ? NEVER : PLAIN, PLAIN_BITS, row, name, value);
}

void hpack_put_status(struct hpack_encoder *e, struct out *o, unsigned status)
{
    static const uint16_t rows[] = { 200, 204, 206, 304, 400, 404, 500 };
    char digits[] = { (char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
                      (char)('0' + status % 10) };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i] == status) {
            put_number(o, INDEXED, INDEXED_BITS, HPACK_STATIC_STATUS + i);
            return;
        }
    }
    hpack_put_field(e, o, STR(":status"), (struct str){ digits, sizeof digits }, HPACK_PLAIN);
}
