/*
 * poll: a way to wait that every POSIX system has.  It is level-triggered, so a descriptor is
 * polled for just the bits that its watch does not have; the cost of a turn grows with the
 * descriptors.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "event/backend.h"

static struct {
    struct pollfd *fds;        /* one for each of `watches`, filled in anew each turn */
    struct watch **watches;
    unsigned count, room;
    unsigned *places;          /* in `watches`, by descriptor */
    unsigned places_room;
} table;

static bool grow_watches(unsigned room)
{
    struct pollfd *fds = realloc(table.fds, room * sizeof *fds);
    struct watch **watches = realloc(table.watches, room * sizeof *watches);

    if (fds)
        table.fds = fds;
    if (watches)
        table.watches = watches;
    if (!fds || !watches)
        return false;
    table.room = room;
    return true;
}

static bool grow_places(unsigned room)
{
    unsigned *places = realloc(table.places, room * sizeof *places);

    if (!places)
        return false;
    table.places = places;
    table.places_room = room;
    return true;
}

static void poll_fini(void)
{
    free(table.fds);
    free(table.watches);
    free(table.places);
    memset(&table, 0, sizeof table);
}

static bool poll_init(unsigned max_descriptors)
{
    /* The limit may be millions: most of it is had when it is needed. */
    if (grow_watches(max_descriptors > 0 && max_descriptors < 1024 ? max_descriptors : 1024))
        return true;
    poll_fini();
    errno = ENOMEM;
    return false;
}

static bool poll_add(struct watch *w)
{
    unsigned fd = (unsigned)w->fd;

    if (w->fd < 0) {
        errno = EBADF;
        return false;
    }
    if ((table.count == table.room && !grow_watches(table.room * 2)) ||
        (fd >= table.places_room && !grow_places(fd * 2 + 1)))
        return false;
    table.places[fd] = table.count;
    table.watches[table.count++] = w;
    return true;
}

static void poll_remove(struct watch *w, bool closing)
{
    unsigned place = table.places[w->fd];
    struct watch *last = table.watches[--table.count];

    (void)closing;
    table.watches[place] = last;
    table.places[last->fd] = place;
}

/* Hanging up and errors are always told: a watch that has everything must be passed over. */
static struct pollfd wanted(const struct watch *w)
{
    const unsigned all = READY_READ | READY_WRITE | READY_ERROR;
    int events = 0;

    if (w->level)
        return (struct pollfd){ .fd = w->fd, .events = POLLIN };
    if ((w->ready & all) == all)
        return (struct pollfd){ .fd = -1 };
    if (!(w->ready & (READY_READ | READY_EOF)))
        events |= POLLIN;
    if (!(w->ready & READY_WRITE))
        events |= POLLOUT;
    if (!(w->ready & READY_EOF))
        events |= os_poll_eof;
    return (struct pollfd){ .fd = w->fd, .events = (short)events };
}

static unsigned ready_bits(int events)
{
    unsigned bits = 0;

    if (events & POLLIN)
        bits |= READY_READ;
    if (events & POLLOUT)
        bits |= READY_WRITE;
    if (events & os_poll_eof)
        bits |= READY_READ | READY_EOF;
    if (events & (POLLHUP | POLLERR | POLLNVAL))
        bits |= READY_ERROR | READY_READ | READY_WRITE;
    return bits;
}

static bool poll_wait(int timeout)
{
    for (unsigned i = 0; i < table.count; i++)
        table.fds[i] = wanted(table.watches[i]);
    int left = poll(table.fds, table.count, timeout);
    if (left < 0)
        return false;
    for (unsigned i = 0; i < table.count && left > 0; i++) {
        if (!table.fds[i].revents)
            continue;
        struct watch *w = table.watches[i];
        unsigned bits = ready_bits(table.fds[i].revents);
        if (w->level || (bits & ~(unsigned)w->ready))
            loop_ready(w, bits);
        left--;
    }
    return true;
}

const struct backend poll_backend = {
    .name = "poll",
    .init = poll_init,
    .fini = poll_fini,
    .add = poll_add,
    .remove = poll_remove,
    .wait = poll_wait,
};
