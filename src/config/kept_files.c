/*
 * kept_files: see kept_files.h.
 */
#include "config/kept_files.h"

#include <errno.h>
#include <fcntl.h>
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

static bool read_file(struct arena *a, struct str path, struct str *content)
{
    int fd = open(path.data, O_RDONLY | O_CLOEXEC);
    struct out o = out_growing(a, KEPT_FILE_MAX);

    if (fd < 0)
        return false;
    bool good = read_all(fd, &o);
    int error = errno;
    close(fd);
    errno = error;
    *content = arena_str(a, out_str_of(&o));
    return good;
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
    if (!read_file(&g->arena, path, content))
        return false;
    *ARRAY_PUSH(&g->files, &g->arena) =
        (struct bundle_file){ arena_str(&g->arena, path), *content };
    return true;
}
