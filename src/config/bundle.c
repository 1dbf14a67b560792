/*
 * bundle: see bundle.h.  The format is this program's own, for the same program to read: numbers in
 * network byte order, texts with their length in front; nodes in the order of the file, each
 * followed by what it holds.
 */
#include "config/bundle.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/os.h"
#include "base/out.h"

enum { MAGIC = 0x57425532, MAX_BUNDLE = 1 << 30 };

/* ---- packing ---- */

static void put_text(struct out *o, struct str s)
{
    out_u32(o, (uint32_t)s.len);
    out_str(o, s);
}

static unsigned count_nodes(const struct node *n)
{
    unsigned count = 0;

    for (; n; n = n->next)
        count++;
    return count;
}

static void put_nodes(struct out *o, const struct node *n)
{
    out_u32(o, count_nodes(n));
    for (; n; n = n->next) {
        out_u32(o, n->file);
        out_u32(o, n->end_line);
        out_u8(o, n->block);
        out_u32(o, n->count);
        for (unsigned i = 0; i < n->count; i++) {
            const struct word *w = &n->words[i];
            put_text(o, w->text);
            out_u32(o, w->line);
            out_u16(o, w->column);
            out_u16(o, w->width);
        }
        if (n->block)
            put_nodes(o, n->children);
    }
}

static void put_bundle(struct out *o, const struct bundle *b)
{
    out_u32(o, MAGIC);
    put_text(o, b->prefix);
    put_text(o, b->conf_prefix);
    out_u32(o, b->tree->files.count);
    for (unsigned i = 0; i < b->tree->files.count; i++) {
        put_text(o, b->tree->files.items[i].path);
        out_u8(o, b->tree->files.items[i].command_line);
    }
    put_nodes(o, b->tree->top);
    out_u32(o, b->files.count);
    for (unsigned i = 0; i < b->files.count; i++) {
        put_text(o, b->files.items[i].path);
        put_text(o, b->files.items[i].content);
    }
    out_u32(o, MAGIC);
}

static bool write_all(int fd, struct str s)
{
    while (s.len) {
        ssize_t n = write(fd, s.data, s.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s = str_from(s, (size_t)n);
    }
    return true;
}

int bundle_pack(const struct bundle *b)
{
    struct arena scratch;
    int fd = os_memory_file("weir-bundle");

    if (fd < 0)
        return -1;
    arena_init(&scratch);
    struct out o = out_growing(&scratch, MAX_BUNDLE);
    put_bundle(&o, b);
    bool good = !o.overflow && write_all(fd, out_str_of(&o));
    int error = o.overflow ? ENOMEM : errno;
    arena_fini(&scratch);
    if (good) {
        os_memory_seal(fd);                    /* where there are seals */
        return fd;
    }
    close(fd);
    errno = error;
    return -1;
}

/* ---- unpacking ---- */

static struct str take_text(struct cursor *c, struct arena *a)
{
    return arena_str(a, cursor_str(c, cursor_u32(c)));
}

/* A number of things of at least `size` bytes each: no more than there can be. */
static unsigned take_count(struct cursor *c, unsigned size)
{
    unsigned n = cursor_u32(c);

    if (n > cursor_left(c) / size) {
        c->bad = true;
        return 0;
    }
    return n;
}

static struct node *take_nodes(struct cursor *c, struct tree *t, struct node *parent,
                               unsigned depth);

static void take_node(struct cursor *c, struct tree *t, struct node *n, unsigned depth)
{
    n->file = cursor_u32(c);
    n->end_line = cursor_u32(c);
    n->block = cursor_u8(c) != 0;
    n->count = take_count(c, 12);
    n->words = ARENA_NEW_ARRAY(&t->arena, struct word, n->count);
    for (unsigned i = 0; i < n->count; i++) {
        struct word *w = &n->words[i];
        w->text = take_text(c, &t->arena);
        w->line = cursor_u32(c);
        w->column = cursor_u16(c);
        w->width = cursor_u16(c);
    }
    if (n->file >= t->files.count || n->count == 0)
        c->bad = true;
    if (n->block)
        n->children = take_nodes(c, t, n, depth + 1);
}

static struct node *take_nodes(struct cursor *c, struct tree *t, struct node *parent,
                               unsigned depth)
{
    struct node *first = NULL, **tail = &first;
    unsigned count = take_count(c, 13);

    if (depth > TREE_MAX_DEPTH)
        c->bad = true;
    for (unsigned i = 0; i < count && !c->bad; i++) {
        struct node *n = ARENA_NEW(&t->arena, struct node);
        n->parent = parent;
        *tail = n;
        tail = &n->next;
        take_node(c, t, n, depth);
    }
    return first;
}

static bool take_bundle(struct cursor *c, struct bundle *b)
{
    struct tree *t = b->tree;

    if (cursor_u32(c) != MAGIC)
        return false;
    b->prefix = take_text(c, &t->arena);
    b->conf_prefix = take_text(c, &t->arena);
    for (unsigned left = take_count(c, 5); left && !c->bad; left--) {
        struct tree_file *f = ARRAY_PUSH(&t->files, &t->arena);
        f->path = take_text(c, &t->arena);
        f->command_line = cursor_u8(c) != 0;
    }
    t->top = take_nodes(c, t, NULL, 0);
    for (unsigned left = take_count(c, 8); left && !c->bad; left--) {
        struct bundle_file *f = ARRAY_PUSH(&b->files, &t->arena);
        f->path = take_text(c, &t->arena);
        f->content = take_text(c, &t->arena);
    }
    return cursor_u32(c) == MAGIC && !c->bad && cursor_left(c) == 0;
}

bool bundle_unpack(int fd, struct bundle *b)
{
    struct stat st;

    *b = (struct bundle){ 0 };
    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > MAX_BUNDLE)
        return false;
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return false;
    struct cursor c = cursor_of(data, (size_t)st.st_size);
    b->tree = tree_new();
    bool good = take_bundle(&c, b);
    munmap(data, (size_t)st.st_size);
    if (!good) {
        tree_free(b->tree);
        *b = (struct bundle){ 0 };
    }
    return good;
}
