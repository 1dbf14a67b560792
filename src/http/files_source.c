/*
 * files_source: see files_source.h.  A file that has become shorter than it was when it was opened ends
 * the response: nothing is ever padded.
 */
#include "http/files_source.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "event/threads.h"
#include "http/files_open.h"
#include "http/request.h"

enum { LEAST_ALIGNMENT = 4096, MOST_ALIGNMENT = 1 << 20 };     /* of direct reads */

/* A piece of a file being read, perhaps in a thread: then it may outlive the request, and holds the
 * file itself. */
struct piece {
    struct task task;
    struct request *request;           /* NULL: it has ended meanwhile */
    struct file *file;
    off_t offset;
    size_t len;                        /* bytes that are wanted */
    size_t slack;                      /* bytes in front of them: direct reads want all aligned */
    size_t room;                       /* of `data` */
    size_t alignment;                  /* of direct reads: a power of two */
    ssize_t got;                       /* -1: error */
    int error;
    bool reading, done;
    char *data;
};

struct file_source {
    struct source source;
    struct file *file;
    struct str path;
    off_t at, end;
    struct piece *piece;               /* NULL until the first is read */
    bool threads;
};

static struct file_source *file_source_of(struct source *s)
{
    return (struct file_source *)s;
}

static size_t next_size(const struct file_source *f, size_t budget)
{
    uint64_t left = (uint64_t)(f->end - f->at);

    return left < budget ? (size_t)left : budget;
}

static enum pull gave(struct file_source *f, size_t n)
{
    f->at += (off_t)n;
    return f->at < f->end ? PULL_DATA : PULL_LAST;
}

/* Fewer bytes came than there were when the file was opened. */
static enum pull came_short(struct file_source *f, ssize_t got, int error)
{
    if (got < 0)
        request_log(f->source.request, LOG_LEVEL_CRIT, error, "pread() \"%.*s\" failed",
                    STR_ARG(f->path));
    else
        request_log(f->source.request, LOG_LEVEL_ALERT, 0,
                    "file \"%.*s\" was truncated while it was sent", STR_ARG(f->path));
    return PULL_ERROR;
}

static void file_seek(struct source *s, off_t offset)
{
    file_source_of(s)->at = offset;
}

/* ---- by sendfile ---- */

static enum pull sendfile_pull(struct source *s, struct batch *out, size_t budget)
{
    struct file_source *f = file_source_of(s);
    size_t n = next_size(f, budget);

    if (n > 0)
        batch_file(out, f->file->fd, f->at, n);
    return gave(f, n);
}

static const struct source_ops sendfile_ops = { "file", sendfile_pull, NULL, file_seek };

/* ---- small files, read whole ---- */

static enum pull small_pull(struct source *s, struct batch *out, size_t budget)
{
    struct file_source *f = file_source_of(s);
    size_t n = next_size(f, budget);

    if (n == 0)
        return gave(f, 0);
    char *data = arena_try_alloc(&s->request->arena, n);
    ssize_t got = data ? pread(f->file->fd, data, n, f->at) : -1;
    if (got != (ssize_t)n)
        return came_short(f, got, data ? errno : ENOMEM);
    batch_memory(out, data, n);
    return gave(f, n);
}

static const struct source_ops small_ops = { "small file", small_pull, NULL, file_seek };

/* ---- piece by piece ---- */

static void piece_free(struct piece *p)
{
    file_release(p->file);
    free(p->data);
    free(p);
}

static void piece_work(struct task *t)
{
    struct piece *p = CONTAINER(t, struct piece, task);
    size_t want = p->slack + p->len;

    if (p->file->directio)
        want = (want + p->alignment - 1) & ~(p->alignment - 1);
    do {
        p->got = pread(p->file->fd, p->data, want, p->offset - (off_t)p->slack);
        p->error = errno;
    } while (p->got < 0 && p->error == EINTR);
    if (p->got >= 0)
        p->got = (size_t)p->got > p->slack ? p->got - (ssize_t)p->slack : 0;
    if (p->got > (ssize_t)p->len)
        p->got = (ssize_t)p->len;
}

