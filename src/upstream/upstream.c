/*
 * upstream: see upstream.h.
 */
#include "upstream/upstream.h"

#include "base/digest/hex.h"
#include "base/digest/md5.h"
#include "config/listen_words.h"
#include "config/names.h"
#include "config/types.h"
#include "upstream/balance.h"
#include "upstream/discovery.h"
#include "upstream/peers.h"
#include "upstream/shared_peers.h"
#include "upstream/state_file.h"

struct upstreams {
    ARRAY(struct upstream *) list;
};

struct upstream_conf {
    struct upstreams *all;             /* of the engine's block: made where it begins */
};

static struct upstreams *all_of(const struct setting *s)
{
    return ((struct upstream_conf *)CONF(s->block->conf, http_upstream_module))->all;
}

const struct upstreams *upstream_all(const struct setting *s)
{
    return all_of(s);
}

/* ---- peers ---- */

/* What a client that is bound to the peer carries: the same in all workers, and after a reload. */
static struct str sid_of(struct arena *a, struct str name)
{
    unsigned char digest[MD5_SIZE];
    struct out o = out_growing(a, UPSTREAM_SID_MAX);

    md5(name, digest);
    hex_encode(&o, (struct str){ (const char *)digest, sizeof digest });
    return out_str_of(&o);
}

void upstream_init_state(const struct upstream_peer *peer, struct upstream_peer_state *state)
{
    *state = (struct upstream_peer_state){ .effective = peer->weight };
    state->bars = (peer->down ? PEER_DOWN : 0u) | (peer->drain ? PEER_DRAINING : 0u);
    state->configured = state->bars;
}

static void add_peer(struct arena *a, struct upstream_peers *peers, const struct upstream_peer *model,
                     const struct address *address)
{
    struct upstream_peer *p = ARRAY_PUSH(&peers->list, a);
    struct out o = out_growing(a, 256);

    *p = *model;
    p->address = *address;
    address_put(&o, address);
    p->name = out_str_of(&o);
    p->sid = p->sid.len ? p->sid : sid_of(a, p->name);
    p->state = ARENA_NEW(a, struct upstream_peer_state);
    upstream_init_state(p, p->state);
    peers->total_weight += p->weight;
    peers->tries += !p->down;
}

/* All addresses of a name.  false: it has none now. */
static bool add_name(struct setting *s, struct upstream_peers *peers,
                     const struct upstream_peer *model, struct str host, unsigned port)
{
    struct names_found found;

    if (!names_find(s, host, port, &found))
        return false;
    for (unsigned i = 0; i < found.count; i++)
        add_peer(setting_arena(s), peers, model, &found.items[i]);
    return true;
}

static bool read_literal(struct str host, unsigned port, struct address *a)
{
    return str_starts(host, STR("unix:")) ? address_parse_unix(host, a)
                                          : address_parse_ip(host, port, a);
}

/* What a line `server` says, or an implied group. */
struct server_words {
    struct upstream_peer model;        /* what its peers have in common */
    struct str host, service;
    unsigned port;                     /* 0: none is written */
    bool backup, resolve;
};

static void watch_name(struct setting *s, struct upstream *u, const struct server_words *w)
{
    struct arena *a = setting_arena(s);
    struct discovery_line *line = ARENA_NEW(a, struct discovery_line);
    struct upstream_peer *model = ARENA_NEW(a, struct upstream_peer);

    *model = w->model;
    *line = (struct discovery_line){
        .group = u, .host = arena_str(a, w->host), .service = arena_str(a, w->service),
        .port = w->port, .backup = w->backup, .once = !w->resolve, .model = model,
        .number = w->model.line,
    };
    *ARRAY_PUSH(&u->watched, a) = line;
    discovery_add(s, line);
}

/* A host of words, a literal address or "unix:/path", becomes peers; a name that has none yet is asked
 * for while the group is in use. */
static void add_host(struct setting *s, unsigned word, struct upstream *u, struct server_words *w)
{
    struct upstream_peers *peers = w->backup ? &u->backup : &u->primary;
    struct address a;

    w->model.line = ++u->lines;
    if (read_literal(w->host, w->port, &a)) {
        add_peer(setting_arena(s), peers, &w->model, &a);
        return;
    }
    if (!w->resolve && add_name(s, peers, &w->model, w->host, w->port))
        return;
    if (!w->resolve)
        setting_warn(s, word, "host not found in upstream \"%.*s\", requests for it get 502 until it is",
                     STR_ARG(w->host));
    watch_name(s, u, w);
}

/* ---- groups ---- */

static void end_group(void *data)
{
    struct upstream *u = data;

    upstream_lock(u);
    peers_fini(&u->primary);
    peers_fini(&u->backup);
    upstream_unlock(u);
}

static struct upstream *new_group(struct setting *s, struct str name, unsigned port)
{
    struct arena *a = setting_arena(s);
    struct upstream *u = ARENA_NEW(a, struct upstream);

