/*
 * access_log: access_log, log_format and open_log_file_cache.  A line is put together once and written with
 * one call, or gathered in a buffer of the log's own.  A log that can't be written never stops
 * service.
 */
#include "http/modules/access_log.h"

#include <errno.h>
#include <sys/stat.h>

#include "config.h"
#include "http/core.h"
#include "http/modules/log_file.h"
#include "http/modules/log_format.h"
#include "http/request.h"

/* One line of access_log. */
struct access_log {
    struct log_sink *sink;             /* a file, with its buffer, or syslog; NULL: the path is a template */
    struct template path;
    const struct log_format *format;
    struct template condition;         /* if=; empty: always */
    bool has_condition;
};

struct log_conf {
    ARRAY(struct access_log) logs;
    struct log_cache_conf cache;       /* open_log_file_cache */
};

enum { LINE_MAX_BYTES = 65536, GZIP_BUFFER = 65536 };

/* ---- directives ---- */

/* Parameters behind the format. */
struct words {
    struct log_buffering how;
    struct template condition;
    bool has_condition;
};

static bool take_buffer(struct setting *s, unsigned i, struct str value, struct words *w)
{
    return (parse_size(value, &w->how.size) && w->how.size > 0) ||
           setting_error(s, i, "invalid buffer size \"%.*s\"", STR_ARG(value));
}

static bool take_flush(struct setting *s, unsigned i, struct str value, struct words *w)
{
    return (parse_time(value, &w->how.flush) && w->how.flush > 0) ||
           setting_error(s, i, "invalid flush time \"%.*s\"", STR_ARG(value));
}

static bool take_gzip(struct setting *s, unsigned i, struct str value, struct words *w)
{
    w->how.gzip = 1;
    return !value.data || (str_to_uint(value, 9, &w->how.gzip) && w->how.gzip > 0) ||
           setting_error(s, i, "invalid compression level \"%.*s\"", STR_ARG(value));
}

static bool take_condition(struct setting *s, unsigned i, struct str value, struct words *w)
{
    w->has_condition = true;
    return template_compile_text(s, i, value, config_variables(s), &w->condition);
}

static bool take_word(struct setting *s, unsigned i, struct words *w)
{
    struct str value = setting_arg(s, i), name = str_split(&value, '=');

    if (str_eq(name, STR("buffer")) && value.data)
        return take_buffer(s, i, value, w);
    if (str_eq(name, STR("flush")) && value.data)
        return take_flush(s, i, value, w);
    if (str_eq(name, STR("gzip")))
        return take_gzip(s, i, value, w);
    if (str_eq(name, STR("if")) && value.data)
        return take_condition(s, i, value, w);
    return setting_error(s, i, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, i)));
}

static bool open_sink(struct setting *s, struct access_log *log, struct log_buffering how,
                      struct str path)
{
    if (how.gzip && !how.size)
        how.size = GZIP_BUFFER;
    if (how.flush && !how.size)
        return setting_error(s, 0, "no buffer is defined for access_log \"%.*s\"", STR_ARG(path));
    if (str_starts(path, STR("syslog:"))) {
        if (how.size)
            return setting_error(s, 1, "logs to syslog cannot be buffered");
        log->sink = log_sink_syslog(s, path);
        return log->sink != NULL;
    }
    if (str_index(path, '$') >= 0) {
        if (how.size)
            return setting_error(s, 1, "logs cannot have both variables in path and buffering");
        struct str full = path.data[0] == '$' ? path : setting_path(s, path);
        return template_compile_text(s, 1, full, config_variables(s), &log->path);
    }
    log->sink = log_sink_file(s, setting_path(s, path), how);
    return log->sink != NULL;
}

/* access_log off; access_log path [format [parameters]] */
static bool parse_access_log(struct setting *s, void *field)
{
    struct log_conf *c = s->conf;
    struct words w = { 0 };
    struct access_log log = { 0 };
    struct str path = setting_arg(s, 1);
    struct str format = s->node->count > 2 ? setting_arg(s, 2) : STR("combined");

    (void)field;
    if (str_eq(path, STR("off"))) {
        c->logs.count = 0;
        return s->node->count == 2 ||
               setting_error(s, 2, "invalid parameter \"%.*s\"", STR_ARG(format));
    }
    for (unsigned i = 3; i < s->node->count; i++) {
        if (!take_word(s, i, &w))
            return false;
    }
    log.format = log_format_find(s, format);
    if (!log.format)
        return setting_error(s, 2, "unknown log format \"%.*s\"", STR_ARG(format));
    log.condition = w.condition;
    log.has_condition = w.has_condition;
    if (!open_sink(s, &log, w.how, path))
        return false;
    *ARRAY_PUSH(&c->logs, setting_arena(s)) = log;
    return true;
}

