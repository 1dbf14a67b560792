/*
 * thread_pools: see thread_pools.h.
 */
#include "config/thread_pools.h"

#include "config/resolve.h"

enum { DEFAULT_THREADS = 32, DEFAULT_MAX_QUEUE = 65536 };

struct pool_list {
    struct pool_conf *items;
    unsigned count, room;
};

struct thread_pools_conf {
    struct pool_list pools;
};

static const struct pool_conf default_pool = { STR_INIT("default"), DEFAULT_THREADS,
                                               DEFAULT_MAX_QUEUE };

const struct pool_conf *thread_pools_find(const struct generation *g, struct str name)
{
    const struct thread_pools_conf *conf = CONF(g->main->conf, thread_pools_module);

    for (unsigned i = 0; i < conf->pools.count; i++) {
        if (str_eq(conf->pools.items[i].name, name))
            return &conf->pools.items[i];
    }
    return str_eq(name, default_pool.name) ? &default_pool : NULL;
}

static bool parse_pool_argument(struct setting *s, unsigned i, struct pool_conf *pool)
{
    struct str arg = setting_arg(s, i);

    if (str_starts(arg, STR("threads=")))
        return (str_to_uint(str_from(arg, 8), 65535, &pool->threads) && pool->threads > 0) ||
               setting_error(s, i, "invalid threads value \"%.*s\"", STR_ARG(arg));
    if (str_starts(arg, STR("max_queue=")))
        return str_to_uint(str_from(arg, 10), UINT32_MAX / 2, &pool->max_queue) ||
               setting_error(s, i, "invalid max_queue value \"%.*s\"", STR_ARG(arg));
    return setting_error(s, i, "invalid parameter \"%.*s\"", STR_ARG(arg));
}

static bool parse_pool(struct setting *s, void *field)
{
    struct pool_list *pools = field;
    struct pool_conf pool = { .name = arena_str(setting_arena(s), setting_arg(s, 1)),
                              .max_queue = DEFAULT_MAX_QUEUE };

    for (unsigned i = 0; i < pools->count; i++) {
        if (str_eq(pools->items[i].name, pool.name))
            return setting_error(s, 1, "duplicate thread pool \"%.*s\"", STR_ARG(pool.name));
    }
    for (unsigned i = 2; i < s->node->count; i++) {
        if (!parse_pool_argument(s, i, &pool))
            return false;
    }
    if (pool.threads == 0 && !str_eq(pool.name, STR("default")))
        return setting_error(s, 0, "\"thread_pool\" directive misses \"threads\" for \"%.*s\"",
                             STR_ARG(pool.name));
    if (pool.threads == 0)
        pool.threads = DEFAULT_THREADS;
    *ARRAY_PUSH(pools, setting_arena(s)) = pool;
    return true;
}

static void print_pools(const struct directive *row, const void *field, struct out *o)
{
    const struct pool_list *pools = field;

    (void)row;
    for (unsigned i = 0; i < pools->count; i++) {
        const struct pool_conf *p = &pools->items[i];

        out_printf(o, "%s%.*s threads=%u max_queue=%u", i ? "; " : "", STR_ARG(p->name),
                   p->threads, p->max_queue);
    }
}

static const struct type type_pool = {
    .name = "name threads=number [max_queue=number]",
    .expected = "threads=number or max_queue=number",
    .parse = parse_pool,
    .print = print_pools,
};

static const struct directive rows[] = {
    { "thread_pool", IN_MAIN, ARGS_RANGE(2, 3), .type = &type_pool,
      FIELD(struct thread_pools_conf, pools), .flags = REPEATS,
      .default_text = "default threads=32 max_queue=65536",
      .help = "A pool of threads for reading and sending files (aio threads)." },
    { 0 },
};

struct module thread_pools_module = {
    .name = "ngx_core_module",
    .directives = rows,
    .conf_size = sizeof(struct thread_pools_conf),
};
