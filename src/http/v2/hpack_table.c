/*
 * hpack_table: see hpack_table.h.
 */
#include "http/v2/hpack_table.h"

#include <assert.h>
#include <stdlib.h>

#include "http/headers.h"

enum { ROOM_AT_FIRST = 1024 };

#define ROW(name, value) { STR_INIT(name), STR_INIT(value), 0, 0, 0, false }

/* RFC 7541 appendix A. */
struct hpack_field hpack_static[HPACK_STATIC_COUNT + 1] = {
    ROW("", ""),
    ROW(":authority", ""),
    ROW(":method", "GET"),
    ROW(":method", "POST"),
    ROW(":path", "/"),
    ROW(":path", "/index.html"),
    ROW(":scheme", "http"),
    ROW(":scheme", "https"),
    ROW(":status", "200"),
    ROW(":status", "204"),
    ROW(":status", "206"),
    ROW(":status", "304"),
    ROW(":status", "400"),
    ROW(":status", "404"),
    ROW(":status", "500"),
    ROW("accept-charset", ""),
    ROW("accept-encoding", "gzip, deflate"),
    ROW("accept-language", ""),
    ROW("accept-ranges", ""),
    ROW("accept", ""),
    ROW("access-control-allow-origin", ""),
    ROW("age", ""),
    ROW("allow", ""),
    ROW("authorization", ""),
    ROW("cache-control", ""),
    ROW("content-disposition", ""),
    ROW("content-encoding", ""),
    ROW("content-language", ""),
    ROW("content-length", ""),
    ROW("content-location", ""),
    ROW("content-range", ""),
    ROW("content-type", ""),
    ROW("cookie", ""),
    ROW("date", ""),
    ROW("etag", ""),
    ROW("expect", ""),
    ROW("expires", ""),
    ROW("from", ""),
    ROW("host", ""),
    ROW("if-match", ""),
    ROW("if-modified-since", ""),
    ROW("if-none-match", ""),
    ROW("if-range", ""),
    ROW("if-unmodified-since", ""),
    ROW("last-modified", ""),
    ROW("link", ""),
    ROW("location", ""),
    ROW("max-forwards", ""),
    ROW("proxy-authenticate", ""),
    ROW("proxy-authorization", ""),
    ROW("range", ""),
    ROW("referer", ""),
    ROW("refresh", ""),
    ROW("retry-after", ""),
    ROW("server", ""),
    ROW("set-cookie", ""),
    ROW("strict-transport-security", ""),
    ROW("transfer-encoding", ""),
    ROW("user-agent", ""),
    ROW("vary", ""),
    ROW("via", ""),
    ROW("www-authenticate", ""),
};

/* ---- the static table ------------------------------------------------------------------------ */

/* Rows by length and last letters of the name; where two share a place, `next` leads on. */
enum { PLACES = 128 };
static uint8_t places[PLACES], next[HPACK_STATIC_COUNT + 1];
static bool prepared;

static unsigned place_of(struct str name)
{
    unsigned last = (unsigned char)name.data[name.len - 1] | 0x20;
    unsigned before = (unsigned char)name.data[name.len / 2] | 0x20;

    return ((unsigned)name.len * 9 + last * 5 + before * 3) % PLACES;
}

static void prepare(void)
{
    for (unsigned i = HPACK_STATIC_COUNT; i > 0; i--) {
        struct hpack_field *row = &hpack_static[i];
        unsigned place = place_of(row->name);
        row->id = (uint8_t)header_id(row->name);
        row->pseudo = (uint8_t)hpack_pseudo_of(row->name);
        next[i] = places[place];
        places[place] = (uint8_t)i;    /* from the end, so that a name's first row is found first */
    }
    prepared = true;
}

unsigned hpack_static_find(struct str name)
{
    unsigned i = name.len ? places[place_of(name)] : 0;

    while (i && !str_eq(hpack_static[i].name, name) && !str_eq_nocase(hpack_static[i].name, name))
        i = next[i];
    return i;
}

enum hpack_pseudo hpack_pseudo_of(struct str name)
{
    static const struct str names[] = {
        [HPACK_AUTHORITY] = STR_INIT(":authority"), [HPACK_METHOD] = STR_INIT(":method"),
        [HPACK_PATH] = STR_INIT(":path"),           [HPACK_SCHEME] = STR_INIT(":scheme"),
        [HPACK_STATUS] = STR_INIT(":status"),       [HPACK_PROTOCOL] = STR_INIT(":protocol"),
    };
    if (name.len == 0 || name.data[0] != ':')
        return HPACK_REGULAR;
    for (unsigned i = HPACK_AUTHORITY; i <= HPACK_PROTOCOL; i++) {
        if (str_eq(names[i], name))
            return i;
    }
    return HPACK_PSEUDO_OTHER;
}

