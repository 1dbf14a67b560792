/*
 * discovery: see discovery.h.  What a name stood for last is kept beside the generations, so that after a
 * reload a group has its peers at once.
 */
#include "upstream/discovery.h"

#include <stdlib.h>

#include "net/dns.h"
#include "upstream/balance.h"
#include "upstream/resolver_rows.h"
#include "upstream/upstream.h"

enum {
    SOONEST = 1000, LATEST_RETRY = 5000,       /* ms between two questions about a name */
};

/* What was last heard of a name; shared by all lines, of all generations, that mean the same. */
struct known {
    struct list link;
    unsigned references;
    struct resolver *engine;           /* only to be told apart by: it holds no reference */
    char *key;                         /* service, a NUL, host */
    size_t key_len;
    bool heard;
    struct resolved *items;
    unsigned count;
};

/* A line at work. */
struct discovery {
    const struct discovery_line *line;
    const struct block *block;
    struct resolver *engine;           /* NULL: not begun */
    struct known *known;
    struct resolve *resolve;           /* NULL: nothing is being asked */
    struct timer timer;
    struct str name;                   /* that is asked for */
    uint64_t timeout;                  /* ms */
    unsigned code;                     /* of the last answer */
};

static struct list all_known = { &all_known, &all_known };

/* ---- what is known ---- */

static void known_unref(struct known *k)
{
    if (!k || --k->references)
        return;
    list_remove(&k->link);
    free(k->items);
    free(k->key);
    free(k);
}

static struct known *known_new(struct resolver *engine, struct str key)
{
    struct known *k = calloc(1, sizeof *k);

    if (!k)
        return NULL;
    k->key = malloc(key.len);
    if (!k->key) {
        free(k);
        return NULL;
    }
    memcpy(k->key, key.data, key.len);
    k->key_len = key.len;
    k->engine = engine;
    list_push(&all_known, &k->link);
    return k;
}

static struct known *known_get(struct resolver *engine, const struct discovery_line *line)
{
    char space[1024];
    struct out key = out_fixed(space, sizeof space);
    struct known *k = NULL;

    out_str(&key, line->service);
    out_char(&key, '\0');
    out_str(&key, line->host);
    LIST_EACH(node, &all_known) {
        struct known *other = CONTAINER(node, struct known, link);
        if (other->engine == engine &&
            str_eq_nocase((struct str){ other->key, other->key_len }, out_str_of(&key)))
            k = other;
    }
    if (!k)
        k = known_new(engine, out_str_of(&key));
    if (k)
        k->references++;
    return k;
}

static void known_set(struct known *k, const struct resolve_answer *answer)
{
    struct resolved *items = calloc(answer->count + 1, sizeof *items);

    if (!items)
        return;
    if (answer->count)
        memcpy(items, answer->items, answer->count * sizeof *items);
    free(k->items);
    k->items = items;
    k->count = answer->count;
    k->heard = true;
}

/* ---- peers ---- */

/* By address, so that the order of an answer means nothing. */
static int compare(const void *left, const void *right)
{
    const struct discovered *a = left, *b = right;
    struct peer p = peer_of(&a->address), q = peer_of(&b->address);

    if (a->backup != b->backup)
        return a->backup ? 1 : -1;
    if (p.family != q.family)
        return p.family < q.family ? -1 : 1;
    int order = memcmp(p.ip, q.ip, sizeof p.ip);
    if (order == 0)
        order = (int)p.port - (int)q.port;
    return order ? order : (int)a->weight - (int)b->weight;
}

static unsigned first_priority(const struct known *k)
{
    unsigned first = UINT16_MAX;

    for (unsigned i = 0; i < k->count; i++)
        first = k->items[i].priority < first ? k->items[i].priority : first;
    return first;
}

/* The targets of a service that are not of the first priority are backups; of a line that is one itself
 * they do not count, nor where the balancer has none. */
static bool choose_role(const struct discovery_line *line, const struct resolved *item, unsigned first,
                        struct discovered *d)
{
    bool later = line->service.len && item->priority > first;

    d->backup = line->backup || later;
    return !later || (!line->backup && line->group->balancer->backup);
}

