/*
 * modules: the modules of the program, and an index of their rows by name, made once.
 */
#include "config/resolve.h"

enum { MAX_MODULES = 256, INDEX_SIZE = 4096 };

struct entry {
    const struct directive *row;
    struct module *module;
    struct str name;
    unsigned next;                     /* 1 + place of the next row in the same slot; 0: none */
};

static struct module *list[MAX_MODULES];
static unsigned count;
static struct arena arena;
static ARRAY(struct entry) entries;
static unsigned slots[INDEX_SIZE];     /* 1 + place of the first */

static unsigned *slot_of(struct str name)
{
    uint32_t hash = str_hash(name);

    return &slots[(hash ^ hash >> 15) % INDEX_SIZE];
}

/* Behind those that are there: of two rows for one context the first module's counts. */
static void add_row(const struct directive *row, struct module *m)
{
    struct str name = str_of(row->name);
    unsigned *link = slot_of(name);

    *ARRAY_PUSH(&entries, &arena) = (struct entry){ row, m, name, 0 };
    while (*link)
        link = &entries.items[*link - 1].next;
    *link = entries.count;
    m->contexts |= row->contexts;
    m->resets |= (row->flags & NOT_INHERITED) != 0;
}

bool modules_add(struct module *m)
{
    if (count == MAX_MODULES)
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (list[i] == m)
            return false;
    }
    m->index = count;
    m->contexts = 0;
    m->resets = false;
    list[count++] = m;
    for (const struct directive *row = m->directives; row && row->name; row++)
        add_row(row, m);
    return true;
}

void modules_init(struct module *const *modules)
{
    arena_fini(&arena);
    memset(slots, 0, sizeof slots);
    entries.items = NULL;
    entries.count = entries.room = 0;
    count = 0;
    for (; *modules; modules++)
        modules_add(*modules);
}

unsigned modules_count(void)
{
    return count;
}

struct module *modules_at(unsigned index)
{
    return list[index];
}

const struct directive *modules_find(struct str name, unsigned contexts, struct module **module)
{
    for (unsigned i = *slot_of(name); i; i = entries.items[i - 1].next) {
        const struct entry *e = &entries.items[i - 1];
        if ((e->row->contexts & contexts) && str_eq(e->name, name)) {
            if (module)
                *module = e->module;
            return e->row;
        }
    }
    return NULL;
}

const struct directive *modules_find_own(const struct module *m, struct str name)
{
    for (const struct directive *row = m->directives; row && row->name; row++) {
        if ((row->contexts & IN_OTHER) && str_eq(str_of(row->name), name))
            return row;
    }
    return NULL;
}

unsigned modules_contexts(struct str name)
{
    unsigned contexts = 0;

    for (unsigned i = *slot_of(name); i; i = entries.items[i - 1].next) {
        if (str_eq(entries.items[i - 1].name, name))
            contexts |= entries.items[i - 1].row->contexts;
    }
    return contexts;
}
