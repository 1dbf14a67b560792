/*
 * reader: see reader.h.
 */
#include "http/reader.h"

#include <errno.h>
#include <unistd.h>

#include "http/request.h"

enum { READER_BUDGET = 65536, READER_SPACE = 16384 };

void reader_init(struct reader *d, struct source *source)
{
    *d = (struct reader){ .source = source };
}

static enum pull read_file(struct reader *d, const struct span *s, struct str *bytes)
{
    struct request *r = d->source->request;
    size_t want = s->len - d->at;

    if (!d->space)
        d->space = arena_alloc(&r->arena, READER_SPACE);
    ssize_t n = pread(s->file, d->space, want < READER_SPACE ? want : READER_SPACE,
                      s->offset + (off_t)d->at);
    if (n <= 0) {
        request_log(r, n < 0 ? LOG_LEVEL_CRIT : LOG_LEVEL_ALERT, n < 0 ? errno : 0,
                    n < 0 ? "pread() failed" : "a file was truncated while it was sent");
        return PULL_ERROR;
    }
    *bytes = (struct str){ d->space, (size_t)n };
    return PULL_DATA;
}

enum pull reader_next(struct reader *d, struct str *bytes)
{
    while (d->span < d->batch.count && d->at == d->batch.spans[d->span].len) {
        d->span++;
        d->at = 0;
    }
    while (d->span == d->batch.count) {
        if (d->last)
            return PULL_LAST;
        batch_reset(&d->batch);
        d->span = 0;
        enum pull result = source_pull(d->source, &d->batch, READER_BUDGET);
        if (result == PULL_ERROR || (result == PULL_WAIT && d->batch.count == 0))
            return result;
        d->last = result == PULL_LAST;
        while (d->span < d->batch.count && d->batch.spans[d->span].len == 0)
            d->span++;
    }
    const struct span *s = &d->batch.spans[d->span];
    if (s->data)
        *bytes = (struct str){ s->data + d->at, s->len - d->at };
    else if (read_file(d, s, bytes) == PULL_ERROR)
        return PULL_ERROR;
    d->at += bytes->len;
    return PULL_DATA;
}

void reader_seek(struct reader *d, off_t offset)
{
    batch_reset(&d->batch);
    d->span = 0;
    d->at = 0;
    d->last = false;
    d->source->ops->seek(d->source, offset);
}
