/*
 * hpack_decoder: blocks to fields; see hpack.h.
 */
#include "http/v2/hpack.h"

#include "http/headers.h"
#include "http/v2/hpack_huffman.h"

enum {
    UPDATES_OF_A_BLOCK = 2,    /* RFC 7541 section 4.2: the least size, then the final one */
    INTEGER_BYTES = 3,         /* that may follow the prefix: numbers to 2^21 and a little */
};

void hpack_decoder_init(struct hpack_decoder *d, unsigned announced)
{
    *d = (struct hpack_decoder){ .announced = (uint16_t)announced };
    hpack_table_init(&d->table, announced);
    hpack_huffman_prepare();
}

void hpack_decoder_fini(struct hpack_decoder *d)
{
    hpack_table_fini(&d->table);
}

/* ---- numbers and strings --------------------------------------------------------------------- */

/* What follows a prefix whose bits are all set; false: too long, or cut off. */
static bool read_more(struct cursor *in, uint32_t *number)
{
    for (unsigned i = 0; i < INTEGER_BYTES; i++) {
        uint8_t byte = cursor_u8(in);
        *number += (uint32_t)(byte & 0x7f) << 7 * i;
        if (!(byte & 0x80))
            return !in->bad;
    }
    return false;
}

/* A number that begins in the `bits` lowest bits (RFC 7541 section 5.1). */
static inline bool read_number(struct cursor *in, unsigned bits, uint32_t *number)
{
    uint32_t full = (1U << bits) - 1;

    *number = cursor_u8(in) & full;
    return *number < full ? !in->bad : read_more(in, number);
}

/*
 * Where decoded text goes.  `drop`: the field is read for the table's sake; text that is too long
 * for the table keeps its length, but not its bytes.
 */
struct target {
    struct out *space;
    bool drop;
};

/* Room for `len` bytes, which the caller fills. */
static enum hpack_result take_room(struct target t, size_t len, char **to)
{
    static char nothing[1];    /* an empty value is a value: its data is not NULL */

    *to = len ? t.space->at : nothing;
    if (len == 0 || (t.drop && out_room(t.space) < len))
        return HPACK_FIELD;
    if (!out_need(t.space, len))
        return HPACK_TOO_LARGE;
    *to = t.space->at;
    t.space->at += len;
    return HPACK_FIELD;
}

static enum hpack_result read_huffman(struct str coded, struct target t, struct str *s)
{
    char *guess = t.space->at, *to;
    size_t room = out_room(t.space), len;
    enum hpack_result result;

    if (!hpack_huffman_decode(coded, guess, room, &len))
        return HPACK_ERROR;
    result = take_room(t, len, &to);
    if (result == HPACK_FIELD && len && to != guess)      /* the space grew */
        hpack_huffman_decode(coded, to, len, &len);
    *s = (struct str){ to, len };
    return result;
}

/* RFC 7541 section 5.2. */
static enum hpack_result read_string(struct cursor *in, struct target t, struct str *s)
{
    bool coded = cursor_left(in) > 0 && *in->at & 0x80;
    uint32_t len;

    if (!read_number(in, 7, &len) || len > cursor_left(in))
        return HPACK_ERROR;
    *s = cursor_str(in, len);
    return coded ? read_huffman(*s, t, s) : HPACK_FIELD;
}

/* ---- what a field is worth ------------------------------------------------------------------- */

/* Whether one of a word's bytes is 0; and whether one is `c`. */
static inline uint64_t has_zero(uint64_t word)
{
    return (word - 0x0101010101010101U) & ~word & 0x8080808080808080U;
}

