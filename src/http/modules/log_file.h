/*
 * log_file: where lines of an access log go: a file that the master opened, with a buffer perhaps;
 * syslog; or a file whose name is made of variables, opened by the worker and kept open for a while.
 */
#ifndef HTTP_MODULES_LOG_FILE_H
#define HTTP_MODULES_LOG_FILE_H

#include "config/resolve.h"

struct log_sink;
struct request;

/* How lines reach a file. */
struct log_buffering {
    size_t size;                       /* bytes that are gathered before they are written; 0: none */
    uint64_t flush;                    /* ms after which they are written all the same; 0: not by time */
    unsigned gzip;                     /* level from 1; each write is a member of gzip's; 0: plain text */
};

/* A file.  The same path has one buffer.  NULL after setting_error(). */
struct log_sink *log_sink_file(struct setting *s, struct str path, struct log_buffering how);
struct log_sink *log_sink_syslog(struct setting *s, struct str text);
struct str log_sink_name(const struct log_sink *sink);
/* A whole line, its end included. */
void log_sink_write(struct log_sink *sink, struct str line);

struct log_cache_conf {
    unsigned max;                      /* files kept open; 0: none */
    unsigned min_uses;                 /* before one is kept */
    time_t inactive, valid;            /* seconds */
};

extern const struct type type_log_cache;

/* Appends a line to the file of that path, NUL-terminated. */
void log_cache_write(const struct log_cache_conf *conf, struct str path, struct str line,
                     struct request *r);
/* Closes what is kept open (log reopening, end of the worker). */
void log_cache_close_all(void);

#endif
