/*
 * select: the oldest way to wait, for systems that have no better.  It takes descriptors below
 * FD_SETSIZE only, and is level-triggered: a descriptor is looked at for just the bits that its
 * watch does not have.
 */
#include <errno.h>
#include <string.h>
#include <sys/select.h>

#include "base/log.h"
#include "event/backend.h"

static struct {
    struct watch *watches[FD_SETSIZE];   /* by descriptor */
    int end;                             /* above the highest one */
} table;

static bool select_init(unsigned max_descriptors)
{
    (void)max_descriptors;   /* the table can't grow: select_add() says no */
    memset(&table, 0, sizeof table);
    return true;
}

static void select_fini(void)
{
    memset(&table, 0, sizeof table);
}

static bool select_add(struct watch *w)
{
    if (w->fd < 0) {
        errno = EBADF;
        return false;
    }
    if (w->fd >= FD_SETSIZE) {
        log_note(LOG_LEVEL_ALERT, 0, "select takes descriptors below %d only, and this one is %d: "
                 "\"use\" another event method, or fewer worker_connections", FD_SETSIZE, w->fd);
        errno = EMFILE;
        return false;
    }
    table.watches[w->fd] = w;
    if (w->fd >= table.end)
        table.end = w->fd + 1;
    return true;
}

static void select_remove(struct watch *w, bool closing)
{
    (void)closing;
    table.watches[w->fd] = NULL;
    while (table.end > 0 && !table.watches[table.end - 1])
        table.end--;
}

static void choose(fd_set *reading, fd_set *writing)
{
    FD_ZERO(reading);
    FD_ZERO(writing);
    for (int fd = 0; fd < table.end; fd++) {
        const struct watch *w = table.watches[fd];
        if (!w)
            continue;
        if (w->level || !(w->ready & (READY_READ | READY_EOF)))
            FD_SET(fd, reading);
        if (!w->level && !(w->ready & READY_WRITE))
            FD_SET(fd, writing);
    }
}

static bool select_wait(int timeout)
{
    struct timeval limit = { .tv_sec = timeout / 1000, .tv_usec = timeout % 1000 * 1000 };
    fd_set reading, writing;

    choose(&reading, &writing);
    int found = select(table.end, &reading, &writing, NULL, timeout < 0 ? NULL : &limit);
    for (int fd = 0; found > 0 && fd < table.end; fd++) {
        unsigned bits = (FD_ISSET(fd, &reading) ? READY_READ : 0u) |
                        (FD_ISSET(fd, &writing) ? READY_WRITE : 0u);
        if (bits)
            loop_ready(table.watches[fd], bits);
    }
    return found >= 0;
}

const struct backend select_backend = {
    .name = "select",
    .init = select_init,
    .fini = select_fini,
    .add = select_add,
    .remove = select_remove,
    .wait = select_wait,
};
