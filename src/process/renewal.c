/*
 * renewal: see renewal.h.
 */
#include "process/renewal.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/kept_files.h"
#include "event/timer.h"
#include "net/tls.h"
#include "process/dynamic.h"

enum {
    LOOK_MS = 700,                     /* two looks must fit into two seconds */
    GRACE_MS = 10000,                  /* after the last change, before something is wrong */
    RETRY_MS = 60000,                  /* what failed may have been another thing: a name, the memory */
    DAY = 86400,
};

struct watched {
    struct str path;
    const struct bundle_file *used;    /* of the generation in use */
    struct file_mark seen, tried;      /* at the last look, and when it was read last */
    time_t good_until;                 /* of the certificate in use; -1: it is none */
    bool is_key;
    bool held;                         /* what is on the disk is no good */
    bool told;                         /* and that was said */
};

static const struct options *options;
static struct tree *tree;
static struct arena arena;
static struct watched *files;
static unsigned count;
static uint64_t changed_ms, tried_ms;
static struct timer timer;
static bool (*use_loaded)(struct loaded *l);   /* NULL: not begun */

static bool same(const struct file_mark *a, const struct file_mark *b)
{
    return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
           a->size == b->size && a->inode == b->inode;
}

static struct watched *find(struct str path)
{
    for (unsigned i = 0; i < count; i++) {
        if (str_eq(files[i].path, path))
            return &files[i];
    }
    return NULL;
}

/* ---- what is watched ---- */

static void watch_file(const struct bundle_file *f)
{
    if (str_find(f->content, STR("-----BEGIN ")) < 0 && !tls_is_answer(f->content))
        return;
    files[count++] = (struct watched){
        .path = arena_str(&arena, f->path), .used = f, .seen = f->mark, .tried = f->mark,
        .good_until = tls_not_after(f->content),
        .is_key = str_find(f->content, STR("PRIVATE KEY-----")) >= 0,
    };
}

/* What is held stays so: its content in `g` is not the disk's. */
static void keep_held(const struct watched *old)
{
    struct watched *w = old->held ? find(old->path) : NULL;

    if (!w)
        return;
    w->seen = old->seen;
    w->tried = old->tried;
    w->held = true;
    w->told = old->told;
}

static void watch_all(const struct generation *g)
{
    struct arena old_arena = arena;
    const struct watched *old = files;
    unsigned old_count = count;

    arena_init(&arena);
    count = 0;
    files = ARENA_NEW_ARRAY(&arena, struct watched, g->files.count + 1);
    for (unsigned i = 0; i < g->files.count; i++)
        watch_file(&g->files.items[i]);
    for (unsigned i = 0; i < old_count; i++)
        keep_held(&old[i]);
    arena_fini(&old_arena);
}

static void start_timer(void)
{
    if (use_loaded && count)
        timer_set(&timer, LOOK_MS);
}

void renewal_watch(struct tree *t, const struct generation *g)
{
    tree_free(tree);
    tree = t;
    for (unsigned i = 0; i < count; i++)
        files[i].held = false;         /* all was read anew */
    watch_all(g);
    start_timer();
}

/* ---- what is said ---- */

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
        char space[LOG_LINE_MAX];
        struct out o = out_fixed(space, sizeof space);

        if (tls_warn_of_end(&o, files[i].path, files[i].good_until))
            log_note(LOG_LEVEL_WARN, 0, "%.*s", STR_ARG(out_str_of(&o)));
    }
}

static void tell_changes(void)
{
    for (unsigned i = 0; i < count; i++) {
        if (!same(&files[i].seen, &files[i].tried))
            log_note(LOG_LEVEL_NOTICE, 0, "\"%.*s\" has changed on disk", STR_ARG(files[i].path));
    }
}

static void tell_kept(void)
{
    for (unsigned i = 0; i < count; i++) {
        struct watched *w = &files[i];
        char space[HTTP_DATE_LEN];
        struct out date = out_fixed(space, sizeof space);

        if (!w->held || w->told)
            continue;
        w->told = true;
        if (w->good_until != -1) {
            clock_put_http_date(&date, w->good_until);
            log_note(LOG_LEVEL_ERROR, 0, "the former content of \"%.*s\" stays in use, its "
                     "certificate is good until %.*s", STR_ARG(w->path), STR_ARG(out_str_of(&date)));
        } else if (!w->is_key) {
            log_note(LOG_LEVEL_ERROR, 0, "the former content of \"%.*s\" stays in use",
                     STR_ARG(w->path));
        }
    }
}