static void print_access_log(const struct directive *row, const void *field, struct out *o)
{
    const struct log_conf *c = field;

    (void)row;
    if (c->logs.count == 0)
        OUT_LITERAL(o, "off");
    for (unsigned i = 0; i < c->logs.count; i++) {
        const struct access_log *log = &c->logs.items[i];
        out_printf(o, i ? "; %.*s %.*s" : "%.*s %.*s",
                   STR_ARG(log->sink ? log_sink_name(log->sink) : log->path.text),
                   STR_ARG(log_format_name(log->format)));
    }
}

static const struct type type_access_log = {
    "path [format [parameters]] | off", "a path, a format's name and parameters; or off",
    parse_access_log, print_access_log,
};

static const struct directive rows[] = {
    { "log_format", IN_HTTP, ARGS_RANGE(2, ARGS_ANY), &type_log_format, .flags = REPEATS,
      .syntax = "name [escape=default|json|none] string ...",
      .help = "How the lines of an access log look.", .default_text = "combined \"...\"" },
    { "access_log", IN_HTTP | IN_SERVER | IN_LOCATION | IN_LOCATION_IF | IN_LIMIT_EXCEPT,
      ARGS_RANGE(1, ARGS_ANY), &type_access_log, FIELD(struct log_conf, logs), .flags = REPEATS,
      .syntax = "path [format [buffer=size] [gzip[=level]] [flush=time] [if=condition]] | off",
      .help = "Where a line for each request goes. With gzip, a buffer of 64k if no other is given is "
              "compressed as it is written; the file is one for zcat.",
      .default_text = WEIR_HTTP_LOG_PATH " combined" },
    { "open_log_file_cache", IN_HTTP | IN_SERVER | IN_LOCATION, ARGS_RANGE(1, 4), &type_log_cache,
      FIELD(struct log_conf, cache), .initial = "off",
      .syntax = "max=N [inactive=time] [min_uses=N] [valid=time] | off",
      .help = "Keep log files whose names have variables open." },
    { 0 },
};

/* Without any access_log in the block http, there is one to the usual file. */
static bool finish(struct setting *s, void *conf)
{
    struct log_conf *c = conf;
    struct access_log log = { 0 };

    if (s->block->context != IN_HTTP || tree_find(s->node->children, STR("access_log")))
        return true;
    log.format = log_format_find(s, STR("combined"));
    if (!log.format || !open_sink(s, &log, (struct log_buffering){ 0 }, STR(WEIR_HTTP_LOG_PATH)))
        return false;
    *ARRAY_PUSH(&c->logs, setting_arena(s)) = log;
    return true;
}

struct module http_log_module = {
    .name = "ngx_http_log_module",
    .directives = rows,
    .conf_size = sizeof(struct log_conf),
    .finish = finish,
};

/* ---- writing ---- */

static bool wanted(const struct access_log *log, struct request *r)
{
    if (!log->has_condition)
        return true;
    struct str value = template_value(&log->condition, request_script(r));
    return value.len > 0 && !str_eq(value, STR("0"));
}

/* Names made of what clients say must not fill a disk with files: there is a log only where there is a
 * site. */
static bool has_root(struct request *r)
{
    const struct core_conf *core = core_conf(r->conf);
    struct stat st;

    if (core->is_alias)
        return true;
    struct str root = template_value_nul(&core->root, request_script(r));
    if (stat(root.data, &st) == 0 && S_ISDIR(st.st_mode))
        return true;
    request_log(r, LOG_LEVEL_ERROR, errno, "testing \"%.*s\" existence failed while logging request",
                STR_ARG(root));
    return false;
}

static void write_line(struct request *r, const struct log_conf *c, const struct access_log *log,
                       struct str line)
{
    if (log->sink) {
        log_sink_write(log->sink, line);
        return;
    }
    struct str path = template_value_nul(&log->path, request_script(r));
    if (path.len && path.data[0] && has_root(r))
        log_cache_write(&c->cache, path, line, r);
}

void access_log_write(struct request *r)
{
    static char space[LINE_MAX_BYTES];
    const struct log_conf *c = CONF(r->conf, http_log_module);

    for (unsigned i = 0; i < c->logs.count; i++) {
        const struct access_log *log = &c->logs.items[i];
        if (!wanted(log, r))
            continue;
        struct out o = out_fixed(space, sizeof space - 1);
        log_format_put(log->format, r, &o);
        o.end++;                               /* a line that was cut still ends */
        if (o.overflow)
            o.at = o.end - 1;
        o.overflow = false;
        out_char(&o, '\n');
        write_line(r, c, log, out_str_of(&o));
    }
}
