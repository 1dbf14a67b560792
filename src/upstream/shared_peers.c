/*
 * shared_peers: see shared_peers.h.  A record lives as long as some process has a share in it; what
 * a dead process has left there is given back by the one that takes its place.
 */
#include "upstream/shared_peers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/types.h"
#include "config/zone_words.h"
#include "upstream/health.h"
#include "upstream/peers.h"

struct record {
    struct record *next;
    struct peer_share *shares;
    struct upstream_peer_state state;
    uint32_t hash, len;
    char key[];
};

/* What a process, for one of its generations, has to do with a peer. */
struct peer_share {
    struct peer_share *next;
    struct record *record;
    pid_t pid;
    unsigned conns;
};

/* The root of a zone. */
struct board {
    struct record *records;
    struct shared_duty duty;
};

enum { KEY_MAX = 1024 };

static bool init_zone(struct zone *z, void *data)
{
    struct board *b = zone_alloc(z, sizeof *b);

    (void)data;
    if (!b)
        return false;
    *b = (struct board){ 0 };
    zone_set_root(z, b);
    return true;
}

static struct board *board_of(const struct shared_peers *shared)
{
    return zone_root(shared->spec->zone);
}

struct shared_duty *shared_peers_duty(const struct shared_peers *shared)
{
    return &board_of(shared)->duty;
}

/* ---- records ---- */

static bool is_namesake(const struct upstream_peer *a, const struct upstream_peer *b)
{
    return str_eq(a->name, b->name) && str_eq(a->server, b->server);
}

/* Group, list, server and address; the same written twice is told apart by a number. */
static void put_key(struct out *o, const struct upstream *u, const struct upstream_peers *peers,
                    const struct upstream_peer *p)
{
    unsigned namesakes = 0;

    for (unsigned i = 0; i < peers->list.count && &peers->list.items[i] != p && !p->found; i++)
        namesakes += is_namesake(&peers->list.items[i], p);
    out_str(o, u->name);
    out_printf(o, peers == &u->backup ? "%cb%u%c" : "%cp%u%c", '\0', namesakes, '\0');
    out_str(o, p->server);
    out_char(o, '\0');
    out_str(o, p->name);
}

static struct record *find(const struct board *b, struct str key)
{
    uint32_t hash = str_hash(key);

    for (struct record *r = b->records; r; r = r->next) {
        if (r->hash == hash && str_eq((struct str){ r->key, r->len }, key))
            return r;
    }
    return NULL;
}

static struct record *add(struct zone *z, struct board *b, const struct upstream_peer *p,
                          struct str key)
{
    struct record *r = zone_alloc(z, sizeof *r + key.len);

    if (!r)
        return NULL;
    *r = (struct record){ .next = b->records, .hash = str_hash(key), .len = (uint32_t)key.len };
    memcpy(r->key, key.data, key.len);
    upstream_init_state(p, &r->state);
    b->records = r;
    return r;
}

/* Which of the group's health checks must be passed first, for a peer that is new, or for all
 * where the configuration is.  What checks found that are none any more is forgotten. */
static void prepare_checks(struct upstream_peer_state *state, const struct upstream *u, bool known)
{
    unsigned number = u->shared->generation->number, all = (1u << u->checks) - 1;

    state->failing &= all;
    state->unchecked &= u->mandatory;
    if (!known)
        state->unchecked = u->mandatory;
    else if (state->generation != number)
        state->unchecked |= u->mandatory & ~(u->persistent & ~state->failing);
    state->generation = number;
    health_set_bars(state);
}

/* What the configuration says now counts where it says something else than before; otherwise
 * what a person or a health check has said since. */
static void adapt(struct upstream_peer_state *state, const struct upstream_peer *p)
{
    struct upstream_peer_state fresh;

    upstream_init_state(p, &fresh);
    if (state->configured != fresh.configured) {
        state->bars = (state->bars & ~state->configured) | fresh.configured;
        state->configured = fresh.configured;
    }
    if (state->effective > p->weight)
        state->effective = p->weight;
}

static void drop_record(struct zone *z, struct board *b, struct record *r)
{
    struct record **link = &b->records;

    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    zone_free(z, r);
}

static void drop_share(struct zone *z, struct peer_share **link)
{
    struct peer_share *share = *link;

    struct upstream_peer_state *state = &share->record->state;

    if (share->conns) {                        /* when each began nobody knows: in the mean */
        state->starts -= state->starts / state->conns * share->conns;
        state->conns -= share->conns;
    }
    *link = share->next;
    zone_free(z, share);
}

/* ---- a peer and its record ---- */

static bool join(struct zone *z, struct peer_seat *seat, const struct upstream_peer *p,
                 struct str key)
{
    struct board *b = zone_root(z);
    struct record *r = find(b, key);
    struct peer_share *share = zone_alloc(z, sizeof *share);
    bool known = r != NULL;

