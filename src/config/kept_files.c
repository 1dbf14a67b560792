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

bool kept_files_read(struct setting *s, struct str path, struct str *content)
{
    struct generation *g = s->config->generation;
    const struct bundle *packed = s->config->packed;
    unsigned count = packed ? packed->files.count : g->files.count;
    const struct bundle_file *known = packed ? packed->files.items : g->files.items;

    for (unsigned i = 0; i < count; i++) {
        if (str_eq(known[i].path, path)) {
            *content = known[i].content;
            return true;
        }
    }
    if (packed) {
        errno = ENOENT;
        return false;
    }
    if (!read_file(&g->arena, path, content))
        return false;
    *ARRAY_PUSH(&g->files, &g->arena) =
        (struct bundle_file){ arena_str(&g->arena, path), *content };
    return true;
}
