/*
 * renewal: see renewal.h.
 */
#include "process/renewal.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "event/timer.h"
#include "net/tls.h"

enum {
    LOOK_MS = 700,                     /* two looks must fit into two seconds */
    DAY = 86400,
};

struct mark {
    struct timespec when;
    off_t size;
    ino_t inode;
};

struct watched {
    struct str path;
    struct mark used, seen;            /* what was tried last, and what was there at the last look */
    time_t good_until;                 /* of the certificate in use; -1: it is none */
};

static struct tree *tree;
static struct arena arena;
static struct watched *files;
static unsigned count;
static struct timer timer;
static bool (*renew_all)(struct tree *t);

/* A file that is away for the moment changes nothing. */
static bool look(const char *path, struct mark *m)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return false;
    *m = (struct mark){ st.st_mtim, st.st_size, st.st_ino };
    return true;
}

static bool same(const struct mark *a, const struct mark *b)
{
    return a->when.tv_sec == b->when.tv_sec && a->when.tv_nsec == b->when.tv_nsec &&
           a->size == b->size && a->inode == b->inode;
}

static bool is_pem(struct str content)
{
    return content.data && strstr(content.data, "-----BEGIN ") != NULL;
}

static void watch_file(const struct bundle_file *f)
{
    struct watched *w = &files[count];

    if (!is_pem(f->content))
        return;
    *w = (struct watched){ .path = arena_str(&arena, f->path),
                           .good_until = tls_not_after(f->content) };
    look(w->path.data, &w->used);
    w->seen = w->used;
    count++;
}

void renewal_again(const struct generation *g)
{
    if (arena.chunks)
        arena_fini(&arena);
    arena_init(&arena);
    count = 0;
    files = ARENA_NEW_ARRAY(&arena, struct watched, g->files.count);
    for (unsigned i = 0; i < g->files.count; i++)
        watch_file(&g->files.items[i]);
    if (renew_all && count)
        timer_set(&timer, LOOK_MS);
}

void renewal_watch(struct tree *t, const struct generation *g)
{
    if (tree)
        tree_free(tree);
    tree = t;
    renewal_again(g);
    if (count)
        return;
    tree_free(t);                              /* nothing can renew it */
    tree = NULL;
}

static void tell_kept(void)
{
    for (unsigned i = 0; i < count; i++) {
        char date[HTTP_DATE_LEN];
        struct out o = out_fixed(date, sizeof date);

        if (files[i].good_until < 0)
            continue;
        clock_put_http_date(&o, files[i].good_until);
        log_note(LOG_LEVEL_ERROR, 0, "the former content of \"%.*s\" stays in use, its certificate "
                 "is good until %.*s", STR_ARG(files[i].path), STR_ARG(out_str_of(&o)));
    }
}

/* Once a day; when they are loaded it is said as well. */
static void warn_of_ends(void)
{
    static time_t last;

    if (!last)
        last = clock_seconds();
    if (clock_seconds() - last < DAY)
        return;
    last = clock_seconds();
    for (unsigned i = 0; i < count; i++) {
        char date[HTTP_DATE_LEN];
        struct out o = out_fixed(date, sizeof date);

        if (!tls_ends_soon(files[i].good_until))
            continue;
        clock_put_http_date(&o, files[i].good_until);
        log_note(LOG_LEVEL_WARN, 0, "certificate \"%.*s\" is good until %.*s alone: renew it",
                 STR_ARG(files[i].path), STR_ARG(out_str_of(&o)));
    }
}

/* Whether a file has changed and then stayed as it is; all of them must have. */
static bool is_due(void)
{
    bool due = false, settled = true;

    for (unsigned i = 0; i < count; i++) {
        struct mark now;

        if (!look(files[i].path.data, &now))
            continue;
        settled = settled && same(&now, &files[i].seen);
        due = due || !same(&now, &files[i].used);
        files[i].seen = now;
    }
    return due && settled;
}

static void on_timer(struct timer *t)
{
    timer_set(t, LOOK_MS);
    warn_of_ends();
    if (!count || !is_due())
        return;
    for (unsigned i = 0; i < count; i++) {
        if (!same(&files[i].seen, &files[i].used))
            log_note(LOG_LEVEL_NOTICE, 0, "\"%.*s\" has changed on disk", STR_ARG(files[i].path));
        files[i].used = files[i].seen;
    }
    if (!renew_all(tree))
        tell_kept();
}

void renewal_begin(bool (*renew)(struct tree *t))
{
    renew_all = renew;
    timer_init(&timer, on_timer);
    if (count)
        timer_set(&timer, LOOK_MS);
}
