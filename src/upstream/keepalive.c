/*
 * keepalive: see keepalive.h.
 */
#include "upstream/keepalive.h"

#include <stdlib.h>

#include "base/clock.h"
#include "config/types.h"
#include "upstream/upstream.h"

struct idle_pool {
    struct list all;                   /* in the list of pools */
    struct list idle;                  /* the last used first */
    unsigned count, references;
    size_t name_len;
    char name[];
};

const struct keepalive_conf keepalive_initial = {
    .connections = 32, .local = true, .requests = 1000, .time = 3600000, .timeout = 60000,
};

static struct list pools = { &pools, &pools };

static void unref(void *data)
{
    struct idle_pool *pool = data;

    if (--pool->references)
        return;
    while (!list_empty(&pool->idle))
        link_close(CONTAINER(pool->idle.next, struct link, place));
    list_remove(&pool->all);
    free(pool);
}

static struct idle_pool *find(struct str name)
{
    LIST_EACH(node, &pools) {
        struct idle_pool *pool = CONTAINER(node, struct idle_pool, all);
        if (str_eq((struct str){ pool->name, pool->name_len }, name))
            return pool;
    }
    return NULL;
}

struct idle_pool *keepalive_pool(struct generation *g, struct str name)
{
    struct idle_pool *pool = find(name);

    if (!pool) {
        pool = calloc(1, sizeof *pool + name.len);
        if (!pool)
            return NULL;
        memcpy(pool->name, name.data, name.len);
        pool->name_len = name.len;
        list_init(&pool->idle);
        list_push(&pools, &pool->all);
    }
    pool->references++;
    generation_cleanup(g, unref, pool);
    return pool;
}

struct link *keepalive_take(struct idle_pool *pool, const struct address *to, uint32_t key,
                            void (*wake)(void *owner), void *owner)
{
    LIST_EACH(node, &pool->idle) {
        struct link *l = CONTAINER(node, struct link, place);
        if (l->key != key || !address_eq(&l->address, to))
            continue;
        keepalive_forget(l);
        connection_set_idle(&l->connection, false);
        timer_cancel(&l->connection.timer);
        l->state = LINK_BUSY;
        l->reused = true;
        l->timed_out = false;
        l->wake = wake;
        l->owner = owner;
        return l;
    }
    return NULL;
}

/* Bytes behind a response belong to nobody: they spoil the connection. */
static bool is_silent(struct link *l)
{
    char byte;

    return !(l->connection.watch.ready & (READY_ERROR | READY_EOF)) &&
           link_recv(l, &byte, 1) == IO_AGAIN;
}

static bool keeps(const struct idle_pool *pool, const struct keepalive_conf *conf, struct link *l)
{
    return pool && conf->connections && conf->timeout && !l->drain && !l->end && l->requests < conf->requests &&
           clock_ms() - l->start_ms < conf->time && is_silent(l);
}

void keepalive_give(struct idle_pool *pool, const struct keepalive_conf *conf, struct link *l)
{
    l->requests++;
    if (!keeps(pool, conf, l)) {
        link_close(l);
        return;
    }
    if (pool->count >= conf->connections)
        link_close(CONTAINER(pool->idle.prev, struct link, place));
    l->state = LINK_IDLE;
    l->pool = pool;
    l->owner = NULL;
    list_push_front(&pool->idle, &l->place);
    pool->count++;
    connection_set_idle(&l->connection, true);
    timer_set(&l->connection.timer, conf->timeout);
}

void keepalive_forget(struct link *l)
{
    list_remove(&l->place);
    l->pool->count--;
    l->pool = NULL;
}

/* ---- directives ---- */

static struct keepalive_conf *conf_of(const struct setting *s)
{
    return &((struct upstream *)s->block->object)->keepalive;
}

static bool parse_keepalive(struct setting *s, void *field)
{
    struct keepalive_conf *conf = conf_of(s);

    (void)field;
    if (!str_to_uint(setting_arg(s, 1), UINT32_MAX, &conf->connections))
        return setting_invalid(s, 1);
    conf->local = false;
    if (s->node->count > 2) {
        if (!str_eq(setting_arg(s, 2), STR("local")))
            return setting_error(s, 2, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, 2)));
        conf->local = true;
    }
    return true;
}

static bool parse_requests(struct setting *s, void *field)
{
    (void)field;
    return str_to_uint(setting_arg(s, 1), UINT32_MAX, &conf_of(s)->requests) ||
           setting_invalid(s, 1);
}

static bool parse_life(struct setting *s, void *field)
{
    (void)field;
    return parse_time(setting_arg(s, 1), &conf_of(s)->time) || setting_invalid(s, 1);
}

static bool parse_timeout(struct setting *s, void *field)
{
    (void)field;
    return parse_time(setting_arg(s, 1), &conf_of(s)->timeout) || setting_invalid(s, 1);
}

static const struct type type_keepalive = {
    "connections [local]", "a number, and perhaps local", parse_keepalive, NULL,
};
static const struct type type_requests = {
    "number", "a number", parse_requests, NULL,
};
static const struct type type_life = { "time", "a time", parse_life, NULL };
static const struct type type_timeout = { "time", "a time", parse_timeout, NULL };

static const struct directive rows[] = {
    { "keepalive", IN_UPSTREAM, ARGS_RANGE(1, 2), &type_keepalive, .default_text = "32 local",
      .help = "How many idle connections each worker keeps for this group; with local, only for the "
              "location that opened them. 0 keeps none." },
    { "keepalive_requests", IN_UPSTREAM, ARGS(1), &type_requests, .default_text = "1000",
      .help = "How many requests a connection to a server of the group may serve." },
    { "keepalive_time", IN_UPSTREAM, ARGS(1), &type_life, .default_text = "1h",
      .help = "How long a connection to a server of the group may be used." },
    { "keepalive_timeout", IN_UPSTREAM, ARGS(1), &type_timeout, .default_text = "60s",
      .help = "How long an idle connection to a server of the group is kept." },
    { 0 },
};

struct module http_upstream_keepalive_module = {
    .name = "ngx_http_upstream_keepalive_module", .directives = rows,
};
