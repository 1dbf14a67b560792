/*
 * reader: the bytes of a source in memory, piece by piece, for filters that look at them.  Spans of
 * files are read into the reader's own space.
 */
#ifndef HTTP_READER_H
#define HTTP_READER_H

#include "base/str.h"
#include "http/pipeline.h"

struct reader {
    struct source *source;             /* the filter closes it */
    struct batch batch;
    unsigned span;                     /* the one that is next */
    size_t at;                         /* bytes of it that were given */
    bool last;                         /* the source has said so */
    char *space;                       /* for files; made when it is needed */
};

void reader_init(struct reader *d, struct source *source);
/*
 * PULL_DATA: *bytes is the next piece, never empty, good until the next call.  PULL_LAST: there is none
 * any more.  PULL_WAIT, PULL_ERROR (logged).
 */
enum pull reader_next(struct reader *d, struct str *bytes);
/* As the source's own seek(), which must be there. */
void reader_seek(struct reader *d, off_t offset);

#endif