static void piece_done(struct task *t)
{
    struct piece *p = CONTAINER(t, struct piece, task);

    p->reading = false;
    p->done = true;
    if (p->request)
        request_wake(p->request);
    else
        piece_free(p);
}

static struct piece *piece_new(struct file_source *f)
{
    const struct core_conf *conf = core_conf(f->source.request->conf);
    struct piece *p = calloc(1, sizeof *p);
    size_t room = conf->output_buffers.size * conf->output_buffers.count;
    size_t alignment = LEAST_ALIGNMENT;
    void *data = NULL;

    while (f->file->directio && alignment < conf->directio_alignment && alignment < MOST_ALIGNMENT)
        alignment *= 2;
    room = (room + alignment - 1) & ~(alignment - 1);
    if (room < 2 * alignment)
        room = 2 * alignment;
    if (!p || posix_memalign(&data, alignment, room) != 0) {
        free(p);
        return NULL;
    }
    p->alignment = alignment;
    p->task = (struct task){ piece_work, piece_done, { NULL, NULL } };
    list_init(&p->task.link);
    p->request = f->source.request;
    p->file = file_hold(f->file);
    p->data = data;
    p->room = room;
    return p;
}

/* Reads the next piece: PULL_DATA when it is there. */
static enum pull piece_read(struct file_source *f, size_t budget)
{
    struct piece *p = f->piece;

    p->offset = f->at;
    p->slack = p->file->directio ? (size_t)f->at & (p->alignment - 1) : 0;
    p->len = next_size(f, budget);
    if (p->len > p->room - p->slack)
        p->len = p->room - p->slack;
    if (f->threads) {
        struct thread_pool *pool = files_pool(p->request);
        p->reading = pool && threads_post(pool, &p->task);
        if (p->reading)
            return PULL_WAIT;
    }
    piece_work(&p->task);
    p->done = true;
    return PULL_DATA;
}

static enum pull piece_pull(struct source *s, struct batch *out, size_t budget)
{
    struct file_source *f = file_source_of(s);

    if (f->at == f->end)
        return PULL_LAST;
    if (!f->piece && !(f->piece = piece_new(f)))
        return came_short(f, -1, ENOMEM);
    struct piece *p = f->piece;
    if (p->reading)
        return PULL_WAIT;
    if (!p->done || p->offset != f->at) {
        enum pull result = piece_read(f, budget);
        if (result != PULL_DATA)
            return result;
    }
    p->done = false;
    if (p->got != (ssize_t)p->len)
        return came_short(f, p->got, p->error);
    size_t n = p->len < budget ? p->len : budget;
    batch_memory(out, p->data + p->slack, n);
    return gave(f, n);
}

static void piece_close(struct source *s)
{
    struct piece *p = file_source_of(s)->piece;

    if (p && p->reading)
        p->request = NULL;
    else if (p)
        piece_free(p);
    file_source_of(s)->piece = NULL;
}

static const struct source_ops piece_ops = { "file in pieces", piece_pull, piece_close, file_seek };

struct source *files_source(struct request *r, struct file *f, struct str path)
{
    const struct core_conf *conf = core_conf(r->conf);
    bool threads = conf->aio != AIO_OFF;

    if (f->bytes)
        return source_memory(r, (struct str){ f->bytes, (size_t)f->size });
    struct file_source *s = ARENA_NEW(&r->arena, struct file_source);
    *s = (struct file_source){ .source = { NULL, r }, .file = f, .path = path, .end = f->size,
                               .threads = threads };
    if (f->directio || threads)
        s->source.ops = &piece_ops;
    else if (r->version == VERSION_20)         /* its frames have a space of their own to read into */
        s->source.ops = &sendfile_ops;
    else if (f->size <= FILES_WHOLE)
        s->source.ops = &small_ops;
    else
        s->source.ops = conf->sendfile ? &sendfile_ops : &piece_ops;
    return &s->source;
}