static inline uint64_t has(uint64_t word, unsigned char c)
{
    return has_zero(word ^ 0x0101010101010101U * c);
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool value_is_good(struct str s)
{
    uint64_t word, found = 0;

    if (s.len == 0)
        return true;
    if (is_blank(s.data[0]) || is_blank(s.data[s.len - 1]))
        return false;
    for (; s.len >= sizeof word; s = str_from(s, sizeof word)) {
        memcpy(&word, s.data, sizeof word);
        found |= has_zero(word) | has(word, '\r') | has(word, '\n');
    }
    word = 0x2020202020202020U;
    memcpy(&word, s.data, s.len);
    return (found | has_zero(word) | has(word, '\r') | has(word, '\n')) == 0;
}

/* Bytes of a token (RFC 9110 section 5.6.2) but upper-case letters, a bit each. */
static const uint32_t name_bytes[8] = { 0, 0x03ff6cfa, 0xc0000000, 0x57ffffff };

static bool name_is_good(struct str s)
{
    if (s.len > 0 && s.data[0] == ':')
        s = str_from(s, 1);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (!(name_bytes[c / 32] >> c % 32 & 1))
            return false;
    }
    return s.len > 0;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static void describe(struct hpack_field *field, const struct hpack_entry *e)
{
    field->id = e->id;
    field->pseudo = e->pseudo;
    field->flaws = e->flaws;
    field->never_index = false;
}

static enum hpack_result copy_entry(const struct hpack_table *t, const struct hpack_entry *e,
                                    struct target target, struct hpack_field *field)
{
    size_t name_len = e->name_len, value_len = e->value_len;
    char *to;

    enum hpack_result result = take_room(target, name_len + value_len, &to);
    if (result != HPACK_FIELD)
        return result;
    hpack_table_copy(t, e->begin, to, name_len + value_len);
    field->name = e->name_index ? hpack_static[e->name_index].name : (struct str){ to, name_len };
    field->value = (struct str){ to + name_len, value_len };
    describe(field, e);
    return HPACK_FIELD;
}

/* RFC 7541 section 6.1. */
static enum hpack_result read_indexed(const struct hpack_table *t, struct cursor *in,
                                      struct target target, struct hpack_field *field)
{
    uint32_t index;

    if (!read_number(in, 7, &index) || index == 0)
        return HPACK_ERROR;
    if (index <= HPACK_STATIC_COUNT) {
        *field = hpack_static[index];
        return HPACK_FIELD;
    }
    const struct hpack_entry *e = hpack_table_at(t, index - HPACK_STATIC_COUNT - 1);
    if (!e)
        return HPACK_ERROR;
    if (!target.drop)
        return copy_entry(t, e, target, field);
    field->name = e->name_index ? hpack_static[e->name_index].name : (struct str){ "", e->name_len };
    field->value = (struct str){ "", e->value_len };
    return HPACK_FIELD;
}

/* The name of the dynamic table's entry. */
static enum hpack_result name_of_entry(const struct hpack_table *t, const struct hpack_entry *e,
                                       struct target target, struct str *name)
{
    enum hpack_result result;
    char *to;

    if (e->name_index) {
        *name = hpack_static[e->name_index].name;
        return HPACK_FIELD;
    }
    result = take_room(target, e->name_len, &to);
    if (result == HPACK_FIELD)
        hpack_table_copy(t, e->begin, to, e->name_len);
    *name = (struct str){ to, e->name_len };
    return result;
}

/* The name of a literal field; `index` becomes that of the static table, or 0. */
static enum hpack_result read_name(const struct hpack_table *t, struct cursor *in,
                                   struct target target, struct hpack_field *field, uint32_t *index)
{
    enum hpack_result result;

    if (*index == 0) {
        result = read_string(in, target, &field->name);
        if (result != HPACK_FIELD || (target.drop && field->name.len > HPACK_TABLE_SIZE))
            return result;
        field->never_index = false;
        field->id = (uint8_t)header_id(field->name);
        field->pseudo = (uint8_t)hpack_pseudo_of(field->name);
        field->flaws = name_is_good(field->name) ? 0 : HPACK_BAD_NAME;
        return HPACK_FIELD;
    }
    if (*index <= HPACK_STATIC_COUNT) {
        *field = hpack_static[*index];
        return HPACK_FIELD;
    }
    const struct hpack_entry *e = hpack_table_at(t, *index - HPACK_STATIC_COUNT - 1);
    if (!e)
        return HPACK_ERROR;
    *index = e->name_index;
    describe(field, e);
    field->flaws &= HPACK_BAD_NAME;
    return name_of_entry(t, e, target, &field->name);
}

/* RFC 7541 section 6.2; `bits` of the first byte begin the name's index. */
static enum hpack_result read_literal(struct hpack_table *t, struct cursor *in,
                                      struct target target, struct hpack_field *field,
                                      unsigned bits, bool keep)
{
    enum hpack_result result;
    uint32_t index;

    if (!read_number(in, bits, &index))
        return HPACK_ERROR;
    result = read_name(t, in, target, field, &index);
    if (result != HPACK_FIELD)
        return result;
    result = read_string(in, target, &field->value);
    if (result != HPACK_FIELD)
        return result;
    if (target.drop && !keep)
        return HPACK_FIELD;
    if (target.drop && field->name.len + field->value.len + HPACK_FIELD_COST > t->limit)
        field->value.data = field->name.data = "";     /* not all there; it empties the table */
    else if (!value_is_good(field->value))
        field->flaws |= HPACK_BAD_VALUE;
    return !keep || hpack_table_add(t, field, index, 0) ? HPACK_FIELD : HPACK_ERROR;
}

static enum hpack_result read_field(struct hpack_table *t, struct cursor *in, struct target target,
                                    struct hpack_field *field)
{
    uint8_t first = *in->at;
    enum hpack_result result;

    if (first & 0x80)
        return read_indexed(t, in, target, field);
    if (first & 0x40)
        return read_literal(t, in, target, field, 6, true);
    result = read_literal(t, in, target, field, 4, false);
    field->never_index = first & 0x10;
    return result;
}

/* Size updates, RFC 7541 section 6.3: at a block's start only, and within what was announced. */
static bool read_updates(struct hpack_decoder *d, struct cursor *in)
{
    while (in->at < in->end && (*in->at & 0xe0) == 0x20) {
        uint32_t size;
        if (d->fields || d->updates++ == UPDATES_OF_A_BLOCK || !read_number(in, 5, &size) ||
            size > d->announced)
            return false;
        hpack_table_resize(&d->table, size);
    }
    return true;
}

enum hpack_result hpack_next(struct hpack_decoder *d, struct cursor *block, struct out *space,
                             struct hpack_field *field)
{
    static char scratch[HPACK_TABLE_SIZE];
    struct out dropped = out_fixed(scratch, sizeof scratch);
    enum hpack_result result;

    if (!read_updates(d, block))
        return HPACK_ERROR;
    if (block->at == block->end) {
        d->fields = false;
        d->updates = 0;
        return HPACK_END;
    }
    d->fields = true;
    if (space) {
        struct cursor start = *block;
        size_t had = out_len(space);
        result = read_field(&d->table, block, (struct target){ space, false }, field);
        if (result != HPACK_TOO_LARGE)
            return result;
        *block = start;
        space->at = space->start + had;
    }
    result = read_field(&d->table, block, (struct target){ &dropped, true }, field);
    return result == HPACK_FIELD ? HPACK_TOO_LARGE : result;
}

/* ---- a block that is not all there ----------------------------------------------------------- */

static bool skip_string(struct cursor *in)
{
    uint32_t len;

    return read_number(in, 7, &len) && cursor_take(in, len);
}

bool hpack_may_be_good(struct cursor start)
{
    while (start.at < start.end) {
        uint8_t first = *start.at;
        bool indexed = (first & 0x80) != 0, update = (first & 0xe0) == 0x20;
        unsigned bits = indexed ? 7 : first & 0x40 ? 6 : update ? 5 : 4;
        uint32_t number;
        if (!read_number(&start, bits, &number))
            return start.bad;                  /* cut off, or too long */
        if (indexed && number == 0)
            return false;
        if (indexed || update)
            continue;
        if ((number == 0 && !skip_string(&start)) || !skip_string(&start))
            return start.bad;
    }
    return true;
}
