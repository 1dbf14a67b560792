/*
 * resolver: see resolver.h.  Engines, what they remember, and who waits for it; how a name is looked up is
 * resolver_lookup.c's.
 */
#include "net/resolver.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"
#include "net/resolver_lookup.h"
#include "net/resolver_system.h"

enum {
    BUCKETS = 512,
    MAX_ENTRIES = 10000,               /* names that an engine remembers; the least used go first */
    MAX_UNDER_WAY = 256,               /* names asked for at a time; others wait for their turn */
};

struct resolver {
    unsigned references;
    struct list link;                  /* of all engines */
    struct resolver_conf conf;
    struct name_servers *servers;
    bool system;
    struct list buckets[BUCKETS];
    struct list by_use;                /* entries, the least used first */
    struct list queue;                 /* entries that wait for their turn */
    unsigned entries, under_way;
};

/* A name that is remembered, or asked for. */
struct entry {
    struct list in_bucket, by_use, in_queue;
    struct resolver *resolver;
    uint32_t hash;
    struct list waiting;               /* struct resolve */
    struct found *found;               /* NULL: not known */
    uint64_t expires_ms;               /* clock_ms() */
    bool busy;                         /* the lookup is under way, or in the queue */
    struct lookup lookup;              /* its kind and name are the entry's own */
};

struct resolve {
    struct list link;                  /* in an entry's list, or among those about to be woken */
    struct timer timer;
    struct entry *entry;               /* that it waits for; NULL: it does not */
    struct resolver *resolver;         /* NULL: an inner one, which keeps none alive */
    struct found *found;
    struct resolve_answer answer;
    bool answered;
    void (*wake)(void *owner);
    void *owner;
};

static struct list engines = { &engines, &engines };
static struct resolver *system_engine;

/* ---- engines ---- */

static bool same_conf(const struct resolver_conf *a, const struct resolver_conf *b)
{
    if (a->count != b->count || a->valid != b->valid || a->ipv4 != b->ipv4 || a->ipv6 != b->ipv6)
        return false;
    for (unsigned i = 0; i < a->count; i++) {
        if (!address_eq(&a->servers[i], &b->servers[i]))
            return false;
    }
    return true;
}

static struct resolver *engine_new(const struct resolver_conf *conf)
{
    struct resolver *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->servers = name_servers_new(conf->servers, conf->count);
    if (!r->servers) {
        free(r);
        return NULL;
    }
    r->references = 1;
    r->conf = *conf;
    r->conf.servers = NULL;
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&r->buckets[i]);
    list_init(&r->by_use);
    list_init(&r->queue);
    list_init(&r->link);
    return r;
}

struct resolver *resolver_get(const struct resolver_conf *conf)
{
    struct address *servers = calloc(conf->count, sizeof *servers);
    struct resolver *r;

    LIST_EACH(node, &engines) {
        r = CONTAINER(node, struct resolver, link);
        if (same_conf(&r->conf, conf)) {
            free(servers);
            return resolver_ref(r);
        }
    }
    r = servers ? engine_new(conf) : NULL;
    if (!r) {
        free(servers);
        return NULL;
    }
    memcpy(servers, conf->servers, conf->count * sizeof *servers);
    r->conf.servers = servers;
    list_push(&engines, &r->link);
    return r;
}

/* ---- entries ---- */

static void start_queued(struct resolver *r);

/* A service holds no place: it waits for names that want one. */
static bool counts(const struct entry *e)
{
    return e->busy && list_empty(&e->in_queue) && e->lookup.kind != RESOLVE_SERVICE;
}

static void stop_lookup(struct entry *e)
{
    e->resolver->under_way -= counts(e);
    e->busy = false;
    list_remove(&e->in_queue);
    lookup_fini(&e->lookup);
    name_servers_unref(e->lookup.servers);
}

/* Nobody waits for it any more. */
static void entry_free(struct entry *e)
{
    if (e->busy)
        stop_lookup(e);
    found_unref(e->found);
    list_remove(&e->in_bucket);
    list_remove(&e->by_use);
    e->resolver->entries--;
    free(e);
}

static bool is_idle(const struct entry *e)
{
    return !e->busy && list_empty(&e->waiting);
}

/* Room for one more: two that are out of date go, and where it is full one that is not. */
static void make_room(struct resolver *r)
{
    for (unsigned i = 0; i < 2 && !list_empty(&r->by_use); i++) {
        struct entry *e = CONTAINER(r->by_use.next, struct entry, by_use);
        if (is_idle(e) && (e->expires_ms <= clock_ms() || r->entries >= MAX_ENTRIES))
            entry_free(e);
    }
}

static struct entry *find(struct resolver *r, enum resolve_kind kind, const struct lookup_name *name,
                          uint32_t hash)
{
    LIST_EACH(node, &r->buckets[hash % BUCKETS]) {
        struct entry *e = CONTAINER(node, struct entry, in_bucket);
        if (e->hash == hash && e->lookup.kind == kind &&
            e->lookup.asked.absolute == name->absolute &&
            dns_name_eq(&e->lookup.asked.name, &name->name)) {
            list_remove(&e->by_use);
            list_push(&r->by_use, &e->by_use);
            return e;
        }
    }
    return NULL;
}