    if (share && !r)
        r = add(z, b, p, key);
    if (!share || !r) {
        if (share)
            zone_free(z, share);
        return false;
    }
    *share = (struct peer_share){
        .next = r->shares, .record = r, .pid = getpid(), .conns = seat->conns,
    };
    r->shares = share;
    if (known)
        adapt(&r->state, p);
    prepare_checks(&r->state, seat->shared->group, known);
    seat->share = share;
    seat->state = &r->state;
    return true;
}

static void join_or_stay_alone(struct peer_seat *seat, const struct upstream *u,
                               const struct upstream_peers *peers, const struct upstream_peer *p)
{
    struct shared_peers *shared = seat->shared;
    char space[KEY_MAX];
    struct out key = out_fixed(space, sizeof space);

    put_key(&key, u, peers, p);
    seat->epoch = shared->epoch;
    seat->share = NULL;
    if (!join(shared->spec->zone, seat, p, out_str_of(&key))) {
        seat->state = &seat->own;
        upstream_init_state(p, seat->state);
        log_note(LOG_LEVEL_ERROR, 0, "zone \"%.*s\" is full: server %.*s of upstream \"%.*s\" is "
                 "known to each worker for itself alone", STR_ARG(shared->spec->name),
                 STR_ARG(p->name), STR_ARG(u->name));
    }
    seat->state->conns += seat->conns;         /* under way when a zone was emptied */
    seat->state->starts += seat->conns * clock_ms();
}

static void attach_to(struct upstream *u, const struct upstream_peers *peers,
                      struct upstream_peer *p)
{
    struct peer_seat *seat = p->seat;

    if (!seat) {
        seat = p->seat = calloc(1, sizeof *seat);
        if (!seat)
            return;
        seat->shared = u->shared;
    }
    if (!seat->state || seat->epoch != u->shared->epoch)
        join_or_stay_alone(seat, u, peers, p);
    p->state = seat->state;
}

void shared_peers_attach(struct upstream *u, const struct upstream_peers *peers,
                         struct upstream_peer *p)
{
    if (u->shared && u->shared->in_use)
        attach_to(u, peers, p);
}

void shared_peers_detach(struct peer_seat *seat)
{
    if (!seat)
        return;
    if (seat->share) {
        struct zone *z = seat->shared->spec->zone;
        struct record *r = seat->share->record;
        struct peer_share **link = &r->shares;
        while (*link != seat->share)
            link = &(*link)->next;
        drop_share(z, link);
        if (!r->shares)
            drop_record(z, zone_root(z), r);
    }
    free(seat);
}

void shared_peers_counted(struct peer_seat *seat, int more)
{
    seat->conns += (unsigned)more;
    if (seat->share)
        seat->share->conns = seat->conns;
}

/* Gives back what processes that are gone have left. */
static void bury(struct zone *z, struct board *b)
{
    for (struct record *r = b->records, *next; r; r = next) {
        next = r->next;
        for (struct peer_share **link = &r->shares; *link;) {
            if (kill((*link)->pid, 0) < 0 && errno == ESRCH)
                drop_share(z, link);
            else
                link = &(*link)->next;
        }
        if (!r->shares)
            drop_record(z, b, r);
    }
}

struct visit {
    struct upstream *group;
    const struct upstream_peers *peers;
};

static void visit_attach(struct upstream_peer *p, void *data)
{
    const struct visit *v = data;

    attach_to(v->group, v->peers, p);
}

static void attach_all(struct upstream *u)
{
    struct visit primary = { u, &u->primary }, backup = { u, &u->backup };

    peers_each(&u->primary, visit_attach, &primary);
    peers_each(&u->backup, visit_attach, &backup);
}

/* ---- the lock ---- */

void shared_peers_lock(struct shared_peers *shared)
{
    struct zone *z = shared->spec->zone;

    if (!shared->in_use)
        return;
    zone_lock(z);
    if (shared->epoch == zone_epoch(z))
        return;
    shared->epoch = zone_epoch(z);             /* it was emptied: all is looked up anew */
    attach_all(shared->group);
}

void shared_peers_unlock(struct shared_peers *shared)
{
    if (shared->in_use)
        zone_unlock(shared->spec->zone);
}

/* Where a worker begins to use the generation: first the dead are buried, after that its peers
 * are those in the zone.  The others do not begin before the zone has peers again, so all of
 * them find the same. */
static void begin(void *data)
{
    struct shared_peers *shared = data;
    struct zone *z = shared->spec->zone;

    zone_lock(z);
    shared->in_use = true;
    shared->epoch = zone_epoch(z);
    attach_all(shared->group);
    bury(z, zone_root(z));
    zone_unlock(z);
}

/* Peers that were found have seats of their own, which go with them. */
static void leave(struct upstream_peer *p, void *data)
{
    (void)data;
    if (p->found || !p->seat)
        return;
    shared_peers_detach(p->seat);
    p->seat = NULL;
}

static void end(void *data)
{
    struct shared_peers *shared = data;
    struct upstream *u = shared->group;

    shared_peers_lock(shared);
    peers_each(&u->primary, leave, NULL);
    peers_each(&u->backup, leave, NULL);
    shared_peers_unlock(shared);
}

