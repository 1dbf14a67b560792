/*
 * pipeline: how bodies flow.  A body is a source that is pulled; a filter wraps the source in one of
 * its own; the sink (v1, v2, v3, or the request that a subrequest belongs to) pulls when its client
 * can take more.  That is the only back-pressure there is.
 */
#ifndef HTTP_PIPELINE_H
#define HTTP_PIPELINE_H

#include <sys/types.h>

#include "base/arena.h"

struct request;
struct source;

/* A piece of a body: bytes in memory, or of a file. */
struct span {
    const char *data;      /* NULL: of a file */
    size_t len;
    int file;              /* descriptor */
    off_t offset;
};

enum { BATCH_SPANS = 16 };

struct batch {
    unsigned count;
    size_t bytes;          /* sum of the spans' lengths */
    struct span spans[BATCH_SPANS];
};

static inline void batch_reset(struct batch *b)
{
    b->count = 0;
    b->bytes = 0;
}

static inline bool batch_full(const struct batch *b)
{
    return b->count == BATCH_SPANS;
}

/* The caller makes sure that the batch is not full. */
static inline void batch_memory(struct batch *b, const char *data, size_t len)
{
    b->spans[b->count++] = (struct span){ .data = data, .len = len, .file = -1 };
    b->bytes += len;
}

static inline void batch_file(struct batch *b, int file, off_t offset, size_t len)
{
    b->spans[b->count++] = (struct span){ .len = len, .file = file, .offset = offset };
    b->bytes += len;
}

enum pull {
    PULL_DATA,             /* spans were added, and there is more to come */
    PULL_LAST,             /* that was all; spans may have been added */
    PULL_WAIT,             /* nothing now: the source calls request_wake() when there is */
    PULL_ERROR,            /* the body cannot be completed (logged): the response must be cut off */
};

struct source_ops {
    const char *name;
    /*
     * Adds spans of at most `budget` bytes (more than 0) to `out`.  What they point at stays valid until
     * the next pull or close of the same source.
     */
    enum pull (*pull)(struct source *s, struct batch *out, size_t budget);
    /* Lets go of what the source holds (descriptors, a peer's connection, the source it wraps); its
     * memory belongs to the request's arena.  Called once, also when the body was not read to its end. */
    void (*close)(struct source *s);
    /* The next pull begins at byte `offset` of the whole, in either direction; at most its length.  NULL:
     * the source can only be read from its start on. */
    void (*seek)(struct source *s, off_t offset);
};

struct source {
    const struct source_ops *ops;
    struct request *request;
};

static inline enum pull source_pull(struct source *s, struct batch *out, size_t budget)
{
    return s->ops->pull(s, out, budget);
}

static inline void source_close(struct source *s)
{
    if (s && s->ops->close)
        s->ops->close(s);
}

/* Pulls for nobody, a turn's worth at most: true when there is no more of it.  Otherwise the request
 * is woken when there is. */
bool source_read_away(struct source *s);

/* A source of bytes that live as long as the request. */
struct source *source_memory(struct request *r, struct str text);
/* A source of bytes first..first+len-1 of an open file; `close` if not NULL is called with `owner`. */
struct source *source_file(struct request *r, int file, off_t first, off_t len,
                           void (*close)(void *owner), void *owner);
/* `sources` one after the other; closes them. */
struct source *source_chain(struct request *r, struct source *const *sources, unsigned count);

/*
 * A filter looks at the response's head and, if it applies, changes it and wraps the body.  `enabled`
 * is asked once per location, when its configuration is resolved: a filter that is off is never
 * visited.
 */
struct http_filter {
    const char *name;
    bool (*enabled)(void *const *conf);
    bool main_only;                    /* not for subrequests */
    /* 0, or a status that replaces the response (416, 500). */
    int (*apply)(struct request *r);
};

/* The filters that a location's requests pass, as bits of the table in pipeline.c. */
uint64_t pipeline_enabled(void *const *conf);
/* Runs the response through them, the first of the table first. */
int pipeline_apply(struct request *r, uint64_t enabled);
/* Bit i's filter; NULL: there are no more. */
const struct http_filter *pipeline_filter(unsigned i);

#endif
