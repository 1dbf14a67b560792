/*
 * log: see log.h.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/syslog.h"

enum {
    HEAD_MAX = 96,             /* time, level, pid and number */
    BODY_MAX = LOG_LINE_MAX - HEAD_MAX,
    ERROR_ROOM = 128,          /* kept for errno's text behind a message that is too long */
    SCOPE_MAX = 8192,          /* what a scope may write before it is cut */
    REPEATS = 16,              /* different lines of one second that are counted */
    SAMPLE_MAX = 256,          /* bytes of a counted line that are shown again */
};

static const char *const level_names[] = {
    "", "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug",
};

static struct log_file stderr_file = { .fd = STDERR_FILENO, .bare = true };
static struct log_target stderr_target = { .level = LOG_LEVEL_NOTICE, .file = &stderr_file };
static const struct log stderr_log = {
    .targets = &stderr_target, .count = 1, .level = LOG_LEVEL_NOTICE,
};

const struct log *log_process = &stderr_log;
bool log_counting;

/* A line as it is put together once, for all targets. */
struct line {
    enum log_level level;
    uint64_t number;
    struct str body;           /* message, error, scope and the newline */
};

/* How often a line was written this second. */
struct repeat {
    const struct log *log;     /* NULL: a free place */
    const char *format;
    enum log_level level;
    uint32_t hash;
    unsigned count;
    unsigned sample_len;
    char sample[SAMPLE_MAX];
};

