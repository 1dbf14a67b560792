/*
 * geo: how long a million networks take to load, and how long an address takes to be found.  Prints
 * seconds for the whole load (text to table) and nanoseconds for a look-up.  A first argument is another
 * number of networks.  Build after make:
 *
 *     cc -std=c11 -O2 -Isrc tests/bench/geo.c build/libweir.a -o build/bench-geo
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "script/geo.h"
#include "script/networks.h"
#include "script/template.h"

static struct variables *names;
static uint64_t seed = 88172645463325252u;

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void peer_at_random(const struct script *s, struct peer *p)
{
    const bool *v6 = s->object;
    uint64_t n = random_number();

    p->family = *v6 ? AF_INET6 : AF_INET;
    memcpy(p->ip, &n, sizeof n);
    if (*v6) {
        p->ip[0] = 0x20;
        p->ip[1] &= 15;
        p->ip[4] &= 15;
    }
}

static bool open_http(struct setting *s)
{
    static const struct variables_hooks hooks = { .peer = peer_at_random };

    names = variables_new(setting_arena(s));
    variables_set_hooks(names, &hooks);
    config_set_variables(s->block, names);
    config_block(s, IN_HTTP, NULL);
    return config_end_variables(s);
}

static const struct directive rows[] = {
    { "http", IN_MAIN, ARGS(0), .open = open_http, .help = "A block." },
    { .name = NULL },
};

/* Networks of usual sizes in no order: an odd factor makes each number once. */
static void write_networks(struct out *o, unsigned count, bool v6)
{
    OUT_LITERAL(o, "http { geo $out { default -;\n");
    for (unsigned i = 0; i < count; i++) {
        uint32_t n = i * 0x9e3779b1u;

        if (v6)
            out_printf(o, "20%02x:%x:%x::/40 v%u;\n", n & 15, n >> 4 & 0xffff, n >> 12 & 0xf00,
                       i % 200);
        else
            out_printf(o, "%u.%u.%u.0/24 v%u;\n", n & 255, n >> 8 & 255, n >> 16 & 255, i % 200);
    }
    OUT_LITERAL(o, "} }\n");
}

/* The best of many rounds: what other programs take of the machine is not ours. */
static void measure_lookups(struct generation *g, bool v6)
{
    enum { ROUNDS = 20, LOOKUPS = 100000 };
    const struct variable *var = variables_use(names, STR("out"));
    struct value slots[16];
    struct script s = { .arena = &g->arena, .names = names, .values = slots, .object = &v6 };
    uint64_t found = 0;
    double best = 1;

    for (unsigned round = 0; round < ROUNDS; round++) {
        double start = seconds(), took;

        for (unsigned i = 0; i < LOOKUPS; i++) {
            slots[var->index].state = VALUE_UNSET;
            found += variable_value(&s, var)->data[0] == 'v';
        }
        took = seconds() - start;
        if (took < best)
            best = took;
    }
    printf("  look-up %.0f ns (%.0f%% found)\n", best * 1e9 / LOOKUPS,
           (double)found * 100 / ROUNDS / LOOKUPS);
}

static void measure(unsigned count, bool v6)
{
    struct arena a;
    struct diag diag;
    double start, parsed;

    arena_init(&a);
    diag_init(&diag);

    struct out o = out_growing(&a, (size_t)1 << 31);

    write_networks(&o, count, v6);
    start = seconds();

    struct tree *tree = tree_parse(STR("bench"), out_str_of(&o), &diag);

    parsed = seconds();

    struct generation *g = config_resolve(tree, STR("/"), STR("/"), &diag);

    printf("%u networks of IPv%c: text to tree %.2f s, tree to table %.2f s (%u warnings)\n", count,
           v6 ? '6' : '4', parsed - start, seconds() - parsed, diag.warnings);
    if (g) {
        measure_lookups(g, v6);
        generation_unref(g);
    } else {
        diag_print(&diag, stdout, false);
    }
    tree_free(tree);
    diag_fini(&diag);
    arena_fini(&a);
}

int main(int argc, char **argv)
{
    static struct module engine = { .name = "engine", .directives = rows };
    static struct module *const modules[] = { &engine, &http_geo_module, NULL };
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;

    modules_init(modules);
    measure(count, false);
    measure(count, true);
    return 0;
}