    u->name = arena_str(a, name);
    u->port = port;
    u->balancer = &balancer_round_robin;
    *ARRAY_PUSH(&all_of(s)->list, a) = u;
    generation_cleanup(s->config->generation, end_group, u);
    return u;
}

/* Idle connections are kept for blocks alone: who names an address has not said that it may be so. */
static struct upstream *new_block(struct setting *s, struct str name)
{
    struct upstream *u = new_group(s, name, 0);

    u->is_block = true;
    u->keepalive = keepalive_initial;
    u->pool = keepalive_pool(s->config->generation, u->name);
    return u;
}

struct upstream *upstream_find(const struct upstreams *all, struct str host, unsigned port,
                               unsigned default_port)
{
    for (unsigned i = 0; i < all->list.count; i++) {
        struct upstream *u = all->list.items[i];
        bool fits = u->is_block ? port == 0 : u->port == (port ? port : default_port);
        if (fits && str_eq_nocase(u->name, host))
            return u;
    }
    return NULL;
}

/* Whether a block of that name stands anywhere in the engine's block: it may come later. */
static bool block_comes(const struct setting *s, struct str name)
{
    const struct block *b = s->block;

    while (b && b->context != IN_HTTP && b->context != IN_STREAM)
        b = b->parent;
    for (const struct node *n = b && b->node ? b->node->children : NULL; n; n = n->next) {
        if (n->count == 2 && str_eq(n->words[0].text, STR("upstream")) &&
            str_eq_nocase(n->words[1].text, name))
            return true;
    }
    return false;
}

struct upstream *upstream_use(struct setting *s, unsigned word, struct str host, unsigned port,
                              unsigned default_port)
{
    struct upstream *u = upstream_find(all_of(s), host, port, default_port);

    if (u)
        return u;
    if (port == 0 && block_comes(s, host)) {
        return new_block(s, host);
    }
    if (host.len == 0) {
        setting_error(s, word, "no host in upstream \"%.*s\"", STR_ARG(setting_arg(s, word)));
        return NULL;
    }
    u = new_group(s, host, port ? port : default_port);
    add_host(s, word, u, &(struct server_words){
        .model = { .weight = 1, .max_fails = 1, .fail_timeout = 10, .server = u->name },
        .host = u->name, .port = u->port });
    return u;
}

void upstream_add_address(struct arena *arena, struct upstream *u, const struct address *address)
{
    struct upstream_peer model = {
        .weight = 1, .max_fails = 1, .fail_timeout = 10, .server = u->name,
    };

    add_peer(arena, &u->primary, &model, address);
}

struct upstream *upstream_by_name(struct arena *arena, struct str host, unsigned port)
{
    struct upstream *u = ARENA_NEW(arena, struct upstream);

    u->name = host;
    u->port = port;
    u->balancer = &balancer_round_robin;
    u->by_name = true;
    return u;
}

struct upstream *upstream_literal(struct arena *arena, struct str host, unsigned port)
{
    struct address a;

    if (!read_literal(host, port, &a))
        return NULL;
    struct upstream *u = upstream_by_name(arena, host, port);
    u->by_name = false;
    upstream_add_address(arena, u, &a);
    return u;
}

/* ---- the block ---- */

bool upstream_set_balancer(struct setting *s, const struct balancer *b, const void *conf)
{
    struct upstream *u = s->block->object;

    if (u->balancer != &balancer_round_robin)
        return setting_error(s, 0, "load balancing method redefined");
    u->balancer = b;
    u->balancer_conf = conf;
    return true;
}

static bool open_upstream(struct setting *s)
{
    struct str name = setting_arg(s, 1);
    struct upstream *u = upstream_find(all_of(s), name, 0, 0);

    if (u && u->place.data)
        return setting_error_hint(s, 1, u->place, "duplicate upstream \"%.*s\"", STR_ARG(name));
    if (!u)
        u = new_block(s, name);
    u->place = setting_place(s);
    config_block(s, IN_UPSTREAM, u);
    if (!tree_find(s->node->children, STR("server")) && !tree_find(s->node->children, STR("state")))
        return setting_error(s, 0, "no servers are inside upstream");
    return shared_peers_check(s, u);
}

/* "name=" at the start of a word: gives what follows. */
static bool is_option(struct str word, const char *name, struct str *value)
{
    struct str prefix = str_of(name);

    *value = word.len >= prefix.len ? str_from(word, prefix.len) : STR("");
    return str_starts(word, prefix);
}

