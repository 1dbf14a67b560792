/*
 * kqueue: the BSDs' way to wait.  One kevent per turn; a descriptor is registered once, with a
 * filter for each direction.  Knows nothing but descriptors and readiness.
 */
#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>
#include <unistd.h>

#include "event/backend.h"

enum { BATCH = 512 };

static int queue_fd = -1;
static pid_t owner;            /* a child does not inherit its parent's queue */

static bool kqueue_init(unsigned max_descriptors)
{
    (void)max_descriptors;   /* the kernel grows its own table */
    queue_fd = kqueue();
    owner = getpid();
    return queue_fd >= 0;
}

static void kqueue_fini(void)
{
    if (owner == getpid())
        close(queue_fd);
    queue_fd = -1;
}

static bool change(const struct kevent *changes, int count)
{
    return kevent(queue_fd, changes, count, NULL, 0, NULL) == 0;
}

static bool kqueue_add(struct watch *w)
{
    const unsigned short flags = w->level ? EV_ADD : EV_ADD | EV_CLEAR;
    struct kevent changes[2];

    EV_SET(&changes[0], (uintptr_t)w->fd, EVFILT_READ, flags, 0, 0, w);
    if (w->level)
        return change(changes, 1);
    EV_SET(&changes[1], (uintptr_t)w->fd, EVFILT_WRITE, flags, 0, 0, w);
    if (change(changes, 2))
        return true;
    /* An end of a pipe may have one direction only. */
    bool reads = change(changes, 1), writes = change(changes + 1, 1);
    return reads || writes;
}

/* Closing a descriptor takes its filters with it. */
static void kqueue_remove(struct watch *w, bool closing)
{
    struct kevent filter;

    if (closing)
        return;
    EV_SET(&filter, (uintptr_t)w->fd, EVFILT_READ, EV_DELETE, 0, 0, NULL);
    change(&filter, 1);
    EV_SET(&filter, (uintptr_t)w->fd, EVFILT_WRITE, EV_DELETE, 0, 0, NULL);
    change(&filter, 1);
}

/* EV_EOF of the writing filter is also how one's own shutdown() shows: an error it is with
 * fflags. */
static unsigned ready_bits(const struct kevent *e)
{
    unsigned bits = e->filter == EVFILT_READ ? READY_READ : READY_WRITE;

    if (e->flags & EV_EOF) {
        if (e->filter == EVFILT_READ)
            bits |= READY_EOF;
        if (e->fflags)
            bits |= READY_ERROR | READY_READ | READY_WRITE;
    }
    return bits;
}

static bool kqueue_wait(int timeout)
{
    struct timespec limit = { .tv_sec = timeout / 1000, .tv_nsec = timeout % 1000 * 1000000L };
    struct kevent events[BATCH];
    int count = kevent(queue_fd, NULL, 0, events, BATCH, timeout < 0 ? NULL : &limit);

    for (int i = 0; i < count; i++)
        loop_ready(events[i].udata, ready_bits(&events[i]));
    return count >= 0;
}

const struct backend kqueue_backend = {
    .name = "kqueue",
    .init = kqueue_init,
    .fini = kqueue_fini,
    .add = kqueue_add,
    .remove = kqueue_remove,
    .wait = kqueue_wait,
};
