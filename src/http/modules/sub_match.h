/*
 * sub_match: finds several texts in another, without regard to case.  What is searched comes in pieces:
 * where a text may go on in the next piece, the search says so.  Pure logic.
 */
#ifndef HTTP_MODULES_SUB_MATCH_H
#define HTTP_MODULES_SUB_MATCH_H

#include "base/arena.h"

struct sub_text {
    struct str text;                   /* in lower case; empty: it is never found */
    bool off;                          /* not looked for (any more) */
};

struct sub_texts {
    struct sub_text *items;
    unsigned count;
    size_t longest;
    unsigned char first[256];          /* by a byte: whether some text may begin with it */
};

enum sub_found {
    SUB_NONE,                          /* nothing in it */
    SUB_FOUND,                         /* text *which at *at */
    SUB_MORE,                          /* from *at on it may be one, if more bytes follow */
};

/* `texts` are copied in lower case; memory is in `a`. */
void sub_texts_init(struct sub_texts *t, struct arena *a, const struct str *texts, unsigned count);
/* Text i is not looked for any more. */
void sub_texts_drop(struct sub_texts *t, unsigned i);
/* Whether any is left. */
bool sub_texts_left(const struct sub_texts *t);
/*
 * The first place where a text stands; of several there the first of the list.  `last`: no more bytes
 * follow.  *at counts from the start of `subject`.
 */
enum sub_found sub_match(const struct sub_texts *t, struct str subject, bool last, size_t *at,
                         unsigned *which);

#endif
