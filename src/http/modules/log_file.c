/*
 * log_file: see log_file.h.
 */
#include "http/modules/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/deflate/deflate.h"
#include "base/syslog.h"
#include "config/names.h"
#include "event/timer.h"
#include "http/core.h"
#include "http/request.h"
#include "script/table.h"

struct log_sink {
    struct log_file *file;             /* NULL: syslog */
    struct syslog *syslog;
    struct log_buffering how;
    char *buffer;                      /* of how.size bytes; NULL: each line is written at once */
    size_t used;
    struct timer timer;
    time_t complained;                 /* when a failure was last logged */
};

/* ---- files that the master opened ---- */

/* One warning a minute; what could not be written is lost. */
static void complain(struct log_sink *sink, int error)
{
    if (clock_seconds() - sink->complained < 60)
        return;
    sink->complained = clock_seconds();
    log_note(LOG_LEVEL_ALERT, error, "writing the access log \"%.*s\" failed, lines are lost",
             STR_ARG(sink->file->path));
}

/* With one call, so that what several workers write does not mix. */
static void write_out(struct log_sink *sink, struct str text)
{
    ssize_t n = write(sink->file->fd, text.data, text.len);

    if (n != (ssize_t)text.len)
        complain(sink, n < 0 ? errno : ENOSPC);
}

/* The same as a member of gzip's. */
static void write_compressed(struct log_sink *sink, struct str text)
{
    struct deflate_params params = {
        .format = DEFLATE_GZIP, .level = sink->how.gzip, .window_bits = 15, .mem_level = 8,
        .length = text.len,
    };
    size_t room = text.len + text.len / 64 + 128, state = (deflate_memory(&params) + 15) & ~(size_t)15;
    char *memory = malloc(state + room);

    if (!memory) {
        complain(sink, ENOMEM);
        return;
    }
    struct deflate_io io = {
        (const unsigned char *)text.data, text.len, (unsigned char *)memory + state, room,
    };
    if (deflate_run(deflate_init(memory, &params), &io, DEFLATE_FINISH) == DEFLATE_END)
        write_out(sink, (struct str){ memory + state, room - io.out_len });
    free(memory);
}

static void put(struct log_sink *sink, struct str text)
{
    if (sink->file->fd < 0 || text.len == 0)
        return;
    if (sink->how.gzip)
        write_compressed(sink, text);
    else
        write_out(sink, text);
}

static void flush(struct log_sink *sink)
{
    timer_cancel(&sink->timer);
    put(sink, (struct str){ sink->buffer, sink->used });
    sink->used = 0;
}

static void on_flush_time(struct timer *t)
{
    flush(CONTAINER(t, struct log_sink, timer));
}

static void fini_sink(void *data)
{
    struct log_sink *sink = data;

    if (sink->file)
        flush(sink);
    else
        syslog_fini(sink->syslog);
}

static struct log_sink *new_file_sink(struct generation *g, struct log_file *file,
                                      const struct log_buffering *how)
{
    struct log_sink *sink = ARENA_NEW(&g->arena, struct log_sink);

    sink->file = file;
    sink->how = *how;
    timer_init(&sink->timer, on_flush_time);
    if (how->size)
        sink->buffer = arena_alloc(&g->arena, how->size);
    generation_cleanup(g, fini_sink, sink);
    return sink;
}

struct log_sink *log_sink_file(struct setting *s, struct str path, struct log_buffering how)
{
    struct generation *g = s->config->generation;
    struct http *h = g->http;
    uint32_t hash = str_hash(path);

    if (!h->log_sinks) {
        h->log_sinks = ARENA_NEW(&g->arena, struct table);
        table_init(h->log_sinks, &g->arena, false);
    }
    struct table_entry *known = table_find(h->log_sinks, hash, path);
    if (!known) {
        struct log_sink *sink = new_file_sink(g, generation_log_file(g, path), &how);
        table_add(h->log_sinks, hash, sink->file->path, sink);
        return sink;
    }
    struct log_sink *sink = known->value;
    if (sink->how.size == how.size && sink->how.flush == how.flush && sink->how.gzip == how.gzip)
        return sink;
    setting_error(s, 1, "access_log \"%.*s\" already defined with conflicting parameters",
                  STR_ARG(path));
    return NULL;
}

