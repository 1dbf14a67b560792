/*
 * filter_input: see filter_input.h.
 */
#include "http/modules/filter_input.h"

#include <errno.h>
#include <unistd.h>

#include "http/modules/scratch.h"
#include "http/request.h"

enum {
    FILE_PIECE = 32768,
    PULL_BYTES = 65536,                /* asked of the source at a time */
};

void filter_input_init(struct filter_input *in, struct source *inner)
{
    in->inner = inner;
    in->space = NULL;
    in->at = 0;
    in->last = false;
    batch_reset(&in->batch);
}

/* Reads the next part of a piece of a file. */
static enum pull read_file(struct filter_input *in, struct span *s, struct str *piece)
{
    size_t want = s->len < FILE_PIECE ? s->len : FILE_PIECE;
    ssize_t n;

    if (!in->space && !(in->space = scratch_take(FILE_PIECE)))
        return PULL_ERROR;
    do
        n = pread(s->file, in->space, want, s->offset);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
        request_log(in->inner->request, LOG_LEVEL_CRIT, n < 0 ? errno : 0,
                    n < 0 ? "pread() of a response's file failed"
                          : "the file was truncated while it was sent");
        return PULL_ERROR;
    }
    *piece = (struct str){ in->space, (size_t)n };
    s->offset += n;
    s->len -= (size_t)n;
    if (s->len == 0)
        in->at++;
    return PULL_DATA;
}

enum pull filter_input_next(struct filter_input *in, struct str *piece)
{
    *piece = STR("");
    for (;;) {
        while (in->at < in->batch.count) {
            struct span *s = &in->batch.spans[in->at];
            if (s->len && !s->data)
                return read_file(in, s, piece);
            in->at++;
            if (s->len) {
                *piece = (struct str){ s->data, s->len };
                return PULL_DATA;
            }
        }
        if (in->last)
            return PULL_LAST;
        batch_reset(&in->batch);
        in->at = 0;
        enum pull result = source_pull(in->inner, &in->batch, PULL_BYTES);
        if (result == PULL_ERROR || (result == PULL_WAIT && in->batch.count == 0))
            return result;
        in->last = result == PULL_LAST;
    }
}

void filter_input_close(struct filter_input *in)
{
    source_close(in->inner);
    scratch_give(in->space);
    in->inner = NULL;
    in->space = NULL;
}
