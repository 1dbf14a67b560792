/*
 * live: see live.h.
 */
#include "process/live.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"

struct entry {
    struct list link;                  /* the oldest first */
    struct generation *generation;
};

static struct list entries = { &entries, &entries };
static void (*on_change)(unsigned oldest);

static void close_logs(struct generation *g)
{
    for (unsigned i = 0; i < g->log_files.count; i++) {
        struct log_file *f = g->log_files.items[i];

        if (f->path.len && f->fd >= 0)
            close(f->fd);
        f->fd = -1;
    }
}

static void forget(void *data)
{
    struct entry *e = data;
    unsigned before = live_oldest();

    log_settle_all();
    close_logs(e->generation);
    list_remove(&e->link);
    if (on_change && live_oldest() != before)
        on_change(live_oldest());
}

/* The last to run: other cleanups may write to the log files yet. */
static void run_last(struct generation *g, void (*run)(void *data), void *data)
{
    struct cleanup **link = &g->cleanups;

    while (*link)
        link = &(*link)->next;
    *link = ARENA_NEW(&g->arena, struct cleanup);
    **link = (struct cleanup){ NULL, run, data };
}

void live_track(struct generation *g)
{
    struct entry *e = ARENA_NEW(&g->arena, struct entry);

    e->generation = g;
    list_push(&entries, &e->link);
    run_last(g, forget, e);
}

void live_on_change(void (*changed)(unsigned oldest))
{
    on_change = changed;
}

unsigned live_oldest(void)
{
    unsigned oldest = 0;

    LIST_EACH(node, &entries) {
        unsigned number = CONTAINER(node, struct entry, link)->generation->number;

        if (oldest == 0 || number < oldest)
            oldest = number;
    }
    return oldest;
}

void live_after_fork(const struct generation *kept)
{
    LIST_EACH_SAFE(node, &entries) {
        if (CONTAINER(node, struct entry, link)->generation != kept)
            list_remove(node);
    }
    on_change = NULL;
}

/* ---- log files ---- */

void live_open_logs(struct generation *g)
{
    for (unsigned i = 0; i < g->log_files.count; i++) {
        struct log_file *f = g->log_files.items[i];

        if (f->path.len == 0 || log_file_open(f))
            continue;
        f->failing = f->fd < 0;        /* it is said here, and need not be said again */
        log_note(LOG_LEVEL_ALERT, errno, "could not open log file \"%.*s\"%s", STR_ARG(f->path),
                 f->failing ? ": its lines are lost" : "");
    }
}

static void put_in_place(struct log_file *f, int fd)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = fd;
    f->failing = false;
}

static struct generation *find(unsigned number)
{
    LIST_EACH(node, &entries) {
        struct entry *e = CONTAINER(node, struct entry, link);

        if (e->generation->number == number)
            return e->generation;
    }
    return NULL;
}

static void replace_path(struct generation *g, struct str path, int fd)
{
    for (unsigned i = 0; i < g->log_files.count; i++) {
        struct log_file *f = g->log_files.items[i];

        if (str_eq(f->path, path))
            put_in_place(f, fcntl(fd, F_DUPFD_CLOEXEC, 0));
    }
}

void live_replace_log(unsigned number, unsigned index, int fd)
{
    struct generation *g = find(number);

    if (g && index < g->log_files.count && g->log_files.items[index]->path.len) {
        struct str path = g->log_files.items[index]->path;

        LIST_EACH(node, &entries)
            replace_path(CONTAINER(node, struct entry, link)->generation, path, fd);
    }
    close(fd);
}

void live_point_stderr(const struct log *log)
{
    for (unsigned i = 0; i < log->count; i++) {
        const struct log_file *f = log->targets[i].file;

        if (f && f->path.len && f->fd >= 0) {
            dup2(f->fd, STDERR_FILENO);
            return;
        }
    }
}
