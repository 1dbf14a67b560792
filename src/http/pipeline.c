/*
 * pipeline: the basic sources, and the order of the filters.
 */
#include "http/pipeline.h"

#include "http/request.h"
#include "http/trace.h"
#include "http/modules/add_header.h"
#include "http/modules/addition.h"
#include "http/modules/gunzip.h"
#include "http/modules/gzip.h"
#include "http/modules/charset.h"
#include "http/modules/not_modified.h"
#include "http/modules/range.h"
#include "http/modules/slice.h"
#include "http/modules/ssi/ssi.h"
#include "http/modules/sub.h"
#include "http/modules/userid.h"
#include "modules_enabled.h"

/*
 * The filters in the order in which they see a response: the first is the nearest to the content, the
 * last the nearest to the wire.
 */
static const struct http_filter *const filters[] = {
    IF_MODULE_slice(&slice_filter,)
    &not_modified_filter,
    &add_header_filter,
    IF_MODULE_userid(&userid_filter,)
    IF_MODULE_gunzip(&gunzip_filter,)
    IF_MODULE_sub(&sub_filter,)
    IF_MODULE_charset(&charset_filter,)
    IF_MODULE_ssi(&ssi_filter,)
    IF_MODULE_addition(&addition_filter,)      /* what is added has passed its own filters */
    IF_MODULE_gzip(&gzip_filter,)
    &range_filter,
};

enum {
    FILTERS = sizeof filters / sizeof filters[0],
    TURN_BYTES = 1 << 20,              /* read away before others get their turn */
};

uint64_t pipeline_enabled(void *const *conf)
{
    uint64_t enabled = 0;

    for (unsigned i = 0; i < FILTERS; i++) {
        if (!filters[i]->enabled || filters[i]->enabled(conf))
            enabled |= (uint64_t)1 << i;
    }
    return enabled;
}

const struct http_filter *pipeline_filter(unsigned i)
{
    return i < FILTERS ? filters[i] : NULL;
}

static int apply(struct request *r, const struct http_filter *filter)
{
    return r->trace ? r->trace->filter(r, filter) : filter->apply(r);
}

int pipeline_apply(struct request *r, uint64_t enabled)
{
    for (unsigned i = 0; enabled; i++, enabled >>= 1) {
        bool passes = (enabled & 1) && !(filters[i]->main_only && r->parent);
        int status = passes ? apply(r, filters[i]) : 0;
        if (status)
            return status;
    }
    return 0;
}

bool source_read_away(struct source *s)
{
    for (size_t bytes = 0; bytes < TURN_BYTES;) {
        struct batch batch;
        batch_reset(&batch);
        enum pull result = source_pull(s, &batch, TURN_BYTES);
        if (result == PULL_WAIT)
            return false;
        if (result != PULL_DATA)
            return true;
        bytes += batch.bytes;
    }
    request_wake(s->request);
    return false;
}

struct memory_source {
    struct source source;
    struct str text, left;
};

static enum pull memory_pull(struct source *s, struct batch *out, size_t budget)
{
    struct memory_source *m = (struct memory_source *)s;
    size_t n = m->left.len < budget ? m->left.len : budget;

    if (n > 0)
        batch_memory(out, m->left.data, n);
    m->left = str_from(m->left, n);
    return m->left.len ? PULL_DATA : PULL_LAST;
}

static void memory_seek(struct source *s, off_t offset)
{
    struct memory_source *m = (struct memory_source *)s;

    m->left = str_from(m->text, (size_t)offset);
}

static const struct source_ops memory_ops = { "memory", memory_pull, NULL, memory_seek };

struct source *source_memory(struct request *r, struct str text)
{
    struct memory_source *m = ARENA_NEW(&r->arena, struct memory_source);

    m->source = (struct source){ &memory_ops, r };
    m->text = m->left = text;
    return &m->source;
}

struct file_source {
    struct source source;
    int file;
    off_t first, at, end;
    void (*close)(void *owner);
    void *owner;
};

static enum pull file_pull(struct source *s, struct batch *out, size_t budget)
{
    struct file_source *f = (struct file_source *)s;
    off_t left = f->end - f->at;
    size_t n = (uint64_t)left < budget ? (size_t)left : budget;

    if (n > 0)
        batch_file(out, f->file, f->at, n);
    f->at += (off_t)n;
    return f->at < f->end ? PULL_DATA : PULL_LAST;
}

static void file_close(struct source *s)
{
    struct file_source *f = (struct file_source *)s;

    if (f->close)
        f->close(f->owner);
}

static void file_seek(struct source *s, off_t offset)
{
    struct file_source *f = (struct file_source *)s;

    f->at = f->first + offset;
}

static const struct source_ops file_ops = { "file", file_pull, file_close, file_seek };

struct source *source_file(struct request *r, int file, off_t first, off_t len,
                           void (*close)(void *owner), void *owner)
{
    struct file_source *f = ARENA_NEW(&r->arena, struct file_source);

    f->source = (struct source){ &file_ops, r };
    f->file = file;
    f->first = f->at = first;
    f->end = first + len;
    f->close = close;
    f->owner = owner;
    return &f->source;
}

struct chain_source {
    struct source source;
    unsigned at, count;
    struct source *parts[];
};

static enum pull chain_pull(struct source *s, struct batch *out, size_t budget)
{
    struct chain_source *c = (struct chain_source *)s;

    while (c->at < c->count) {
        enum pull result = source_pull(c->parts[c->at], out, budget);
        if (result != PULL_LAST)
            return result;
        /* The part stays open: what it gave must be good until the next pull. */
        c->at++;
        if (out->bytes > 0)
            break;
    }
    return c->at < c->count ? PULL_DATA : PULL_LAST;
}

static void chain_close(struct source *s)
{
    struct chain_source *c = (struct chain_source *)s;

    for (unsigned i = 0; i < c->count; i++)
        source_close(c->parts[i]);
}

static const struct source_ops chain_ops = { "chain", chain_pull, chain_close, NULL };

struct source *source_chain(struct request *r, struct source *const *sources, unsigned count)
{
    struct chain_source *c =
        arena_zalloc(&r->arena, sizeof *c + count * sizeof(struct source *));

    c->source = (struct source){ &chain_ops, r };
    c->count = count;
    memcpy(c->parts, sources, count * sizeof(struct source *));
    return &c->source;
}
