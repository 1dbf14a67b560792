/*
 * hostnames: see hostnames.h.  The hashes of wildcards grow byte by byte along the name, so that each
 * dot costs one look-up and no reading over again.
 */
#include "script/hostnames.h"

/* FNV-1a by steps, over the lower-case form. */
enum { HASH_START = 0x811c9dc5, HASH_PRIME = 0x01000193 };

static uint32_t hash_step(uint32_t hash, char c)
{
    return (hash ^ (unsigned char)char_lower(c)) * (uint32_t)HASH_PRIME;
}

static uint32_t hash_forwards(struct str s)
{
    uint32_t hash = (uint32_t)HASH_START;

    for (size_t i = 0; i < s.len; i++)
        hash = hash_step(hash, s.data[i]);
    return hash;
}

static uint32_t hash_backwards(struct str s)
{
    uint32_t hash = (uint32_t)HASH_START;

    for (size_t i = s.len; i-- > 0;)
        hash = hash_step(hash, s.data[i]);
    return hash;
}

void hostnames_init(struct hostnames *h, struct arena *a)
{
    *h = (struct hostnames){ .longest_head = 0 };
    table_init(&h->exact, a, true);
    table_init(&h->heads, a, true);
    table_init(&h->tails, a, true);
}

/* Which tables a name goes to, and what of it. */
struct shape {
    struct str core;
    bool exact, head, tail;
};

static bool shape_of(struct str name, bool wildcards, struct shape *shape)
{
    *shape = (struct shape){ .core = name, .exact = true };
    if (!wildcards)
        return true;
    if (name.len > 1 && name.data[0] == '.') {
        shape->core = str_from(name, 1);
        shape->head = true;
    } else if (name.len > 2 && str_starts(name, STR("*."))) {
        shape->core = str_from(name, 2);
        shape->exact = false;
        shape->head = true;
    } else if (name.len > 2 && str_ends(name, STR(".*"))) {
        shape->core = str_first(name, name.len - 2);
        shape->exact = false;
        shape->tail = true;
    }
    return str_index(shape->core, '*') < 0 && str_index(name, '\0') < 0 &&
           str_find(name, STR("..")) < 0;
}

enum hostnames_added hostnames_add(struct hostnames *h, struct str name, bool wildcards, void *value)
{
    struct shape shape;

    if (!shape_of(name, wildcards, &shape))
        return HOSTNAMES_INVALID;

    struct str core = shape.core;
    uint32_t forwards = hash_forwards(core), backwards = hash_backwards(core);

    if ((shape.exact && table_find(&h->exact, forwards, core)) ||
        (shape.head && table_find(&h->heads, backwards, core)) ||
        (shape.tail && table_find(&h->tails, forwards, core)))
        return HOSTNAMES_CONFLICT;
    core = arena_str(h->exact.arena, core);
    if (shape.exact)
        table_add(&h->exact, forwards, core, value);
    if (shape.head)
        table_add(&h->heads, backwards, core, value);
    if (shape.tail)
        table_add(&h->tails, forwards, core, value);
    if (shape.head && core.len > h->longest_head)
        h->longest_head = core.len;
    if (shape.tail && core.len > h->longest_tail)
        h->longest_tail = core.len;
    return HOSTNAMES_ADDED;
}

static void *find_head(const struct hostnames *h, struct str name)
{
    uint32_t hash = (uint32_t)HASH_START;
    void *found = NULL;

    for (size_t i = name.len; i-- > 0 && name.len - i <= h->longest_head + 1;) {
        if (name.data[i] == '.') {
            struct table_entry *e = table_find(&h->heads, hash, str_from(name, i + 1));

            if (e)
                found = e->value;
        }
        hash = hash_step(hash, name.data[i]);
    }
    return found;
}

static void *find_tail(const struct hostnames *h, struct str name)
{
    uint32_t hash = (uint32_t)HASH_START;
    void *found = NULL;

    for (size_t i = 0; i < name.len && i <= h->longest_tail; i++) {
        if (name.data[i] == '.') {
            struct table_entry *e = table_find(&h->tails, hash, str_first(name, i));

            if (e)
                found = e->value;
        }
        hash = hash_step(hash, name.data[i]);
    }
    return found;
}

void *hostnames_find(const struct hostnames *h, struct str name)
{
    struct table_entry *e = table_find(&h->exact, hash_forwards(name), name);
    void *found = e ? e->value : NULL;

    if (!found && h->heads.count)
        found = find_head(h, name);
    if (!found && h->tails.count)
        found = find_tail(h, name);
    return found;
}
