/*
 * listener: a worker's side of listening: it takes connections and hands them to their protocol.
 * It stops for a while, and never for good, when descriptors or worker_connections are used up, or
 * when this worker holds more than its share.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/os.h"
#include "event/connection.h"
#include "net/listen.h"

enum {
    LOOK_AGAIN_MS = 20,                /* whether to go on accepting */
    NO_DESCRIPTORS_MS = 500,
    MAKE_ROOM = 32,                    /* idle connections that are closed when room is short */
    COUNT_EVERY = 4,                   /* own connections more or less: then all are counted */
    BATCH = 64,                        /* connections in one go with multi_accept */
    SLACK = 4,                         /* connections above the mean that never matter */
};

enum pause {
    ACCEPTING,
    PAUSED_FULL,                       /* worker_connections are in use */
    PAUSED_DESCRIPTORS,                /* the system has no descriptor left */
    PAUSED_UNFAIR,                     /* others have fewer connections */
};

static struct list running = { &running, &running };
static enum pause paused;
static struct timer resume_timer;
static bool multi_accept;

static struct listen_share alone;
static struct listen_share *shares = &alone;
static unsigned share_count = 1, own_share;

/* ---- fairness ---- */

void listen_share_with(struct listen_share *slots, unsigned count, unsigned own)
{
    shares = slots;
    share_count = count;
    own_share = own;
}

void listen_set_multi_accept(bool on)
{
    multi_accept = on;
}

static unsigned own_connections(void)
{
    return atomic_load_explicit(&shares[own_share].connections, memory_order_relaxed);
}

/* Only this process writes its own count. */
static void count_own(unsigned change)
{
    atomic_store_explicit(&shares[own_share].connections, own_connections() + change,
                          memory_order_relaxed);
}

static bool above_share(void)
{
    unsigned sum = 0, alive = 0;

    for (unsigned i = 0; i < share_count; i++) {
        if (atomic_load_explicit(&shares[i].alive, memory_order_relaxed)) {
            alive++;
            sum += atomic_load_explicit(&shares[i].connections, memory_order_relaxed);
        }
    }
    if (alive < 2)
        return false;
    return own_connections() > sum / alive + sum / alive / 8 + SLACK;
}

/* Looking at everybody's count costs a cache line for each worker: not for every connection. */
static bool time_to_compare(void)
{
    static unsigned seen;
    static uint64_t when;
    unsigned now = own_connections(), moved = now > seen ? now - seen : seen - now;

    if (share_count == 1 || (moved < COUNT_EVERY && when == clock_ms()))
        return false;
    seen = now;
    when = clock_ms();
    return true;
}

/* ---- going on and pausing ---- */

/* A socket of a reuseport group has nobody else to take its connections. */
static bool concerns(const struct listener *l, enum pause why)
{
    return why != PAUSED_UNFAIR || !l->spec->options.reuseport;
}

static bool watched(const struct listener *l)
{
    return l->spec->protocol->type == SOCK_STREAM;
}

static void on_listener(struct watch *w);

static void set_watches(enum pause why, bool on)
{
    LIST_EACH(node, &running) {
        struct listener *l = CONTAINER(node, struct listener, link);

        if (!watched(l) || !concerns(l, why))
            continue;
        if (!on)
            loop_remove(&l->watch);
        else if (!l->watch.added && !loop_add(&l->watch))
            log_note(LOG_LEVEL_ALERT, errno, "cannot watch %.*s", STR_ARG(l->spec->text));
    }
}

static void pause_for(enum pause why)
{
    if (paused != ACCEPTING)
        return;
    paused = why;
    set_watches(why, false);
    timer_set(&resume_timer, why == PAUSED_DESCRIPTORS ? NO_DESCRIPTORS_MS : LOOK_AGAIN_MS);
}

static bool full(void)
{
    return connection_count() >= connection_limit() && connection_close_idle(MAKE_ROOM) == 0;
}

static void resume(void)
{
    enum pause was = paused;

    timer_cancel(&resume_timer);
    paused = ACCEPTING;
    set_watches(was, true);
}

static bool take_one(struct listener *l);

/* What still waits when the timer comes up is more than the others can take: one of each socket. */
static void help_out(void)
{
    LIST_EACH_SAFE(node, &running) {
        struct listener *l = CONTAINER(node, struct listener, link);

        if (watched(l) && concerns(l, PAUSED_UNFAIR))
            take_one(l);
    }
}

