/*
 * filter_input: what a filter that looks at every byte reads: the source it wraps, as pieces of memory,
 * whether they come from memory or from files.
 */
#ifndef HTTP_MODULES_FILTER_INPUT_H
#define HTTP_MODULES_FILTER_INPUT_H

#include "http/pipeline.h"

struct filter_input {
    struct source *inner;
    char *space;                       /* for pieces of files; NULL until one comes */
    unsigned at;                       /* in the batch */
    bool last;
    struct batch batch;
};

void filter_input_init(struct filter_input *in, struct source *inner);
/*
 * The next piece.  PULL_DATA: `*piece` is not empty, and good until the next call; PULL_LAST: there is
 * no more, and `*piece` is empty; PULL_WAIT; PULL_ERROR.
 */
enum pull filter_input_next(struct filter_input *in, struct str *piece);
/* Closes the source. */
void filter_input_close(struct filter_input *in);

#endif