static struct entry *entry_new(struct resolver *r, enum resolve_kind kind,
                               const struct lookup_name *name, uint32_t hash)
{
    struct entry *e;

    make_room(r);
    e = r->entries < MAX_ENTRIES ? calloc(1, sizeof *e) : NULL;
    if (!e)
        return NULL;
    e->resolver = r;
    e->hash = hash;
    e->lookup.kind = kind;
    e->lookup.asked = *name;
    list_init(&e->waiting);
    list_init(&e->in_queue);
    list_push(&r->buckets[hash % BUCKETS], &e->in_bucket);
    list_push(&r->by_use, &e->by_use);
    r->entries++;
    return e;
}

/* ---- the system's engine ---- */

static void forget_all(struct resolver *r)
{
    LIST_EACH(node, &r->by_use)
        CONTAINER(node, struct entry, by_use)->expires_ms = 0;
}

static void refresh_system(struct resolver *r)
{
    bool changed;
    const struct system_names *s = system_names(&changed);
    struct name_servers *servers = changed ? name_servers_new(s->servers, s->server_count) : NULL;

    if (!servers)
        return;
    name_servers_unref(r->servers);
    r->servers = servers;
    forget_all(r);
}

/* Never freed: it costs nothing until it is asked. */
struct resolver *resolver_system(void)
{
    struct resolver_conf conf = { .ipv4 = true, .ipv6 = true };

    if (!system_engine)
        system_engine = engine_new(&conf);
    if (!system_engine)
        return NULL;
    system_engine->system = true;
    return resolver_ref(system_engine);
}

static void engine_free(struct resolver *r)
{
    LIST_EACH(node, &r->by_use) {              /* first the services, which wait for others */
        struct entry *e = CONTAINER(node, struct entry, by_use);
        if (e->busy)
            stop_lookup(e);
    }
    while (!list_empty(&r->by_use))
        entry_free(CONTAINER(r->by_use.next, struct entry, by_use));
    list_remove(&r->link);
    name_servers_unref(r->servers);
    free((void *)(uintptr_t)r->conf.servers);
    free(r);
}

struct resolver *resolver_ref(struct resolver *r)
{
    r->references++;
    return r;
}

void resolver_unref(struct resolver *r)
{
    if (r && --r->references == 0)
        engine_free(r);
}

/* ---- answers ---- */

static void fill_answer(struct resolve *q, unsigned code, struct found *f, uint64_t valid)
{
    q->answered = true;
    q->entry = NULL;
    q->answer = (struct resolve_answer){ .code = code, .valid = valid };
    timer_cancel(&q->timer);
    if (!f)
        return;
    q->found = found_ref(f);
    q->answer.items = f->items;
    q->answer.count = f->count;
    q->answer.name = f->name;
}

static bool is_known(const struct entry *e)
{
    return e->found && clock_ms() < e->expires_ms;
}

/* From memory: who asks now begins with another one than who asked before. */
static void answer_from(struct resolve *q, const struct entry *e)
{
    fill_answer(q, 0, e->found, e->expires_ms - clock_ms());
    q->answer.first = q->answer.count ? random_below(q->answer.count) : 0;
}

static void remember(struct entry *e, struct found *f, uint64_t valid)
{
    found_unref(e->found);
    e->found = f ? found_ref(f) : NULL;
    e->expires_ms = clock_ms() + valid;
}

/* The lookup is over.  Everything is in order again before anybody is woken: who wakes may ask again, end
 * other questions, or be the last that held the engine. */
static void on_done(void *owner)
{
    struct entry *e = owner;
    struct resolver *r = e->resolver;
    struct list ready = { &ready, &ready }, *node;

    remember(e, e->lookup.found, e->lookup.valid);
    while ((node = list_pop(&e->waiting))) {
        fill_answer(CONTAINER(node, struct resolve, link), e->lookup.code, e->found,
                    e->lookup.valid);
        list_push(&ready, node);
    }
    stop_lookup(e);
    if (!e->found)
        entry_free(e);
    start_queued(r);
    while ((node = list_pop(&ready))) {
        struct resolve *q = CONTAINER(node, struct resolve, link);
        q->wake(q->owner);
    }
}

/* ---- lookups ---- */

/* A lookup that can't begin ends like one that nobody answers: those who wait have their timers. */
static void begin(struct entry *e)
{
    if (!lookup_begin(&e->lookup))
        stop_lookup(e);
}

static void start_queued(struct resolver *r)
{
    while (r->under_way < MAX_UNDER_WAY && !list_empty(&r->queue)) {
        struct entry *e = CONTAINER(list_pop(&r->queue), struct entry, in_queue);
        r->under_way++;
        begin(e);
    }
}