/* Something is held, and nobody knows. */
static bool is_untold(void)
{
    for (unsigned i = 0; i < count; i++) {
        if (files[i].held && !files[i].told)
            return true;
    }
    return false;
}

static bool is_held(void)
{
    for (unsigned i = 0; i < count; i++) {
        if (files[i].held)
            return true;
    }
    return false;
}

/* ---- a renewal ---- */

/* What mistakes are about keeps its content in the next round.  false: it has kept it already. */
static bool hold_more(struct bundle *b, struct arena *a, const struct diag *d)
{
    unsigned before = b->files.count;

    for (unsigned i = 0; i < d->files.count; i++) {
        struct watched *w = find(d->files.items[i]);
        if (!w || w->held)
            continue;
        w->held = true;
        *ARRAY_PUSH(&b->files, a) = *w->used;
    }
    return b->files.count > before;
}

/* All that is good from the disk, the rest as it was. */
static struct loaded load_good(bool aloud)
{
    struct bundle b = { .tree = tree, .prefix = options->prefix,
                        .conf_prefix = options->conf_prefix };
    struct arena scratch;
    struct loaded l;
    bool again;

    arena_init(&scratch);
    for (unsigned i = 0; i < count; i++)
        files[i].held = false;
    do {
        struct diag d;
        diag_init(&d);
        l = load_again(&b, &d);
        again = !l.generation && hold_more(&b, &scratch, &d);
        if (!l.generation && aloud)
            diag_log(&d, log_process);
        diag_fini(&d);
    } while (again);
    arena_fini(&scratch);
    return l;
}

/* Whether the disk has something that is to be used and is not yet. */
static bool is_news(void)
{
    for (unsigned i = 0; i < count; i++) {
        if (!files[i].held && !same(&files[i].tried, &files[i].used->mark))
            return true;
    }
    return false;
}

static void hold_all(void)
{
    for (unsigned i = 0; i < count; i++)
        files[i].held = !same(&files[i].tried, &files[i].used->mark);
}

static void renew(bool aloud)
{
    tried_ms = clock_ms();
    for (unsigned i = 0; i < count; i++)
        files[i].tried = files[i].seen;
    struct loaded l = load_good(aloud);
    if (!l.generation) {
        hold_all();
    } else if (!is_news()) {
        dynamic_restore();
        generation_unref(l.generation);
    } else if (use_loaded(&l)) {
        watch_all(l.generation);
    } else {
        generation_unref(l.generation);
        hold_all();
    }
    if (aloud)
        tell_kept();
}

/* ---- looks ---- */

/* Whether a file has changed and then stayed as it is; all of them must have.  One that is away for the
 * moment changes nothing. */
static bool is_due(void)
{
    bool due = false, settled = true;

    for (unsigned i = 0; i < count; i++) {
        struct watched *w = &files[i];
        struct file_mark now;

        if (!kept_files_mark(w->path.data, &now))
            continue;
        if (!same(&now, &w->seen)) {
            settled = w->told = false;
            changed_ms = clock_ms();
            w->seen = now;
        }
        due = due || !same(&now, &w->tried);
    }
    return due && settled;
}

static void on_timer(struct timer *t)
{
    timer_set(t, LOOK_MS);
    warn_of_ends();
    if (is_due()) {
        tell_changes();
        renew(false);
    } else if (is_untold() && clock_ms() - changed_ms >= GRACE_MS) {
        renew(true);
    } else if (is_held() && clock_ms() - tried_ms >= RETRY_MS) {
        renew(false);
    }
}

void renewal_begin(const struct options *o, bool (*use)(struct loaded *l))
{
    options = o;
    use_loaded = use;
    timer_init(&timer, on_timer);
    start_timer();
}

void renewal_end(void)
{
    timer_cancel(&timer);
    use_loaded = NULL;
}

void renewal_forget(void)
{
    tree_free(tree);
    tree = NULL;
    arena_fini(&arena);
    arena_init(&arena);
    files = NULL;
    count = 0;
}