/* ---- the dynamic table ----------------------------------------------------------------------- */

void hpack_table_init(struct hpack_table *t, unsigned limit)
{
    if (!prepared)
        prepare();
    *t = (struct hpack_table){ .limit = limit };
}

void hpack_table_fini(struct hpack_table *t)
{
    free(t->entries);
    *t = (struct hpack_table){ .limit = t->limit };
}

static uint32_t name_size(const struct hpack_entry *e)
{
    return (uint32_t)(e->name_index ? hpack_static[e->name_index].name.len : e->name_len);
}

static void evict(struct hpack_table *t)
{
    const struct hpack_entry *e = hpack_table_at(t, t->count - 1U);
    uint32_t stored = (uint32_t)e->name_len + e->value_len;

    t->size -= name_size(e) + e->value_len + HPACK_FIELD_COST;
    t->begin = (t->begin + stored) & (t->room - 1);
    t->used -= stored;
    t->oldest++;
    t->count--;
}

static void evict_to(struct hpack_table *t, uint32_t size)
{
    while (t->size > size)
        evict(t);
}

void hpack_table_resize(struct hpack_table *t, unsigned limit)
{
    evict_to(t, limit);
    t->limit = limit;
    if (limit == 0)
        hpack_table_fini(t);
}

void hpack_table_copy(const struct hpack_table *t, uint32_t at, char *to, size_t len)
{
    size_t first = t->room - at;

    if (len <= first) {
        memcpy(to, t->bytes + at, len);
    } else {
        memcpy(to, t->bytes + at, first);
        memcpy(to + first, t->bytes, len - first);
    }
}

bool hpack_table_holds(const struct hpack_table *t, uint32_t at, struct str s)
{
    size_t first = t->room - at;

    if (s.len <= first)
        return memcmp(t->bytes + at, s.data, s.len) == 0;
    return memcmp(t->bytes + at, s.data, first) == 0 &&
           memcmp(t->bytes, s.data + first, s.len - first) == 0;
}

/* Moves all to a block with room for entries of `size` in sum. */
static bool grow(struct hpack_table *t, uint32_t size)
{
    struct hpack_table more = *t;

    more.room = t->room ? t->room : ROOM_AT_FIRST;
    while (more.room < size)
        more.room *= 2;
    unsigned places_of_entries = more.room / HPACK_FIELD_COST;
    more.entries = malloc(places_of_entries * sizeof *more.entries + more.room);
    if (!more.entries)
        return false;
    more.bytes = (char *)(more.entries + places_of_entries);
    more.begin = 0;
    more.oldest = 0;
    if (t->used)
        hpack_table_copy(t, t->begin, more.bytes, t->used);
    for (unsigned i = 0; i < t->count; i++) {
        more.entries[i] = *hpack_table_at(t, t->count - 1U - i);
        more.entries[i].begin = (more.entries[i].begin - t->begin) & (t->room - 1);
    }
    free(t->entries);
    *t = more;
    return true;
}

/* Puts s behind what the ring holds. */
static void append(struct hpack_table *t, struct str s)
{
    uint32_t at = (t->begin + t->used) & (t->room - 1);
    size_t first = t->room - at;

    assert(s.len <= t->room - t->used);
    if (s.len <= first) {
        if (s.len)
            memcpy(t->bytes + at, s.data, s.len);
    } else {
        memcpy(t->bytes + at, s.data, first);
        memcpy(t->bytes, s.data + first, s.len - first);
    }
    t->used += (uint32_t)s.len;
}

bool hpack_table_add(struct hpack_table *t, const struct hpack_field *f, unsigned name_index,
                     uint32_t tag)
{
    size_t size = f->name.len + f->value.len + HPACK_FIELD_COST;

    if (size > t->limit) {
        evict_to(t, 0);
        return true;
    }
    evict_to(t, t->limit - (uint32_t)size);
    t->size += (uint32_t)size;
    if (t->size > t->room && !grow(t, t->size))
        return false;

    struct hpack_entry *e = &t->entries[(t->oldest + t->count) & (t->room / HPACK_FIELD_COST - 1)];
    *e = (struct hpack_entry){
        .begin = (t->begin + t->used) & (t->room - 1),
        .tag = tag,
        .name_len = (uint16_t)(name_index ? 0 : f->name.len),
        .value_len = (uint16_t)f->value.len,
        .name_index = (uint8_t)name_index,
        .id = f->id,
        .pseudo = f->pseudo,
        .flaws = f->flaws,
    };
    t->count++;
    if (!name_index)
        append(t, f->name);
    append(t, f->value);
    return true;
}
