/*
 * loop: see loop.h.
 */
#include "event/loop.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/os.h"
#include "event/backend.h"
#include "event/timer.h"

enum { LOG_WAIT = 1000 };   /* ms: the log's counts of lines left out are due each second */

static struct {
    const struct backend *backend;
    unsigned max_descriptors;
    unsigned resolution;       /* ms, 0: none */
    struct list posted;        /* handlers to call: of ready watches and posted ones */
    struct list running;       /* those of them that are being called */
    struct list deferred;
    struct watch wake;
    int wake_fds[2];
} loop = {
    .posted = { &loop.posted, &loop.posted },
    .running = { &loop.running, &loop.running },
    .deferred = { &loop.deferred, &loop.deferred },
    .wake_fds = { -1, -1 },
};

static const struct backend *find_backend(const char *method)
{
    for (unsigned i = 0; backends[i]; i++) {
        if (strcmp(backends[i]->name, method) == 0)
            return backends[i];
    }
    return NULL;
}

bool loop_has_method(const char *method)
{
    return find_backend(method) != NULL;
}

const char *loop_method(void)
{
    return loop.backend->name;
}

static void on_wake(struct watch *w)
{
    (void)w;
    os_wake_drain(loop.wake_fds);
}

bool loop_add(struct watch *w)
{
    w->added = loop.backend->add(w);
    return w->added;
}

static void detach(struct watch *w, bool closing)
{
    if (w->added)
        loop.backend->remove(w, closing);
    w->added = false;
    w->ready = 0;
    list_remove(&w->posted);
}

/* Opens what the kernel holds for this loop. */
static bool open_loop(const struct backend *backend)
{
    if (!backend->init(loop.max_descriptors))
        return false;
    loop.backend = backend;
    if (os_wake_open(loop.wake_fds)) {
        watch_init(&loop.wake, loop.wake_fds[0], on_wake);
        loop.wake.level = true;
        if (loop_add(&loop.wake))
            return true;
        os_wake_close(loop.wake_fds);
    }
    int saved = errno;
    backend->fini();
    loop.backend = NULL;
    errno = saved;
    return false;
}

bool loop_init(const char *method, unsigned max_descriptors)
{
    loop.max_descriptors = max_descriptors;
    clock_update();
    for (unsigned i = 0; backends[i]; i++) {
        if (method && strcmp(backends[i]->name, method) != 0)
            continue;
        if (open_loop(backends[i]))
            return true;
        log_note(LOG_LEVEL_ALERT, errno, "event method %s can not be used", backends[i]->name);
        if (method)
            return false;
    }
    if (method) {
        log_note(LOG_LEVEL_ALERT, 0, "this build has no event method %s", method);
        errno = EINVAL;
    }
    return false;
}

static void forget_posted(void)
{
    while (list_pop(&loop.posted) || list_pop(&loop.running))
        continue;
}

static void release_deferred(void)
{
    for (struct list *node; (node = list_pop(&loop.deferred));) {
        struct deferred *d = CONTAINER(node, struct deferred, link);
        d->release(d);
    }
}

void loop_fini(void)
{
    if (!loop.backend)
        return;
    detach(&loop.wake, true);
    os_wake_close(loop.wake_fds);
    forget_posted();
    release_deferred();
    loop.backend->fini();
    loop.backend = NULL;
}

bool loop_after_fork(void)
{
    const struct backend *backend = loop.backend;

    if (!backend)
        return true;
    forget_posted();
    timer_reset_all();
    backend->fini();
    os_wake_close(loop.wake_fds);
    if (open_loop(backend))
        return true;
    log_note(LOG_LEVEL_ALERT, errno, "event method %s can not be used after fork", backend->name);
    return false;
}

void loop_remove(struct watch *w)
{
    detach(w, false);
}

void loop_close(struct watch *w)
{
    detach(w, true);
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

void loop_post(struct watch *w)
{
    if (list_empty(&w->posted))
        list_push(&loop.posted, &w->posted);
}

void loop_ready(struct watch *w, unsigned bits)
{
    w->ready = (uint8_t)(w->ready | bits);
    loop_post(w);
}

void loop_defer(struct deferred *d, void (*release)(struct deferred *d))
{
    d->release = release;
    list_push(&loop.deferred, &d->link);
}

/* Calls the handlers posted so far; what they post waits for the next run. */
static void run_posted(void)
{
    if (list_empty(&loop.posted))
        return;
    loop.running = loop.posted;
    loop.running.next->prev = loop.running.prev->next = &loop.running;
    list_init(&loop.posted);
    for (struct list *node; (node = list_pop(&loop.running));) {
        struct watch *w = CONTAINER(node, struct watch, posted);
        w->on_event(w);
    }
}

static int shorter(int a, int b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

static int time_to_wait(int max_wait)
{
    if (!list_empty(&loop.posted))
        return 0;
    return shorter(shorter(max_wait, timer_next()), log_counting ? LOG_WAIT : -1);
}

/* A turn that found nothing to do has waited for its time, and must see that it has come. */
static void read_clock(void)
{
    if (loop.resolution == 0 || list_empty(&loop.posted))
        clock_update();
    else
        clock_update_every(loop.resolution);
}

void loop_turn(int max_wait)
{
    if (!loop.backend->wait(time_to_wait(max_wait)) && errno != EINTR)
        log_note(LOG_LEVEL_ALERT, errno, "waiting for events with %s failed", loop.backend->name);
    read_clock();
    run_posted();
    timer_expire_due();
    run_posted();
    if (log_counting)
        log_settle();
    release_deferred();
}

void loop_wake(void)
{
    os_wake_signal(loop.wake_fds);
}

void loop_set_resolution(unsigned ms)
{
    loop.resolution = ms;
}