/* ---- the directive ---- */

/* Of what is kept of a zone's line while the tree is resolved. */
struct demand {
    size_t bytes;                      /* for all groups so far */
    unsigned peers;
};

enum { SHARES_COUNTED = 8, PAGE = 4096, PARTIAL_PAGES = 4 };

static void add_demand(struct demand *d, const struct upstream *u,
                       const struct upstream_peers *peers)
{
    char space[KEY_MAX];

    for (unsigned i = 0; i < peers->list.count; i++) {
        struct out key = out_fixed(space, sizeof space);
        put_key(&key, u, peers, &peers->list.items[i]);
        d->bytes += (sizeof(struct record) + out_len(&key)) * 5 / 4 +  /* slots are larger */
                    SHARES_COUNTED * sizeof(struct peer_share);
        d->peers++;
    }
}

bool shared_peers_check(struct setting *s, const struct upstream *u)
{
    struct zone_spec *spec = u->shared ? u->shared->spec : NULL;

    if (!spec)
        return true;
    struct demand *d = spec->data;
    add_demand(d, u, &u->primary);
    add_demand(d, u, &u->backup);
    size_t needed = (d->bytes / PAGE + 1 + PARTIAL_PAGES) * PAGE;
    if (!spec->size || needed <= spec->size)
        return true;
    struct setting place = *s;
    place.node = u->shared->node;
    return setting_error(&place, 1, "zone \"%.*s\" is too small: it needs %zuk for %u servers",
                         STR_ARG(spec->name), needed / 1024, d->peers);
}

/* Whether some group of the engine gives the zone a size. */
static bool size_comes(const struct setting *s, struct str name)
{
    for (const struct node *n = s->block->parent->node ? s->block->parent->node->children : NULL; n;
         n = n->next) {
        const struct node *zone = str_eq(n->words[0].text, STR("upstream"))
            ? tree_find(n->children, STR("zone")) : NULL;
        if (zone && zone->count > 2 && str_eq(zone->words[1].text, name))
            return true;
    }
    return false;
}

/* The zone of that name that an earlier line gave a size; NULL: there is none. */
static struct zone_spec *known_zone(const struct generation *g, struct str name, const void *tag)
{
    for (unsigned i = 0; i < g->zones.count; i++) {
        struct zone_spec *spec = g->zones.items[i];
        if (spec->tag == tag && str_eq(spec->name, name))
            return spec;
    }
    return NULL;
}

static struct zone_spec *define_zone(struct setting *s, const void *tag)
{
    struct str name = setting_arg(s, 1);
    size_t size = 0;
    bool sized = s->node->count > 2;
    struct zone_spec *known = sized ? NULL : known_zone(s->config->generation, name, tag);

    if (known)
        return known;
    if (name.len == 0)
        setting_error(s, 1, "invalid zone name \"%.*s\"", STR_ARG(name));
    else if (sized && (!parse_size(setting_arg(s, 2), &size) || size == 0))
        setting_error(s, 2, "invalid zone size \"%.*s\"", STR_ARG(setting_arg(s, 2)));
    else if (sized && size < ZONE_MIN_SIZE)
        setting_error(s, 2, "zone \"%.*s\" is too small: it needs %dk at least", STR_ARG(name),
                      ZONE_MIN_SIZE / 1024);
    else if (!sized && !size_comes(s, name))
        setting_error(s, 1, "zero size shared memory zone \"%.*s\"", STR_ARG(name));
    else
        return zone_words_define(s, 1, name, size, tag);
    return NULL;
}

static bool define(struct setting *s, const void *tag)
{
    struct generation *g = s->config->generation;
    struct upstream *u = s->block->object;
    struct zone_spec *spec = define_zone(s, tag);

    if (!spec)
        return false;
    spec->init = init_zone;
    if (!spec->data)
        spec->data = ARENA_NEW(&g->arena, struct demand);
    u->shared = ARENA_NEW(&g->arena, struct shared_peers);
    *u->shared = (struct shared_peers){
        .spec = spec, .group = u, .generation = g, .node = s->node,
    };
    generation_on_use(g, begin, u->shared);
    generation_cleanup(g, end, u->shared);
    return true;
}

static bool parse_http(struct setting *s, void *field)
{
    static const char tag;             /* tells the zones of the engines apart */

    (void)field;
    return define(s, &tag);
}

static const struct type type_http = {
    "name [size]", "a name, and perhaps a size", parse_http, NULL,
};

static const struct directive http_rows[] = {
    { "zone", IN_UPSTREAM, ARGS_RANGE(1, 2), &type_http,
      .help = "The shared memory in which all workers keep what they know of the group's servers. "
              "It stays over a reload. Several groups may share one, whose size one of them "
              "gives." },
    { 0 },
};

struct module http_upstream_zone_module = {
    .name = "ngx_http_upstream_zone_module", .directives = http_rows,
};
