/*
 * kept_files: see kept_files.h.
 */
#include "config/kept_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/out.h"
#include "config/bundle.h"

enum { PIECE = 4096 };

static bool read_all(int fd, struct out *o)
{
    for (;;) {
        if (!out_need(o, PIECE)) {
            errno = EFBIG;
            return false;
        }
        ssize_t n = read(fd, o->at, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        o->at += n;
    }
}

static struct file_mark mark_of(const struct stat *st)
{
    return (struct file_mark){ st->st_mtim, st->st_size, st->st_ino };
}

bool kept_files_mark(const char *path, struct file_mark *m)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return false;
    *m = mark_of(&st);
    return true;
}

/* What is written while it is read makes another mark than this one. */
static bool read_open(int fd, struct arena *a, struct bundle_file *f)
{
    struct out o = out_growing(a, KEPT_FILE_MAX);
    struct stat st;

    if (fstat(fd, &st) != 0 || !read_all(fd, &o))
        return false;
    f->mark = mark_of(&st);
    f->content = arena_str(a, out_str_of(&o));
    return true;
}

static bool read_file(struct arena *a, struct bundle_file *f)
{
    int fd = open(f->path.data, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    bool good = read_open(fd, a, f);
    int error = errno;
    close(fd);
    errno = error;
    return good;
}

/* false: it is not among those. */
static bool copy_held(const struct bundle *held, struct arena *a, struct bundle_file *f)
{
    for (unsigned i = 0; held && i < held->files.count; i++) {
        const struct bundle_file *h = &held->files.items[i];
        if (!str_eq(h->path, f->path))
            continue;
        f->content = arena_str(a, h->content);
        f->mark = h->mark;
        return true;
    }
    return false;
}

/* What is known already: all of a bundle, or what was read so far. */
struct known {
    const struct bundle_file *items;
    unsigned count;
};

static struct known known_files(const struct config *c)
{
    if (c->packed)
        return (struct known){ c->packed->files.items, c->packed->files.count };
    return (struct known){ c->generation->files.items, c->generation->files.count };
}

/* The slot of that path, or the free one where it belongs. */
static unsigned *slot_of(struct config *c, struct known all, struct str path)
{
    unsigned i = str_hash(path) & (c->file_slot_count - 1);

    while (c->file_slots[i] && !str_eq(all.items[c->file_slots[i] - 1].path, path))
        i = (i + 1) & (c->file_slot_count - 1);
    return &c->file_slots[i];
}

/* Every known file has a slot then, and half of the slots are free. */
static void fill_slots(struct config *c, struct known all)
{
    if (c->file_slot_count == 0 || all.count * 2 >= c->file_slot_count) {
        c->file_slot_count = c->file_slot_count ? c->file_slot_count : 16;
        while (all.count * 2 >= c->file_slot_count)
            c->file_slot_count *= 2;
        c->file_slots = ARENA_NEW_ARRAY(&c->scratch, unsigned, c->file_slot_count);
        c->files_slotted = 0;
    }
    for (; c->files_slotted < all.count; c->files_slotted++)
        *slot_of(c, all, all.items[c->files_slotted].path) = c->files_slotted + 1;
}

static bool is_known(struct config *c, struct str path, struct str *content)
{
    struct known all = known_files(c);

    fill_slots(c, all);
    unsigned place = *slot_of(c, all, path);
    if (place)
        *content = all.items[place - 1].content;
    return place != 0;
}

bool kept_files_read(struct setting *s, struct str path, struct str *content)
{
    struct generation *g = s->config->generation;

    if (is_known(s->config, path, content))
        return true;
    if (s->config->packed) {
        errno = ENOENT;
        return false;
    }
    struct bundle_file f = { .path = arena_str(&g->arena, path) };
    if (!copy_held(s->config->held, &g->arena, &f) && !read_file(&g->arena, &f)) {
        int error = errno;
        kept_files_blame(s, path);
        errno = error;
        return false;
    }
    *ARRAY_PUSH(&g->files, &g->arena) = f;
    *content = f.content;
    return true;
}

void kept_files_make(struct setting *s, struct str key,
                     struct str (*make)(struct arena *a, struct str what), struct str what,
                     struct str *content)
{
    struct arena *a = &s->config->generation->arena;

    if (is_known(s->config, key, content))
        return;
    struct bundle_file f = { .path = arena_str(a, key) };
    if (!copy_held(s->config->held, a, &f))
        f.content = arena_str(a, make(&s->config->scratch, what));
    *content = f.content;
    if (!s->config->packed)
        *ARRAY_PUSH(&s->config->generation->files, a) = f;
}

void kept_files_blame(const struct setting *s, struct str path)
{
    struct diag *d = s->config->diag;

    *ARRAY_PUSH(&d->files, &d->arena) = arena_str(&d->arena, path);
}
