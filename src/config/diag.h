/*
 * diag: the mistakes found in a configuration, all of them, and how they are shown.  The first line of
 * each keeps nginx's wording (`unknown directive "x" in f:3`); below it stand the line, a caret, and
 * what to do.
 */
#ifndef CONFIG_DIAG_H
#define CONFIG_DIAG_H

#include <stdio.h>

#include "base/array.h"
#include "base/log.h"

struct tree;
struct node;

struct diag_item {
    enum log_level level;              /* EMERG: a mistake; WARN: a warning */
    int error;                         /* errno, or 0 */
    struct str message;                /* one line, without the place */
    struct str hint;                   /* what to do; may be empty */
    struct str path;                   /* empty: no place is known */
    struct str line_text;              /* the line as it stands in the file; may be empty */
    unsigned file;                     /* of the tree; UINT_MAX: no place */
    uint32_t line;                     /* 0: the path is no file (the command line) */
    uint16_t column, width;            /* 0: no caret */
};

enum { DIAG_MAX = 1000 };              /* more mistakes than that are counted, but not kept */

struct diag {
    struct arena arena;
    ARRAY(struct diag_item) items;     /* by file and line, those without a place at the end */
    unsigned errors, warnings;
    ARRAY(struct str) files;           /* whose contents are to blame; a path may come again */
    bool advise;                       /* a person asks (-t): tell also of what is right, but may bite */
    /* Where the line of the last mistake was found: the next one mostly follows. */
    const char *seek_text, *seek_at;
    uint32_t seek_line;
};

void diag_init(struct diag *d);
void diag_fini(struct diag *d);

/* A mistake without a place: `error` is an errno or 0. */
void diag_note(struct diag *d, enum log_level level, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A mistake at word `word` of `n` (0: the name).  `hint` may be empty. */
void diag_at(struct diag *d, enum log_level level, const struct tree *t, const struct node *n,
             unsigned word, int error, struct str hint, struct str message);

/* All of it to `f`, in nginx's form `weir: [emerg] message in file:line`, each followed by the line,
 * caret and hint; in colour if `colour`. */
void diag_print(const struct diag *d, FILE *f, bool colour);
/* One line each to the error log of the running process (a reload that failed). */
void diag_log(const struct diag *d, const struct log *log);

#endif
