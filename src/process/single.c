/*
 * single: see single.h.
 */
#include "process/single.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "event/loop.h"
#include "process/dynamic.h"
#include "process/live.h"
#include "process/load.h"
#include "process/notify.h"
#include "process/pidfile.h"
#include "process/process_conf.h"
#include "process/renewal.h"
#include "process/serving.h"
#include "process/shared.h"
#include "process/signals.h"
#include "process/zones.h"

/* Listeners have descriptors of their own: those of the table stay for the next generation. */
static bool use(struct generation *g)
{
    struct socket_place *places = calloc(g->listens.count + 1, sizeof *places);
    bool done;

    for (unsigned i = 0; places && i < g->listens.count; i++) {
        places[i] = sockets_at(g->listens.items[i], 0);
        places[i].fd = fcntl(places[i].fd, F_DUPFD_CLOEXEC, 0);
    }
    done = places && serving_use(g, places);
    free(places);
    return done;
}

/* false (logged): the generation is still the caller's. */
static bool take_over(struct loaded *l)
{
    if (!load_open(l->generation, 1, false)) {
        dynamic_restore();
        return false;
    }
    load_commit(l->generation, 1);
    return use(l->generation);
}

static void reload(const struct options *o)
{
    struct diag d;
    struct loaded l;

    log_note(LOG_LEVEL_NOTICE, 0, "reconfiguring");
    notify_reloading();
    diag_init(&d);
    l = load_read(o, &d);
    diag_log(&d, log_process);
    if (l.generation && take_over(&l)) {
        renewal_watch(l.tree, l.generation);
        l = (struct loaded){ 0 };
    }
    load_free(&l);
    diag_fini(&d);
    notify_ready("serving in one process");
}

static void obey(const struct options *o, unsigned orders)
{
    if (orders & ORDER_QUIT) {
        notify_stopping();
        renewal_end();
        serving_quit();
    }
    if (orders & ORDER_RELOAD)
        reload(o);
    if (orders & ORDER_REOPEN)
        live_open_logs(serving_generation());
}

int single_run(const struct options *o, struct generation *g)
{
    unsigned orders = 0;

    serving_init(0, shared_take_slot());
    if (!use(g))
        return 1;
    live_on_change(zones_sweep);
    renewal_begin(o, take_over);
    notify_ready("serving in one process");
    do {
        loop_turn(-1);
        serving_note_stall();
        orders = signals_take();
        obey(o, orders);
    } while (!(orders & ORDER_TERMINATE) && !serving_done());
    live_on_change(NULL);
    pidfile_remove();
    sockets_close_all(true);
    log_note(LOG_LEVEL_NOTICE, 0, "exit");
    renewal_forget();
    serving_fini();
    return 0;
}