static void prepare(struct entry *e)
{
    struct resolver *r = e->resolver;

    e->lookup = (struct lookup){
        .resolver = r, .servers = name_servers_ref(r->servers), .conf = &r->conf,
        .system = r->system, .kind = e->lookup.kind, .asked = e->lookup.asked,
        .done = on_done, .owner = e,
    };
    e->busy = true;
}

static void start_lookup(struct entry *e)
{
    struct resolver *r = e->resolver;

    prepare(e);
    if (lookup_at_once(&e->lookup)) {
        remember(e, e->lookup.found, e->lookup.valid);
        r->under_way += counts(e);
        stop_lookup(e);
    } else if (counts(e) && r->under_way >= MAX_UNDER_WAY) {
        list_push(&r->queue, &e->in_queue);
    } else {
        r->under_way += counts(e);
        begin(e);
    }
}

/* ---- who asks ---- */

/* Who waits no more may have been the last. */
static void leave(struct resolve *q)
{
    struct entry *e = q->entry;

    list_remove(&q->link);
    q->entry = NULL;
    if (e && e->busy && list_empty(&e->waiting))
        lookup_abandon(&e->lookup, true);
}

static void on_timeout(struct timer *t)
{
    struct resolve *q = CONTAINER(t, struct resolve, timer);

    leave(q);
    fill_answer(q, RESOLVE_TIMED_OUT, NULL, 0);
    q->wake(q->owner);
}

static struct resolve *resolve_new(void (*wake)(void *owner), void *owner)
{
    struct resolve *q = calloc(1, sizeof *q);

    if (!q)
        return NULL;
    list_init(&q->link);
    timer_init(&q->timer, on_timeout);
    q->wake = wake;
    q->owner = owner;
    return q;
}

static void ask_for(struct resolver *r, struct resolve *q, enum resolve_kind kind,
                    const struct lookup_name *name, uint64_t timeout)
{
    uint32_t hash = str_hash((struct str){ (const char *)name->name.wire, name->name.len });
    struct entry *e;

    if (r->system)
        refresh_system(r);
    e = find(r, kind, name, hash);
    if (!e)
        e = entry_new(r, kind, name, hash);
    if (e && !is_known(e) && !e->busy)
        start_lookup(e);
    if (!e) {
        fill_answer(q, DNS_SERVER_FAILURE, NULL, 0);
    } else if (is_known(e)) {
        answer_from(q, e);
    } else {
        q->entry = e;
        list_push(&e->waiting, &q->link);
        lookup_abandon(&e->lookup, false);
        timer_set(&q->timer, timeout ? timeout : 2 * (uint64_t)ASK_LIMIT);
    }
}

static void answer_literal(struct resolve *q, const struct address *a)
{
    struct found *f = found_new(1, 0);

    if (f) {
        f->items[f->count++].peer = peer_of(a);
        fill_answer(q, 0, f, TIMER_MAX);
        found_unref(f);
    }
}

/* What is to be asked for; false: no name server would know it. */
static bool read_name(enum resolve_kind kind, struct str text, struct lookup_name *n)
{
    struct address a;

    n->absolute = text.len && text.data[text.len - 1] == '.';
    if (kind != RESOLVE_NAME)
        return dns_name_parse(&n->name, text);
    if (!address_parse_ip(text, 0, &a))
        return false;
    struct peer p = peer_of(&a);
    n->absolute = true;
    dns_name_reverse(&n->name, p.ip, p.family == AF_INET6);
    return true;
}

struct resolve *resolve_start(struct resolver *r, enum resolve_kind kind, struct str name,
                              uint64_t timeout, void (*wake)(void *owner), void *owner)
{
    struct resolve *q = resolve_new(wake, owner);
    struct lookup_name n;
    struct address literal;

    if (!q)
        return NULL;
    q->resolver = resolver_ref(r);
    if (kind == RESOLVE_ADDRESSES && address_parse_ip(name, 0, &literal))
        answer_literal(q, &literal);
    else if (read_name(kind, name, &n))
        ask_for(r, q, kind, &n, timeout);
    else
        fill_answer(q, DNS_NOT_FOUND, NULL, TIMER_MAX);
    return q;
}

struct resolve *resolve_start_inner(struct resolver *r, const struct dns_name *name,
                                    void (*wake)(void *owner), void *owner)
{
    struct resolve *q = resolve_new(wake, owner);
    struct lookup_name n = { .name = *name, .absolute = true };

    if (q)
        ask_for(r, q, RESOLVE_ADDRESSES, &n, 0);
    return q;
}

const struct resolve_answer *resolve_answer(const struct resolve *q)
{
    return q->answered ? &q->answer : NULL;
}

void resolve_end(struct resolve *q)
{
    timer_cancel(&q->timer);
    leave(q);
    found_unref(q->found);
    resolver_unref(q->resolver);
    free(q);
}

const char *resolve_code_text(unsigned code)
{
    return code == RESOLVE_TIMED_OUT ? "Operation timed out" : dns_code_text(code);
}