static unsigned gather(const struct discovery *d, struct discovered *list)
{
    const struct discovery_line *line = d->line;
    unsigned count = 0, first = first_priority(d->known);

    for (unsigned i = 0; i < d->known->count; i++) {
        const struct resolved *item = &d->known->items[i];
        struct discovered *to = &list[count];
        if (!choose_role(line, item, first, to))
            continue;
        peer_to_address(&item->peer, &to->address);
        if (line->service.len)
            to->weight = item->weight ? item->weight : 1;
        else
            address_set_port(&to->address, line->port);
        count++;
    }
    qsort(list, count, sizeof *list, compare);
    return count;
}

static void apply(const struct discovery *d)
{
    struct discovered *list = calloc(d->known->count + 1, sizeof *list);

    if (list)
        upstream_peers_replace(d->line->group, d->line, list, gather(d, list));
    free(list);
}

/* ---- asking ---- */

/* Only what is new is said; that a plain name had no address at start has been. */
static void note(struct discovery *d, unsigned code)
{
    if (code && code != d->code && !d->line->once)
        log_note(LOG_LEVEL_ERROR, 0, "%.*s could not be resolved (%u: %s) in upstream \"%.*s\"",
                 STR_ARG(d->name), code, resolve_code_text(code), STR_ARG(d->line->group->name));
    else if (!code && (d->code || d->line->once))
        log_note(LOG_LEVEL_NOTICE, 0, "%.*s is resolved now in upstream \"%.*s\"", STR_ARG(d->name),
                 STR_ARG(d->line->group->name));
    d->code = code;
}

/* ms until the name is asked for again. */
static uint64_t next_time(const struct discovery *d, const struct resolve_answer *answer)
{
    uint64_t wait = answer->valid;

    if (answer->code && answer->code != DNS_NOT_FOUND)
        wait = d->timeout;
    if ((d->line->once || (answer->code && answer->code != DNS_NOT_FOUND)) && wait > LATEST_RETRY)
        wait = LATEST_RETRY;
    return wait > SOONEST ? wait : SOONEST;
}

/* A name that is not there has no peers; a name server that fails to answer says nothing about it. */
static void use_answer(struct discovery *d)
{
    const struct resolve_answer *answer = resolve_answer(d->resolve);
    bool over = d->line->once && answer->code == 0;

    note(d, answer->code);
    if (answer->code == 0 || answer->code == DNS_NOT_FOUND) {
        known_set(d->known, answer);
        apply(d);
    }
    if (!over)
        timer_set(&d->timer, next_time(d, answer));
    resolve_end(d->resolve);
    d->resolve = NULL;
}

static void on_answer(void *owner)
{
    use_answer(owner);
}

static void ask(struct discovery *d)
{
    enum resolve_kind kind = d->line->service.len ? RESOLVE_SERVICE : RESOLVE_ADDRESSES;

    d->resolve = resolve_start(d->engine, kind, d->name, d->timeout, on_answer, d);
    if (!d->resolve)
        timer_set(&d->timer, SOONEST);
    else if (resolve_answer(d->resolve))
        use_answer(d);
}

static void on_timer(struct timer *t)
{
    ask(CONTAINER(t, struct discovery, timer));
}

/* ---- begin and end ---- */

static void begin(void *data)
{
    struct discovery *d = data;
    const struct resolver_rows *rows = resolver_rows_of(d->block);

    d->timeout = rows->timeout;
    d->engine = d->line->once ? resolver_system() : resolver_rows_engine(rows);
    d->known = d->engine ? known_get(d->engine, d->line) : NULL;
    if (!d->known)
        return;
    if (d->known->heard)
        apply(d);
    ask(d);
}

static void end(void *data)
{
    struct discovery *d = data;

    timer_cancel(&d->timer);
    if (d->resolve)
        resolve_end(d->resolve);
    known_unref(d->known);
    resolver_unref(d->engine);
}

/* "http" is _http._tcp of the host; what has a dot in it stands as it is. */
static struct str service_name(struct arena *a, const struct discovery_line *line)
{
    if (line->service.len == 0)
        return line->host;
    return arena_printf(a, str_index(line->service, '.') < 0 ? "_%.*s._tcp.%.*s" : "%.*s.%.*s",
                        STR_ARG(line->service), STR_ARG(line->host));
}

void discovery_add(struct setting *s, struct discovery_line *line)
{
    struct discovery *d = ARENA_NEW(setting_arena(s), struct discovery);

    d->line = line;
    d->block = s->block;
    d->name = service_name(setting_arena(s), line);
    timer_init(&d->timer, on_timer);
    generation_on_use(s->config->generation, begin, d);
    generation_cleanup(s->config->generation, end, d);
}
