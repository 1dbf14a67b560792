/*
 * log: the error log.  A log is a set of targets (files, stderr, syslog), each with its level; a
 * line goes to every target whose level lets it pass, in nginx's format, so that log tools keep
 * working:
 *
 *     2026/11/21 09:00:00 [error] 71#71: *5 open() "/x" failed (13: Permission denied), client: ...
 *
 * Writing never blocks the service and never fails it: a full disk is one warning.  Knows no files'
 * names beyond opening them, and nothing of connections: a scope adds what its owner knows.
 *
 * A flood is thinned out: of one same line (all of it but the connection's number and what the
 * scope adds) a log takes 100 in a second; of the others it says when that second is over, for each
 * such line, "message repeated N times: [...]".  Lines of level debug are never left out.
 *
 * Not for use by other threads than the loop's.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <time.h>

#include "base/array.h"
#include "base/out.h"

enum log_level {
    LOG_LEVEL_STDERR,      /* always written, without a level's word being asked for */
    LOG_LEVEL_EMERG,
    LOG_LEVEL_ALERT,
    LOG_LEVEL_CRIT,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

enum {
    LOG_LINE_MAX = 2048,   /* bytes of a line, its end included; what is longer is cut */
    LOG_FLOOD = 100,       /* lines a second */
};

/* An open file that the process writes logs to; the master opens it, and reopens it in place. */
struct log_file {
    int fd;                /* -1: not open, lines are dropped after one warning */
    struct str path;       /* empty for stderr */
    bool bare;             /* for a person at a terminal: "weir: [emerg] message" */
    /* The log's own: a write has failed, and is tried again in another second. */
    bool failing, torn;    /* torn: a line was cut off without its end */
    time_t failed_at;
};

struct log_target {
    enum log_level level;              /* lines of this level and graver ones pass */
    struct log_file *file;             /* one of file and syslog is set */
    struct syslog *syslog;             /* base/syslog.h */
};

struct log {
    struct log_target *targets;
    unsigned count;
    enum log_level level;              /* the most talkative of the targets' levels */
};

/* What the owner of a message adds to it. */
struct log_scope {
    uint64_t number;                   /* of the connection, "*5"; 0: none */
    const void *object;
    void (*describe)(const void *object, struct out *o);   /* ", client: ..."; may be NULL */
};

/* The log of the process outside any configuration's block; starts as stderr, bare, level
 * notice. */
extern const struct log *log_process;

static inline bool log_enabled(const struct log *log, enum log_level level)
{
    return level <= log->level;
}

/* `error` is an errno to explain, or 0.  A message is one line: control characters are written
 * as \xHH. */
void log_write(const struct log *log, enum log_level level, int error,
               const struct log_scope *scope, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void log_vwrite(const struct log *log, enum log_level level, int error,
                const struct log_scope *scope, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));

/* To log_process, without a scope: log_note(LOG_LEVEL_NOTICE, 0, "...") */
#define log_note(level, error, ...)                                                                \
    (log_enabled(log_process, (level))                                                             \
         ? log_write(log_process, (level), (error), NULL, __VA_ARGS__)                             \
         : (void)0)

/* Opens f->path (which ends in NUL) for appending, in place of what was open.  false: errno, and
 * what was open stays. */
bool log_file_open(struct log_file *f);

/* "error" of a level ("" of LOG_LEVEL_STDERR), and back: false if there is no such level. */
const char *log_level_name(enum log_level level);
bool log_level_parse(struct str name, enum log_level *level);

/* Lines have been left out, their counts are to be written. */
extern bool log_counting;
/* For the loop: writes the counts whose second is over. */
void log_settle(void);
/* Writes all counts and forgets them: call it before memory of any struct log is freed, because the
 * counts point to their logs until the second is over. */
void log_settle_all(void);

/* The pid in messages is cached: call after fork. */
void log_after_fork(void);

#endif