struct log_sink *log_sink_syslog(struct setting *s, struct str text)
{
    struct generation *g = s->config->generation;
    struct log_sink *sink = ARENA_NEW(&g->arena, struct log_sink);
    struct syslog_names names = names_for_syslog(s);
    struct str problem;

    sink->syslog = syslog_parse(&g->arena, text, &names, &problem);
    if (!sink->syslog) {
        setting_error(s, 1, "%.*s", STR_ARG(problem));
        return NULL;
    }
    generation_cleanup(g, fini_sink, sink);
    return sink;
}

struct str log_sink_name(const struct log_sink *sink)
{
    return sink->file ? sink->file->path : sink->syslog->server;
}

void log_sink_write(struct log_sink *sink, struct str line)
{
    if (!sink->file) {
        syslog_send(sink->syslog, sink->syslog->severity, str_first(line, line.len - 1));
        return;
    }
    if (sink->used + line.len > sink->how.size)
        flush(sink);
    if (line.len > sink->how.size) {
        put(sink, line);
        return;
    }
    memcpy(sink->buffer + sink->used, line.data, line.len);
    sink->used += line.len;
    if (sink->how.flush && !timer_armed(&sink->timer))
        timer_set(&sink->timer, sink->how.flush);
}

/* ---- files named by variables ---- */

static bool parse_log_cache(struct setting *s, void *field)
{
    struct log_cache_conf *c = field;

    *c = (struct log_cache_conf){ .min_uses = 1, .inactive = 10, .valid = 60 };
    if (s->node->count == 2 && str_eq(setting_arg(s, 1), STR("off")))
        return true;
    for (unsigned i = 1; i < s->node->count; i++) {
        struct str value = setting_arg(s, i), name = str_split(&value, '=');
        bool good = false;
        if (str_eq(name, STR("max")))
            good = str_to_uint(value, 1 << 20, &c->max) && c->max > 0;
        else if (str_eq(name, STR("min_uses")))
            good = str_to_uint(value, UINT32_MAX, &c->min_uses) && c->min_uses > 0;
        else if (str_eq(name, STR("inactive")))
            good = parse_seconds(value, &c->inactive);
        else if (str_eq(name, STR("valid")))
            good = parse_seconds(value, &c->valid);
        if (!good)
            return setting_error(s, i, "invalid \"open_log_file_cache\" parameter \"%.*s\"",
                                 STR_ARG(setting_arg(s, i)));
    }
    return c->max > 0 ||
           setting_error(s, 0, "\"open_log_file_cache\" must have \"max\" parameter");
}

static void print_log_cache(const struct directive *row, const void *field, struct out *o)
{
    const struct log_cache_conf *c = field;

    (void)row;
    if (c->max == 0)
        OUT_LITERAL(o, "off");
    else
        out_printf(o, "max=%u min_uses=%u inactive=%llds valid=%llds", c->max, c->min_uses,
                   (long long)c->inactive, (long long)c->valid);
}

const struct type type_log_cache = {
    "max=N [inactive=time] [min_uses=N] [valid=time] | off", "off, or max=N and others",
    parse_log_cache, print_log_cache,
};

/* A file in mind: open, or only counted so far. */
struct kept {
    struct list link;                  /* the one used last stands first */
    struct kept *next;                 /* in its bucket */
    uint32_t hash;
    int fd;
    unsigned uses;
    time_t used, checked;
    ino_t inode;
    char path[];
};

static struct list kept_files = { &kept_files, &kept_files };
static unsigned kept_count;
static struct kept *buckets[1024];

static struct kept **bucket_of(uint32_t hash)
{
    return &buckets[(hash ^ hash >> 16) % (sizeof buckets / sizeof buckets[0])];
}

static void forget(struct kept *k)
{
    struct kept **place = bucket_of(k->hash);

    while (*place != k)
        place = &(*place)->next;
    *place = k->next;
    list_remove(&k->link);
    if (k->fd >= 0)
        close(k->fd);
    free(k);
    kept_count--;
}

