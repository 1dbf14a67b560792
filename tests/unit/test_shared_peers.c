/*
 * shared_peers: states in a zone: what two generations and two processes see, and what is left when one of
 * them dies, even inside the lock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/zone.h"
#include "upstream/balance.h"
#include "upstream/shared_peers.h"
#include "weir_modules.h"

static const char text[] =
    "events {}\n"
    "http {\n"
    "    upstream u { zone z 64k; server 127.0.0.1:1 max_conns=2; server 127.0.0.1:2 down;\n"
    "                 server 127.0.0.1:2 down; server 127.0.0.1:3 backup; }\n"
    "}\n";

static struct zone *zone;
static struct arena arena;

static struct upstream *group_of(const struct generation *g)
{
    struct block *b = g->main;

    while (b && b->context != IN_UPSTREAM)
        b = b->next;
    assert_non_null(b);
    return b->object;
}

/* A generation that is in use in this process. */
static struct generation *load(void)
{
    struct diag d;
    int fd;

    diag_init(&d);
    struct tree *t = tree_parse(STR("test"), (struct str){ text, sizeof text - 1 }, &d);
    struct generation *g = config_resolve(t, STR("/"), STR("/"), &d);
    assert_non_null(g);
    tree_free(t);
    diag_fini(&d);
    struct zone_spec *spec = g->zones.items[0];
    if (!zone) {
        zone = zone_create(spec->size, &fd);
        assert_non_null(zone);
        zone_lock(zone);
        assert_true(spec->init(zone, spec->data));
        zone_unlock(zone);
    }
    spec->zone = zone;
    zone_set_init(zone, spec->init, spec->data);
    generation_use(g);
    return g;
}

static struct upstream_peer *first(struct generation *g)
{
    return &group_of(g)->primary.list.items[0];
}

static void take(struct pick *p, struct generation *g)
{
    balance_start(p, group_of(g), NULL, &arena);
    assert_ptr_equal(balance_next(p), first(g));
}

static void test_generations_share(void **state)
{
    struct generation *old = load(), *new = load();
    struct pick p, q;

    (void)state;
    assert_ptr_equal(first(old)->state, first(new)->state);
    struct upstream_peer *peers = group_of(old)->primary.list.items;
    assert_ptr_not_equal(peers[1].state, peers[2].state);      /* the same, written twice */
    assert_int_equal(peers[1].state->bars, PEER_DOWN);
    take(&p, old);
    take(&q, new);
    assert_int_equal(first(new)->state->conns, 2);
    balance_done(&p, BALANCE_FAILED);
    assert_int_equal(first(new)->state->fails, 1);
    generation_unref(old);
    assert_int_equal(first(new)->state->fails, 1);     /* stays as long as somebody has it */
    balance_done(&q, BALANCE_OK);
    assert_int_equal(first(new)->state->conns, 0);
    generation_unref(new);
    struct generation *later = load();
    assert_int_equal(first(later)->state->fails, 0);   /* nobody had it any more */
    generation_unref(later);
}

static void in_child(void (*run)(void))
{
    pid_t child = fork();

    if (child == 0) {
        run();
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void die_with_connections(void)
{
    struct generation *g = load();
    struct pick p[2];

    take(&p[0], g);
    take(&p[1], g);
}

static void test_the_dead_are_buried(void **state)
{
    struct generation *before = load();
    struct pick p;

    (void)state;
    in_child(die_with_connections);
    assert_int_equal(first(before)->state->conns, 2);
    struct generation *g = load();             /* as who takes its place does */
    assert_int_equal(first(g)->state->conns, 0);
    take(&p, g);
    balance_done(&p, BALANCE_OK);
    generation_unref(before);
    generation_unref(g);
}

static void die_in_the_lock(void)
{
    zone_lock(zone);
}

/* The zone is emptied: what this process has under way counts on, and ends well. */
static void test_death_in_the_lock(void **state)
{
    struct generation *g = load();
    struct upstream *u = group_of(g);
    struct pick p;

    (void)state;
    take(&p, g);
    upstream_lock(u);
    first(g)->state->fails = 5;
    upstream_unlock(u);
    in_child(die_in_the_lock);
    upstream_lock(u);
    assert_int_equal(first(g)->state->fails, 0);
    assert_int_equal(first(g)->state->conns, 1);
    assert_int_equal(u->primary.list.items[1].state->bars, PEER_DOWN);
    upstream_unlock(u);
    balance_done(&p, BALANCE_OK);
    assert_int_equal(first(g)->state->conns, 0);
    generation_unref(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generations_share),
        cmocka_unit_test(test_the_dead_are_buried),
        cmocka_unit_test(test_death_in_the_lock),
    };

    clock_update();
    modules_init(weir_modules);
    if (zone_reserve() == 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
