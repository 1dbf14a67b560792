/*
 * worker: see worker.h.
 */
#include "process/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/os.h"
#include "config/bundle.h"
#include "config/resolve.h"
#include "event/threads.h"
#include "event/timer.h"
#include "process/limits.h"
#include "process/live.h"
#include "process/packet.h"
#include "process/pidfile.h"
#include "process/renewal.h"
#include "process/serving.h"
#include "process/shared.h"
#include "process/signals.h"

enum { SPARE_CHUNKS = 256 };           /* of those that reading a configuration took */

static struct channel channel;
static struct incoming incoming;
static unsigned ordinal;

/* ---- answers ---- */

static void answer(enum message_type type, unsigned number, struct str text)
{
    char space[1024];
    struct out o = out_fixed(space, sizeof space);

    out_u32(&o, number);
    out_bytes(&o, text.data, text.len < 1000 ? text.len : 1000);
    channel_send(&channel, type, out_str_of(&o), NULL, 0);
}

static void on_oldest(unsigned oldest)
{
    if (oldest == 0)
        return;
    zones_sweep(oldest);
    answer(MESSAGE_OLDEST, oldest, STR(""));
}

/* ---- a new generation ---- */

static bool attach(struct generation *g)
{
    if (g->log_files.count != incoming.logs.count || g->zones.count != incoming.zones.count ||
        g->listens.count != incoming.listens.count)
        return false;
    for (unsigned i = 0; i < g->log_files.count; i++) {
        struct log_file *f = g->log_files.items[i];

        if (f->path.len) {
            f->fd = incoming.logs.items[i];
            f->failing = f->fd < 0;    /* the master has said it */
        }
        incoming.logs.items[i] = -1;
    }
    for (unsigned i = 0; i < g->zones.count; i++) {
        struct zone_place place = incoming.zones.items[i];

        incoming.zones.items[i].fd = -1;
        if (!zones_attach(g, i, place))
            return false;
    }
    return true;
}

static bool take_up(struct generation *g)
{
    g->number = incoming.number;
    live_track(g);
    limits_change(g, ordinal);
    return attach(g) && serving_use(g, incoming.listens.items);
}

static struct str first_mistake(const struct diag *d)
{
    return d->items.count ? d->items.items[0].message : STR("the bundle could not be read");
}

static void adopt(void)
{
    struct bundle b = { 0 };
    struct generation *g = NULL;
    struct diag d;

    diag_init(&d);
    if (bundle_unpack(incoming.bundle, &b))
        g = config_resolve_packed(&b, &d);
    if (!g) {
        answer(MESSAGE_FAILED, incoming.number, first_mistake(&d));
    } else if (take_up(g)) {
        answer(MESSAGE_READY, incoming.number, STR(""));
    } else {
        answer(MESSAGE_FAILED, incoming.number, STR("it takes a new process"));
        generation_unref(g);
    }
    if (b.tree)
        tree_free(b.tree);
    diag_fini(&d);
    chunk_trim(SPARE_CHUNKS);
}

static void reopen(struct message *m)
{
    struct log_cursor at = { 0 };
    int fd;

    if (packet_number(m) == 0)         /* it was cut: lines would go to a file that was moved away */
        answer(MESSAGE_FAILED, serving_generation()->number,
               STR("no descriptor is free for its logs"));
    while (packet_take_log(m, &at, &fd))
        live_replace_log(packet_number(m), at.index, fd);
}

static void on_message(struct channel *c, struct message *m)
{
    (void)c;
    switch (m->type) {
    case MESSAGE_BUNDLE:
    case MESSAGE_LOGS:
    case MESSAGE_ZONES:
    case MESSAGE_LISTENS:
        if (incoming_add(&incoming, m))
            return;
        break;
    case MESSAGE_ADOPT:
        if (incoming.number && packet_number(m) == incoming.number)
            adopt();
        else                           /* no descriptor was free for what the others brought */
            answer(MESSAGE_FAILED, packet_number(m), STR("it came without some of its parts"));
        incoming_clear(&incoming);
        return;
    case MESSAGE_REOPEN:
        reopen(m);
        return;
    default:
        break;
    }
    log_note(LOG_LEVEL_ALERT, 0, "a message of type %d from the master makes no sense, ignored",
             (int)m->type);
    incoming_clear(&incoming);
}

static void on_end(struct channel *c)
{
    log_note(LOG_LEVEL_NOTICE, 0, "the master is gone: this worker ends");
    channel_fini(c);
    serving_quit();
}

/* ---- life ---- */

static bool start_loop(const struct generation *g)
{
    struct str method = events_conf(g)->use;
    struct rlimit_value descriptors = process_conf(g)->rlimit_nofile;
    long most = sysconf(_SC_OPEN_MAX);

    loop_after_fork();
    threads_after_fork();
    loop_fini();
    if (descriptors.set && descriptors.value > most)
        most = (long)descriptors.value;
    return loop_init(method.len ? method.data : NULL, most > 0 ? (unsigned)most : 1024);
}

/* The sockets of this worker, with descriptors of its own; all others are none of its business. */
static struct socket_place *own_sockets(const struct generation *g)
{
    struct socket_place *places = calloc(g->listens.count + 1, sizeof *places);

    for (unsigned i = 0; places && i < g->listens.count; i++) {
        places[i] = sockets_at(g->listens.items[i], ordinal);
        places[i].fd = fcntl(places[i].fd, F_DUPFD_CLOEXEC, 0);
    }
    sockets_close_all(false);
    return places;
}

static bool begin(const struct worker_start *start)
{
    struct generation *g = start->generation;
    struct socket_place *places;
    bool started;

    ordinal = start->ordinal;
    live_after_fork(g);
    if (!limits_enter(process_conf(g), g, ordinal) || !start_loop(g))
        return false;
    channel.on_message = on_message;
    channel.on_end = on_end;
    if (!channel_init(&channel, start->channel))
        return false;
    incoming_init(&incoming);
    serving_init(ordinal, start->slot);
    places = own_sockets(g);
    started = places && serving_use(g, places);
    free(places);
    if (started)
        live_on_change(on_oldest);
    return started;
}

static void serve(void)
{
    for (;;) {
        unsigned orders;

        loop_turn(-1);
        serving_note_stall();
        orders = signals_take();
        if (orders & ORDER_TERMINATE)
            return;
        if (orders & ORDER_QUIT) {
            log_note(LOG_LEVEL_NOTICE, 0, "gracefully shutting down");
            serving_quit();
        }
        if (serving_done())
            return;
    }
}

/* debug_points: something was lost track of. */
static void stop_for_debugger(enum debug_points wish)
{
    if (wish == DEBUG_POINTS_STOP)
        raise(SIGSTOP);
    else if (wish == DEBUG_POINTS_ABORT)
        abort();
}

void worker_main(const struct worker_start *start)
{
    enum debug_points wish;

    log_after_fork();
    pidfile_after_fork();
    renewal_forget();
    os_set_title("weir: worker process");
    if (!begin(start))
        exit(2);
    signals_init_worker();
    answer(MESSAGE_READY, start->generation->number, STR(""));
    serve();
    live_on_change(NULL);
    log_note(LOG_LEVEL_NOTICE, 0, "exit");
    wish = process_conf(serving_generation())->debug_points;
    if (!serving_fini())
        stop_for_debugger(wish);
    channel_fini(&channel);
    exit(0);
}