void log_cache_close_all(void)
{
    while (!list_empty(&kept_files))
        forget(CONTAINER(kept_files.next, struct kept, link));
}

static struct kept *find_kept(struct str path, uint32_t hash)
{
    struct kept *k = *bucket_of(hash);

    while (k && (k->hash != hash || strcmp(k->path, path.data) != 0))
        k = k->next;
    return k;
}

/* Old ones go, and the one that was not used for longest where there are too many. */
static void make_room(const struct log_cache_conf *conf)
{
    while (!list_empty(&kept_files)) {
        struct kept *last = CONTAINER(kept_files.prev, struct kept, link);
        if (kept_count < conf->max && clock_seconds() - last->used < conf->inactive)
            return;
        forget(last);
    }
}

static struct kept *new_kept(struct str path, uint32_t hash)
{
    struct kept **place = bucket_of(hash), *k = malloc(sizeof *k + path.len + 1);

    if (!k)
        return NULL;
    *k = (struct kept){ .fd = -1, .hash = hash, .next = *place };
    memcpy(k->path, path.data, path.len + 1);
    list_init(&k->link);
    list_push_front(&kept_files, &k->link);
    k->used = clock_seconds();
    k->uses = 1;
    *place = k;
    kept_count++;
    return k;
}

/* The entry of a path, as used now.  NULL: there is none, or not any more. */
static struct kept *use_kept(const struct log_cache_conf *conf, struct str path)
{
    struct kept *k = find_kept(path, str_hash(path));

    if (k && k->used + conf->inactive < clock_seconds()) {
        forget(k);
        return NULL;
    }
    if (!k)
        return NULL;
    list_remove(&k->link);
    list_push_front(&kept_files, &k->link);
    k->used = clock_seconds();
    k->uses++;
    return k;
}

/* A file that was moved away by a person is opened anew. */
static void check_kept(const struct log_cache_conf *conf, struct kept *k)
{
    struct stat st;

    if (k->fd < 0 || clock_seconds() - k->checked < conf->valid)
        return;
    k->checked = clock_seconds();
    if (stat(k->path, &st) < 0 || st.st_ino != k->inode) {
        close(k->fd);
        k->fd = -1;
    }
}

/* One message a minute, whichever file it is that fails. */
static void complain_of(struct request *r, int error, const char *what, struct str path)
{
    static time_t complained;

    if (clock_seconds() - complained < 60)
        return;
    complained = clock_seconds();
    request_log(r, LOG_LEVEL_CRIT, error, "%s \"%.*s\" failed, lines of the access log are lost", what,
                STR_ARG(path));
}

static int open_for(struct request *r, struct str path)
{
    int fd = open(path.data, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0)
        complain_of(r, errno, "open()", path);
    return fd;
}

static void write_line(struct request *r, int fd, struct str path, struct str line)
{
    ssize_t n = write(fd, line.data, line.len);

    if (n != (ssize_t)line.len)
        complain_of(r, n < 0 ? errno : ENOSPC, "write()", path);
}

/* Whether the descriptor is the entry's now. */
static bool keep_open(const struct log_cache_conf *conf, struct kept *k, int fd)
{
    struct stat st;

    if (k->uses < conf->min_uses || fstat(fd, &st) < 0)
        return false;
    k->fd = fd;
    k->inode = st.st_ino;
    k->checked = clock_seconds();
    return true;
}

void log_cache_write(const struct log_cache_conf *conf, struct str path, struct str line,
                     struct request *r)
{
    struct kept *k = conf->max ? use_kept(conf, path) : NULL;

    if (k)
        check_kept(conf, k);
    if (k && k->fd >= 0) {
        write_line(r, k->fd, path, line);
        return;
    }
    int fd = open_for(r, path);
    if (fd < 0)
        return;
    write_line(r, fd, path, line);
    if (conf->max && !k) {                     /* only what could be opened puts others out */
        make_room(conf);
        k = new_kept(path, str_hash(path));
    }
    if (!k || !keep_open(conf, k, fd))
        close(fd);
}