static void on_resume_timer(struct timer *t)
{
    bool wait = (paused == PAUSED_UNFAIR && above_share()) ||
                (paused == PAUSED_FULL && connection_count() >= connection_limit());

    if (!wait) {
        resume();
        return;
    }
    timer_set(t, LOOK_AGAIN_MS);
    if (paused == PAUSED_UNFAIR && !full())
        help_out();
}

/* ---- accepting ---- */

static void refuse(struct listener *l, int error)
{
    unsigned closed;

    switch (error) {
    case EAGAIN:
    case EINTR:
    case ECONNABORTED:                 /* the peer was quicker */
        break;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        closed = connection_close_idle(MAKE_ROOM);
        log_note(LOG_LEVEL_CRIT, error,
                 "accept() on %.*s failed: no new connections for %u ms, %u idle ones are closed",
                 STR_ARG(l->spec->text), NO_DESCRIPTORS_MS, closed);
        pause_for(PAUSED_DESCRIPTORS);
        break;
    default:
        log_note(LOG_LEVEL_ALERT, error, "accept() on %.*s failed", STR_ARG(l->spec->text));
    }
}

static bool take_one(struct listener *l)
{
    struct address peer;
    int fd;

    peer.len = sizeof peer - offsetof(struct address, any);
    fd = os_accept(l->watch.fd, &peer.any, &peer.len);
    if (fd < 0) {
        refuse(l, errno);
        return false;
    }
    if (peer.len < (socklen_t)sizeof(sa_family_t))
        peer.any.sa_family = AF_UNIX;  /* BSD gives no address for a peer without a name */
    l->connections++;
    count_own(1);
    l->spec->protocol->accept(l, fd, &peer);
    return true;
}

/* At the limit every connection that closes lets one in: one line a second says it. */
static void pause_when_full(void)
{
    static time_t said;

    if (said != clock_seconds())
        log_note(LOG_LEVEL_ALERT, 0, "%u worker_connections are not enough", connection_limit());
    said = clock_seconds();
    pause_for(PAUSED_FULL);
}

static void on_listener(struct watch *w)
{
    struct listener *l = CONTAINER(w, struct listener, watch);

    if (l->spec->protocol->type != SOCK_STREAM) {
        l->spec->protocol->readable(l);
        return;
    }
    for (unsigned i = 0; i < (multi_accept ? BATCH : 1); i++) {
        if (full()) {
            pause_when_full();
            return;
        }
        if (!take_one(l) || l->removed)
            return;
        if (time_to_compare() && above_share() && concerns(l, PAUSED_UNFAIR)) {
            pause_for(PAUSED_UNFAIR);
            return;
        }
    }
}

/* ---- listeners ---- */

struct listener *listener_new(struct listen_spec *spec, int fd, unsigned group)
{
    struct listener *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    watch_init(&l->watch, fd, on_listener);
    l->watch.level = true;
    list_init(&l->link);
    l->spec = spec;
    l->group = group;
    if (!resume_timer.on_expire)
        timer_init(&resume_timer, on_resume_timer);
    return l;
}

bool listener_start(struct listener *l)
{
    if (list_empty(&l->link))
        list_push(&running, &l->link);
    if (paused != ACCEPTING && concerns(l, paused))
        return true;                   /* resume() adds it */
    return l->watch.added || loop_add(&l->watch);
}

void listener_stop(struct listener *l)
{
    loop_remove(&l->watch);
    list_remove(&l->link);
}

static void release(struct deferred *d)
{
    struct listener *l = CONTAINER(d, struct listener, release);

    l->gone(l);
    free(l);
}

void listener_remove(struct listener *l, void (*gone)(struct listener *l))
{
    listener_stop(l);
    close(l->watch.fd);
    l->watch.fd = -1;
    l->gone = gone;
    l->removed = true;
    if (l->connections == 0)
        loop_defer(&l->release, release);
}

void listener_connection_closed(struct listener *l)
{
    count_own(-1U);
    if (--l->connections == 0 && l->removed)
        loop_defer(&l->release, release);
    if (paused == PAUSED_FULL || (paused == PAUSED_UNFAIR && time_to_compare() && !above_share()))
        resume();
}
