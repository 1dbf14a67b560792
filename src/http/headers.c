/*
 * headers: see headers.h.
 */
#include "http/headers.h"

#include "base/out.h"

static const struct {
    struct str name;
    enum header_rule rule;
} known[HEADER_COUNT] = {
#define HEADER(id, name, rule) [HEADER_##id] = { STR_INIT(name), rule },
    HEADER_NAMES(HEADER)
#undef HEADER
};

/* Ids by length and first and last letter; where two share a place, `next` leads on. */
enum { PLACES = 128 };
static uint8_t places[PLACES], next[HEADER_COUNT];
static bool prepared;

static unsigned place_of(struct str name)
{
    unsigned first = (unsigned char)name.data[0] | 0x20;
    unsigned last = (unsigned char)name.data[name.len - 1] | 0x20;

    return ((unsigned)name.len * 7 + first * 5 + last * 3) % PLACES;
}

static void prepare(void)
{
    for (unsigned id = 1; id < HEADER_COUNT; id++) {
        unsigned place = place_of(known[id].name);
        next[id] = places[place];
        places[place] = (uint8_t)id;
    }
    prepared = true;
}

enum header_id header_id(struct str name)
{
    if (name.len == 0)
        return HEADER_OTHER;
    if (!prepared)
        prepare();
    for (unsigned id = places[place_of(name)]; id; id = next[id]) {
        if (str_eq_nocase(known[id].name, name))
            return id;
    }
    return HEADER_OTHER;
}

enum header_rule header_rule(enum header_id id)
{
    return known[id].rule;
}

struct header *headers_add_as(struct headers *h, struct arena *a, enum header_id id, struct str name,
                              struct str value)
{
    struct header *f = ARRAY_PUSH(&h->list, a);

    *f = (struct header){ .name = name, .value = value, .id = (uint8_t)id };
    if (id != HEADER_OTHER && !h->known[id])
        h->known[id] = (uint16_t)h->list.count;
    return f;
}

struct header *headers_add(struct headers *h, struct arena *a, struct str name, struct str value)
{
    return headers_add_as(h, a, header_id(name), name, value);
}

void header_set_add(struct header_set *set, struct arena *a, struct str name)
{
    *ARRAY_PUSH(&set->names, a) = name;
    set->ids |= (uint64_t)1 << header_id(name);
}

bool header_set_has(const struct header_set *set, const struct header *f)
{
    if (!(set->ids >> f->id & 1))
        return false;
    for (unsigned i = 0; f->id == HEADER_OTHER && i < set->names.count; i++) {
        if (str_eq_nocase(set->names.items[i], f->name))
            return true;
    }
    return f->id != HEADER_OTHER;
}

/* Whether a field's name is `name` in a variable's spelling. */
static bool same_name(struct str field, struct str name)
{
    if (field.len != name.len)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = char_lower(field.data[i]);
        if (c != char_lower(name.data[i]) && !(c == '-' && name.data[i] == '_'))
            return false;
    }
    return true;
}

struct str headers_joined(const struct headers *h, struct arena *a, struct str name)
{
    struct str separator = same_name(STR("cookie"), name) ? STR("; ") : STR(", ");
    struct out o = { 0 };
    struct str first = { NULL, 0 };

    for (unsigned i = 0; i < h->list.count; i++) {
        const struct header *f = &h->list.items[i];
        if (f->hidden || !same_name(f->name, name))
            continue;
        if (!first.data) {
            first = f->value;
            continue;
        }
        if (!o.arena) {
            o = out_growing(a, SIZE_MAX);
            out_str(&o, first);
        }
        out_str(&o, separator);
        out_str(&o, f->value);
    }
    return o.arena ? out_str_of(&o) : first;
}

bool headers_nominate(const struct headers *h, struct str name)
{
    for (unsigned i = h->known[HEADER_CONNECTION]; i && i <= h->list.count; i++) {
        struct str list = h->list.items[i - 1].value;
        while (h->list.items[i - 1].id == HEADER_CONNECTION && list.data) {
            if (str_eq_nocase(str_trim(str_split(&list, ',')), name))
                return true;
        }
    }
    return false;
}

bool headers_is_of_http1(enum header_id id)
{
    return id == HEADER_CONNECTION || id == HEADER_KEEP_ALIVE || id == HEADER_PROXY_CONNECTION ||
           id == HEADER_TRANSFER_ENCODING || id == HEADER_UPGRADE;
}