static bool server_option(struct setting *s, unsigned i, struct server_words *w)
{
    struct upstream_peer *model = &w->model;
    struct str word = setting_arg(s, i), value;
    bool good = true;

    if (is_option(word, "weight=", &value))
        good = str_to_uint(value, INT32_MAX, &model->weight) && model->weight > 0;
    else if (is_option(word, "max_conns=", &value))
        good = str_to_uint(value, INT32_MAX, &model->max_conns);
    else if (is_option(word, "max_fails=", &value))
        good = str_to_uint(value, INT32_MAX, &model->max_fails);
    else if (is_option(word, "fail_timeout=", &value))
        good = parse_seconds(value, &model->fail_timeout);
    else if (is_option(word, "slow_start=", &value))
        good = parse_time(value, &model->slow_start);
    else if (is_option(word, "route=", &value)) {
        good = value.len > 0 && value.len <= UPSTREAM_SID_MAX;
        model->routed = true;
        model->sid = arena_str(setting_arena(s), value);
    } else if (is_option(word, "service=", &value)) {
        good = value.len > 0;
        w->service = value;
    } else if (str_eq(word, STR("resolve")))
        w->resolve = true;
    else if (str_eq(word, STR("backup")))
        w->backup = true;
    else if (str_eq(word, STR("drain")))
        model->drain = true;
    else if (str_eq(word, STR("down")))
        model->down = true;
    else
        good = false;
    return good || setting_error(s, i, "invalid parameter \"%.*s\"", STR_ARG(word));
}

/* "host", "host:port" or "[ip]:port"; unix sockets have none. */
static bool split_port(struct str text, struct str *host, unsigned *port)
{
    ptrdiff_t colon = str_rindex(text, ':'), bracket = str_rindex(text, ']');

    *host = text;
    if (colon <= bracket || str_starts(text, STR("unix:")))
        return text.len > 0;
    *host = str_first(text, (size_t)colon);
    return host->len > 0 && str_to_uint(str_from(text, (size_t)colon + 1), 65535, port) && *port > 0;
}

static bool check_server(struct setting *s, const struct balancer *b, const struct server_words *w)
{
    if (w->backup && !b->backup)
        return setting_error(s, 0, "balancing method does not support parameter \"backup\"");
    if (w->model.slow_start && !b->slow_start)
        return setting_error(s, 0, "balancing method does not support parameter \"slow_start\"");
    if (w->service.len && !w->resolve)
        return setting_error(s, 1, "service upstream \"%.*s\" requires \"resolve\" parameter",
                             STR_ARG(setting_arg(s, 1)));
    if (w->service.len && w->port)
        return setting_error(s, 1, "service upstream \"%.*s\" may not have port",
                             STR_ARG(setting_arg(s, 1)));
    return true;
}

bool upstream_parse_server(struct setting *s)
{
    struct upstream *u = s->block->object;
    struct server_words w = { .model = { .weight = 1, .max_fails = 1, .fail_timeout = 10 } };

    for (unsigned i = 2; i < s->node->count; i++) {
        if (!server_option(s, i, &w))
            return false;
    }
    if (!split_port(setting_arg(s, 1), &w.host, &w.port))
        return setting_error(s, 1, "invalid address in upstream \"%.*s\"",
                             STR_ARG(setting_arg(s, 1)));
    if (!check_server(s, u->balancer, &w))
        return false;
    w.port = w.port ? w.port : 80;
    w.model.server = arena_str(setting_arena(s), setting_arg(s, 1));
    add_host(s, 1, u, &w);
    return true;
}

static bool parse_server(struct setting *s, void *field)
{
    const struct upstream *u = s->block->object;

    (void)field;
    if (u->state_path.len)
        return setting_error(s, 0, "\"server\" may not stand beside \"state\"");
    return upstream_parse_server(s);
}

static const struct type type_server = {
    "address [parameters]", "an address, and parameters", parse_server, NULL,
};

/* Where the engine's block begins: its groups, however deep they are used. */
static bool finish(struct setting *s, void *conf)
{
    ((struct upstream_conf *)conf)->all = ARENA_NEW(setting_arena(s), struct upstreams);
    return true;
}

static const struct directive rows[] = {
    { "upstream", IN_HTTP, ARGS(1), NULL, .open = open_upstream, .syntax = "name { ... }",
      .flags = REPEATS, .help = "A group of servers that requests are passed to by its name." },
    { "server", IN_UPSTREAM, ARGS_RANGE(1, ARGS_ANY), &type_server, .flags = REPEATS,
      .syntax = "address [weight=number] [max_conns=number] [max_fails=number] "
                "[fail_timeout=time] [slow_start=time] [route=string] [backup] [down] [drain] "
                "[resolve] [service=name]",
      .help = "A server of the group: an address, a name with all its addresses, or unix:path. With "
              "resolve the name is asked for again when its time is over; service= takes ports and "
              "weights from its SRV records." },
    { "state", IN_UPSTREAM, ARGS(1), &type_state_file,
      .help = "A file of the group's servers, in the place of lines server: what is changed of them while "
              "the daemon runs is written there." },
    { 0 },
};

struct module http_upstream_module = {
    .name = "ngx_http_upstream_module",
    .directives = rows,
    .conf_size = sizeof(struct upstream_conf),
    .finish = finish,
};