static struct repeat repeats[REPEATS];
static unsigned next_victim;
static time_t repeats_second;
static pid_t pid;

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_level_parse(struct str name, enum log_level *level)
{
    for (unsigned i = LOG_LEVEL_EMERG; i <= LOG_LEVEL_DEBUG; i++) {
        if (str_eq(name, str_of(level_names[i]))) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* ---- files ---- */

bool log_file_open(struct log_file *f)
{
    /* Non-blocking: the path may be a pipe, whose reader must not hold up the service. */
    int fd = open(f->path.data, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                  0644);

    if (fd < 0)
        return false;
    if (f->fd >= 0)
        close(f->fd);
    f->fd = fd;
    f->failing = f->torn = false;
    return true;
}

/* Says once that a file takes no lines. */
static void complain(const struct log_file *f, int error)
{
    if (f->fd == STDERR_FILENO)
        return;
    dprintf(STDERR_FILENO,
            "weir: [alert] log \"%.*s\" can not be written, lines are lost (%d: %s)\n",
            STR_ARG(f->path), error, strerror(error));
}

/* stderr is shared with others and can't be made non-blocking: its reader may hold up the
 * service. */
static bool would_block(const struct log_file *f)
{
    struct pollfd p = { .fd = f->fd, .events = POLLOUT };

    return f->path.len == 0 && poll(&p, 1, 0) == 0;
}

/* One call for a line, so that lines of several processes do not mix. */
static void write_file(struct log_file *f, struct str head, struct str body)
{
    struct iovec iov[3] = {
        { (void *)"\n", f->torn },
        { (void *)head.data, head.len },
        { (void *)body.data, body.len },
    };
    ssize_t whole = (ssize_t)(f->torn + head.len + body.len);

    if (f->failing && f->failed_at == clock_seconds())
        return;
    ssize_t written = -1;
    errno = EAGAIN;
    if (!would_block(f))
        written = writev(f->fd, iov, 3);
    if (written == whole) {
        f->failing = f->torn = false;
        return;
    }
    int error = written < 0 ? errno : ENOSPC;
    if (written > 0)
        f->torn = true;
    if (!f->failing)
        complain(f, error);
    f->failing = true;
    f->failed_at = clock_seconds();
}

/* ---- lines ---- */

/* As much as there is room for; a character is never cut in its \xHH. */
static void put_escaped(struct out *o, struct str s)
{
    for (size_t i = 0; i < s.len && out_room(o) >= 4; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c >= ' ' && c != 0x7f) {
            *o->at++ = (char)c;
        } else {
            OUT_LITERAL(o, "\\x");
            out_hex(o, c, 2);
        }
    }
}

static void put_message(struct out *o, int error, const char *format, va_list args)
{
    char text[LOG_LINE_MAX];
    int len = vsnprintf(text, sizeof text, format, args);
    size_t shown = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    struct out message = out_fixed(o->at, out_room(o) - (error ? ERROR_ROOM : 0));

    put_escaped(&message, (struct str){ text, shown });
    o->at = message.at;
    if (error)
        out_printf(o, " (%d: %s)", error, strerror(error));
}

static void put_scope(struct out *o, const struct log_scope *scope)
{
    char text[SCOPE_MAX];
    struct out all = out_fixed(text, sizeof text);

    scope->describe(scope->object, &all);
    put_escaped(o, out_str_of(&all));
}

static void put_head(struct out *o, const struct line *line, bool bare)
{
    if (bare) {
        OUT_LITERAL(o, "weir: ");
    } else {
        out_str(o, clock_log_time());
        out_char(o, ' ');
    }
    if (line->level != LOG_LEVEL_STDERR)
        out_printf(o, "[%s] ", level_names[line->level]);
    if (bare)
        return;
    if (!pid)
        pid = getpid();
    out_printf(o, "%ld#%ld: ", (long)pid, (long)pid);
    if (line->number)
        out_printf(o, "*%llu ", (unsigned long long)line->number);
}

static void emit_to(const struct log_target *target, const struct line *line)
{
    char space[HEAD_MAX];
    struct out head = out_fixed(space, sizeof space);

    put_head(&head, line, target->file && target->file->bare);
    if (target->file) {
        write_file(target->file, out_str_of(&head), line->body);
        return;
    }
    char text[LOG_LINE_MAX];
    struct out whole = out_fixed(text, sizeof text);
    out_str(&whole, out_str_of(&head));
    out_str(&whole, str_first(line->body, line->body.len - 1));
    syslog_send(target->syslog, line->level ? line->level - 1u : 0, out_str_of(&whole));
}

static void emit(const struct log *log, const struct line *line)
{
    for (unsigned i = 0; i < log->count; i++) {
        if (line->level <= log->targets[i].level)
            emit_to(&log->targets[i], line);
    }
}

/* ---- floods ---- */

static void write_count(const struct repeat *r)
{
    char space[LOG_LINE_MAX];
    struct out o = out_fixed(space, sizeof space);

    out_printf(&o, "message repeated %u times: [%.*s]\n", r->count - LOG_FLOOD,
               (int)r->sample_len, r->sample);
    emit(r->log, &(struct line){ .level = r->level, .body = out_str_of(&o) });
}

static void forget_repeat(struct repeat *r)
{
    struct repeat settled = *r;

    r->log = NULL;
    if (settled.log && settled.count > LOG_FLOOD)
        write_count(&settled);
}

void log_settle_all(void)
{
    log_counting = false;
    repeats_second = clock_seconds();
    for (unsigned i = 0; i < REPEATS; i++)
        forget_repeat(&repeats[i]);
}

void log_settle(void)
{
    if (repeats_second != clock_seconds())
        log_settle_all();
}

static struct repeat *find_repeat(const struct repeat *key)
{
    for (unsigned i = 0; i < REPEATS; i++) {
        const struct repeat *r = &repeats[i];
        if (r->hash == key->hash && r->log == key->log && r->format == key->format &&
            r->level == key->level)
            return &repeats[i];
    }
    return NULL;
}

/* A free place, or that of the line with the lowest count, of several the next in turn. */
static struct repeat *place_for_repeat(void)
{
    unsigned best = next_victim;

    for (unsigned i = 0; i < REPEATS; i++) {
        unsigned at = (next_victim + i) % REPEATS;
        if (!repeats[at].log)
            return &repeats[at];
        if (repeats[at].count < repeats[best].count)
            best = at;
    }
    next_victim = (best + 1) % REPEATS;
    forget_repeat(&repeats[best]);
    return &repeats[best];
}

/* Counts the line; true if there were enough of it this second. */
static bool is_flood(const struct log *log, enum log_level level, const char *format,
                     struct str text)
{
    struct repeat key = { .log = log, .format = format, .level = level, .hash = str_hash(text) };

    if (level == LOG_LEVEL_DEBUG)
        return false;
    log_settle();
    struct repeat *r = find_repeat(&key);
    if (!r) {
        r = place_for_repeat();
        *r = key;
        r->sample_len = (unsigned)(text.len < SAMPLE_MAX ? text.len : SAMPLE_MAX);
        memcpy(r->sample, text.data, r->sample_len);
    }
    if (++r->count <= LOG_FLOOD)
        return false;
    log_counting = true;
    return true;
}

/* ---- writing ---- */

void log_vwrite(const struct log *log, enum log_level level, int error,
                const struct log_scope *scope, const char *format, va_list args)
{
    char space[BODY_MAX];
    struct out body = out_fixed(space, sizeof space - 1);

    if (!log_enabled(log, level))
        return;
    if (clock_ms() == 0)
        clock_update();
    put_message(&body, error, format, args);
    if (is_flood(log, level, format, out_str_of(&body)))
        return;
    if (scope && scope->describe)
        put_scope(&body, scope);
    *body.at++ = '\n';
    emit(log, &(struct line){ .level = level,
                              .number = scope ? scope->number : 0,
                              .body = out_str_of(&body) });
}

void log_write(const struct log *log, enum log_level level, int error,
               const struct log_scope *scope, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_vwrite(log, level, error, scope, format, args);
    va_end(args);
}

void log_after_fork(void)
{
    pid = getpid();
    log_counting = false;
    for (unsigned i = 0; i < REPEATS; i++)
        repeats[i].log = NULL;
}
