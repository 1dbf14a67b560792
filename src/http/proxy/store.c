/*
 * store: see store.h.  What goes wrong here is logged and hurts nobody: the response goes on
 * without.
 */
#include "http/proxy/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/file_mode.h"
#include "http/files.h"
#include "http/temp_file.h"

enum { COPY_SPACE = 16384 };

struct store {
    struct source source;
    struct exchange *exchange;
    struct kept_body kept;                  /* while the file is not whole */
    int file;                          /* -1: it is given up */
    off_t length;
    struct str temporary, path;        /* end in NUL */
};

bool store_wants(const struct exchange *x)
{
    return x->conf->store.on && x->request->method == METHOD_GET;
}

/* ---- the file ---- */

static void end(struct store *s)
{
    s->file = -1;                              /* the request closes it, and takes it away */
    s->kept.wanted = s->exchange->needed = false;
}

static void give_up(struct store *s, const char *what, struct str path)
{
    request_log(s->source.request, LOG_LEVEL_CRIT, errno,
                "%s \"%.*s\" failed, the response is not stored", what, STR_ARG(path));
    end(s);
}

/* The folders that the path leads through. */
static bool make_folders(const struct store *s, mode_t mode)
{
    char *text = (char *)(uintptr_t)s->path.data;
    bool good = true;

    for (size_t i = 1; good && i < s->path.len; i++) {
        if (text[i] != '/')
            continue;
        text[i] = '\0';
        good = mkdir(text, mode) == 0 || errno == EEXIST;
        text[i] = '/';
    }
    return good;
}

static bool copy(int from, int to)
{
    char space[COPY_SPACE];
    off_t at = 0;
    ssize_t n;

    while ((n = pread(from, space, sizeof space, at)) > 0) {
        if (!temp_file_write(to, space, (size_t)n, at))
            return false;
        at += n;
    }
    return n == 0;
}

/* The folder for temporary files is in another file system: a copy beside the place gets the
 * name. */
static bool move_across(const struct store *s, mode_t mode)
{
    struct arena *a = &s->source.request->arena;
    struct str beside = arena_printf(a, "%.*s.%ld", STR_ARG(s->path), (long)getpid());
    int to = open(beside.data, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = to >= 0 && copy(s->file, to) && fchmod(to, mode) == 0 &&
                rename(beside.data, s->path.data) == 0;
    int error = errno;

    if (to >= 0 && !good)
        unlink(beside.data);
    if (to >= 0)
        close(to);
    errno = error;
    return good;
}

static void set_time(const struct store *s)
{
    const struct headers *fields = &s->exchange->head.fields;
    time_t modified = clock_parse_http_date(headers_value(fields, HEADER_LAST_MODIFIED));
    struct timespec times[2] = { { .tv_sec = modified }, { .tv_sec = modified } };

    if (modified >= 0)
        (void)futimens(s->file, times);        /* its time is that of now, then */
}

static void finish(struct store *s)
{
    const struct store_conf *conf = &s->exchange->conf->store;

    set_time(s);
    if (fchmod(s->file, conf->access) < 0)
        give_up(s, "chmod()", s->temporary);
    else if (!make_folders(s, file_mode_of_folder(conf->access)))
        give_up(s, "mkdir() of a folder of", s->path);
    else if (rename(s->temporary.data, s->path.data) < 0 &&
             (errno != EXDEV || !move_across(s, conf->access)))
        give_up(s, "rename() to", s->path);
    end(s);
}

/* ---- the body as it passes ---- */

static bool write_file_span(struct store *s, const struct span *span)
{
    char space[COPY_SPACE];

    for (size_t done = 0; done < span->len;) {
        size_t want = span->len - done < sizeof space ? span->len - done : sizeof space;
        ssize_t n = pread(span->file, space, want, span->offset + (off_t)done);
        if (n <= 0 || !temp_file_write(s->file, space, (size_t)n, s->length + (off_t)done))
            return false;
        done += (size_t)n;
    }
    return true;
}

static void write_span(struct store *s, const struct span *span)
{
    bool good = span->data ? temp_file_write(s->file, span->data, span->len, s->length)
                           : write_file_span(s, span);

    if (good)
        s->length += (off_t)span->len;
    else
        give_up(s, "writing", s->temporary);
}

static enum pull pull(struct source *source, struct batch *out, size_t budget)
{
    struct store *s = (struct store *)source;
    unsigned i = out->count;
    enum pull result = source_pull(&s->exchange->source, out, budget);

    for (; i < out->count && s->file >= 0; i++)
        write_span(s, &out->spans[i]);
    if (result == PULL_LAST && s->file >= 0)
        finish(s);
    return result;
}

/* The client takes no more; the request's end is that of the exchange, too. */
static void close_source(struct source *source)
{
    struct store *s = (struct store *)source;

    if (!s->kept.wanted)
        source_close(&s->exchange->source);
}

static const struct source_ops ops = { .name = "store", .pull = pull, .close = close_source };

struct source *store_source(struct exchange *x)
{
    struct request *r = x->request;
    const struct store_conf *conf = &x->conf->store;

    x->needed = false;
    if (!store_wants(x) || x->head.status != STATUS_OK)
        return &x->source;
    struct store *s = ARENA_NEW(&r->arena, struct store);
    *s = (struct store){ .source = { &ops, r }, .exchange = x, .file = -1 };
    s->path = template_is_empty(&conf->path) ? files_map_uri(r, 0, NULL)
                                             : template_value_nul(&conf->path, request_script(r));
    if (s->path.len == 0 || s->path.data[s->path.len - 1] == '/')
        return &x->source;                     /* it names a folder */
    s->path = arena_str(&r->arena, s->path);
    s->file = temp_file_open(r, &x->conf->temp_path, false, &s->temporary);
    if (s->file < 0)
        return &x->source;
    s->kept.source = &s->source;
    x->needed = true;
    request_keep(r, &s->kept);
    return &s->source;
}

/* ---- the directive ---- */

static bool parse_store(struct setting *s, void *field)
{
    struct store_conf *conf = field;
    struct str word = setting_arg(s, 1);

    conf->on = !str_eq(word, STR("off"));
    conf->path = (struct template){ 0 };
    if (!conf->on || str_eq(word, STR("on")))
        return true;
    return template_compile(s, 1, config_variables(s), &conf->path);
}

static void print_store(const struct directive *row, const void *field, struct out *o)
{
    const struct store_conf *conf = field;

    (void)row;
    if (template_is_empty(&conf->path))
        out_str(o, conf->on ? STR("on") : STR("off"));
    else
        print_word(o, conf->path.text);
}

const struct type type_store = {
    "on | off | string", "on, off or a path", parse_store, print_store,
};
