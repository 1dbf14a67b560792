/*
 * serving: see serving.h.
 */
#include "process/serving.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "event/connection.h"
#include "event/threads.h"
#include "http/http.h"
#include "process/limits.h"
#include "process/live.h"
#include "process/shared.h"

struct door {
    struct listener *listener;
    uint64_t serial;
};

static struct generation *current;
static struct door *doors;
static unsigned door_count, own_ordinal, own_slot;
static bool quitting;
static struct timer shutdown_timer;

static void on_shutdown_timeout(struct timer *t)
{
    (void)t;
    log_note(LOG_LEVEL_WARN, 0, "worker_shutdown_timeout is over: closing %u connections",
             connection_count());
    connection_abort_all();
}

void serving_init(unsigned ordinal, unsigned slot)
{
    own_ordinal = ordinal;
    own_slot = slot;
    timer_init(&shutdown_timer, on_shutdown_timeout);
}

/* ---- listeners ---- */

static struct door *find_door(uint64_t serial)
{
    for (unsigned i = 0; i < door_count; i++) {
        if (doors[i].serial == serial)
            return &doors[i];
    }
    return NULL;
}

/* A removed listener's last connection is closed. */
static void on_gone(struct listener *l)
{
    generation_unref(l->spec->generation);
}

static void remove_listener(struct listener *l)
{
    generation_ref(l->spec->generation);
    listener_remove(l, on_gone);
    connection_drain_from(l);
}

/* The doors of `g`: those that are there already, and listeners for the others, which do not accept
 * yet. NULL: memory is short. */
static struct door *make_doors(const struct generation *g, const struct socket_place *places)
{
    struct door *made = calloc(g->listens.count + 1, sizeof *made);

    for (unsigned i = 0; made && i < g->listens.count; i++) {
        const struct door *known = find_door(places[i].serial);

        made[i].serial = places[i].serial;
        made[i].listener = known ? known->listener
                                 : listener_new(g->listens.items[i], places[i].fd, own_ordinal);
        if (!made[i].listener) {
            free(made);
            return NULL;
        }
    }
    return made;
}

static bool stays(const struct listener *l, const struct door *made, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (made[i].listener == l)
            return true;
    }
    return false;
}

/* A listener that stays bears the new generation's spec; its second descriptor is of no use. */
static void renew(const struct generation *g, const struct door *made, struct socket_place *places)
{
    for (unsigned i = 0; i < g->listens.count; i++) {
        made[i].listener->spec = g->listens.items[i];
        if (made[i].listener->watch.fd != places[i].fd && places[i].fd >= 0)
            close(places[i].fd);
        places[i].fd = -1;
    }
}

static void start_all(void)
{
    for (unsigned i = 0; i < door_count; i++) {
        if (!listener_start(doors[i].listener))
            log_note(LOG_LEVEL_ALERT, errno, "cannot accept on %.*s",
                     STR_ARG(doors[i].listener->spec->text));
    }
}

/* ---- a former generation ---- */

/* worker_shutdown_timeout bounds how long requests may keep it. */
struct former {
    struct timer timer;
    struct generation *generation;
};

static void on_former_timeout(struct timer *t)
{
    struct former *f = CONTAINER(t, struct former, timer);
    unsigned number = f->generation->number, closed = connection_abort_pinning(f->generation);

    log_note(LOG_LEVEL_WARN, 0,
             "worker_shutdown_timeout is over: closed %u connections that held configuration %u",
             closed, number);
}

static void forget_former(void *data)
{
    struct former *f = data;

    timer_cancel(&f->timer);
    free(f);
}

static void let_go(struct generation *g, uint64_t timeout)
{
    struct former *f = timeout && g->references > 1 ? malloc(sizeof *f) : NULL;

    if (f) {
        f->generation = g;
        timer_init(&f->timer, on_former_timeout);
        timer_set(&f->timer, timeout);
        generation_cleanup(g, forget_former, f);
    }
    generation_unref(g);
}

/* ---- the generation ---- */

static void apply_settings(const struct generation *g)
{
    const struct process_conf *main = process_conf(g), *events = events_conf(g);

    connection_set_limit(events->worker_connections);
    listen_set_multi_accept(events->multi_accept);
    loop_set_resolution((unsigned)main->timer_resolution);
    shared_use(own_slot, limits_workers(main));
    log_process = main_log(g);
}

bool serving_use(struct generation *g, struct socket_place *places)
{
    struct door *made, *old_doors = doors;
    struct generation *old = current;
    unsigned old_count = door_count;

    for (unsigned i = 0; i < g->listens.count; i++)
        g->listens.items[i]->generation = g;
    made = make_doors(g, places);
    if (!made) {
        log_note(LOG_LEVEL_ALERT, ENOMEM, "listeners could not be made");
        return false;
    }
    for (unsigned i = 0; i < old_count; i++) {
        if (!stays(old_doors[i].listener, made, g->listens.count))
            remove_listener(old_doors[i].listener);
    }
    renew(g, made, places);
    doors = made;
    door_count = g->listens.count;
    free(old_doors);
    current = g;
    apply_settings(g);
    generation_use(g);
    if (!quitting)
        start_all();
    shared_set_accepting(own_slot, !quitting);
    if (old)
        let_go(old, process_conf(g)->shutdown_timeout);
    return true;
}

struct generation *serving_generation(void)
{
    return current;
}

/* ---- the end ---- */

static void remove_listeners(void)
{
    for (unsigned i = 0; i < door_count; i++)
        remove_listener(doors[i].listener);
    door_count = 0;
}

void serving_quit(void)
{
    uint64_t timeout = process_conf(current)->shutdown_timeout;

    if (quitting)
        return;
    quitting = true;
    shared_set_accepting(own_slot, false);
    remove_listeners();
    connection_drain_all();
    if (timeout)
        timer_set(&shutdown_timer, timeout);
}

bool serving_done(void)
{
    return quitting && connection_count() == 0 && threads_pending() == 0;
}

void serving_note_stall(void)
{
    const struct process_conf *events = events_conf(current);
    uint64_t before = clock_ms();

    if (events->stall_threshold == 0 || process_conf(current)->timer_resolution)
        return;
    clock_update();
    if (clock_ms() - before > events->stall_threshold)
        log_note(LOG_LEVEL_WARN, 0,
                 "this process was busy for %llu ms without a look at its connections",
                 (unsigned long long)(clock_ms() - before));
}

static bool is_last_generation(void)
{
    return current->references == 1 && live_oldest() == current->number;
}

bool serving_fini(void)
{
    bool ended = serving_done(), good;

    timer_cancel(&shutdown_timer);
    remove_listeners();
    connection_abort_all();            /* what they hold is given back, logs are written */
    loop_turn(0);                      /* what was closed is freed when a turn ends */
    http_worker_fini();
    threads_fini();
    free(doors);
    doors = NULL;
    good = !ended || is_last_generation();
    if (!good)
        log_note(LOG_LEVEL_ALERT, 0, "a configuration is held by nobody who is there any more");
    generation_unref(current);
    current = NULL;
    return good;
}
