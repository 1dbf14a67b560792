/*
 * trace: a look at what a request goes through, for who explains it (http/explain.h).  A request in
 * service has none; the places that ask for it are few: steps, filters, the look for a location, the
 * steps of a rewrite, redirects, files and log lines.
 */
#ifndef HTTP_TRACE_H
#define HTTP_TRACE_H

#include "base/log.h"

struct request;
struct http_step;
struct http_filter;
struct location;
struct rewrite_step;
struct file;

struct trace {
    /* In the place of their run() and apply(): these decide whether to call them. */
    int (*step)(struct request *r, const struct http_step *step);
    int (*filter)(struct request *r, const struct http_filter *filter);
    /* Names of a level have been looked through; `found`: the exact one or the longest prefix, or NULL. */
    void (*level)(struct request *r, const struct location *level, const struct location *found);
    /* Patterns of a level too; `found`: the first that matched, or NULL. */
    void (*patterns)(struct request *r, const struct location *level,
                     const struct location *found);
    /* A regular expression of a rewriting line was tried. */
    void (*match)(struct request *r, struct str subject, bool matched);
    /* A rewriting line was run; `entered`: it is an `if` whose condition held. */
    void (*rewrite)(struct request *r, const struct rewrite_step *step, bool entered, int result);
    /* An internal redirect is about to be made; to a named location: without arguments. */
    void (*redirect)(struct request *r, struct str uri, struct str args);
    /* A status was given that may have a page of its own. */
    void (*status)(struct request *r, unsigned status);
    /* A file was looked for; with `opened`, to be sent. */
    void (*file)(struct request *r, struct str path, const struct file *f, bool opened);
    /* A line of the error log, which does not get it. */
    void (*log)(const struct request *r, enum log_level level, int error, const char *format,
                va_list args);
    void *data;            /* the explaining side's own */
};

#endif
