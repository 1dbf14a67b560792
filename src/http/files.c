/*
 * files: see files.h.  The way of a path to a file: the cache, a thread, or at once.
 */
#include "http/files.h"

#include <errno.h>
#include <stdlib.h>

#include "config/thread_pools.h"
#include "event/threads.h"
#include "http/files_cache.h"
#include "http/files_source.h"
#include "http/mime.h"
#include "http/request.h"
#include "http/trace.h"

/* What one call wants, and where it may be kept. */
struct search {
    struct str path;
    struct file_how how;
    struct files_cache *cache;         /* NULL: no open_file_cache here */
    uint64_t hash;
    unsigned uses;                     /* counted so far */
    bool keep;                         /* it has been used often enough to be cached */
    bool keep_errors;
};

void file_release(struct file *f)
{
    if (f)
        file_entry_unref(file_entry_of(f));
}

static bool may_keep(const struct search *s, const struct file_entry *e)
{
    return s->keep && (e->file.error == 0 || s->keep_errors);
}

static void keep(const struct search *s, struct file_entry *e)
{
    e->uses = s->uses;
    files_cache_put(s->cache, e, s->path, s->hash, &s->how);
}

/* ---- in a thread ---- */

/* A path that a thread opens for a request; it lives until both are done with it. */
struct opening {
    struct task task;
    struct request *request;           /* NULL: it has ended meanwhile */
    struct search search;
    struct file_entry *entry;
    bool done;
    char path[];
};

static struct opening *opening_of(struct task *t)
{
    return CONTAINER(t, struct opening, task);
}

static void opening_free(struct opening *o)
{
    if (o->entry)
        file_entry_unref(o->entry);
    free(o);
}

static void opening_work(struct task *t)
{
    struct opening *o = opening_of(t);

    file_load(o->entry, o->search.path, &o->search.how);
}

static void opening_done(struct task *t)
{
    struct opening *o = opening_of(t);

    o->done = true;
    if (may_keep(&o->search, o->entry))
        keep(&o->search, o->entry);
    if (o->request)
        request_wake(o->request);
    else
        opening_free(o);
}

/* The request ends. */
static void opening_forget(void *data)
{
    struct opening *o = data;

    o->request = NULL;
    if (o->done)
        opening_free(o);
}

/* What the request has asked for before. */
static struct opening *opening_find(const struct request *r, const struct search *s)
{
    for (struct request_cleanup *c = r->cleanups; c; c = c->next) {
        struct opening *o = c->data;
        if (c->run == opening_forget && str_eq(o->search.path, s->path) &&
            o->search.how.look == s->how.look && o->search.how.symlinks == s->how.symlinks)
            return o;
    }
    return NULL;
}

struct thread_pool *files_pool(const struct request *r)
{
    struct str name = core_conf(r->conf)->aio_pool;
    const struct pool_conf *pool =
        thread_pools_find(r->generation, name.len ? name : STR("default"));

    return pool ? threads_pool(pool->name, pool->threads, pool->max_queue) : NULL;
}

/* NULL: no thread is to be had. */
static struct opening *opening_start(struct request *r, const struct search *s)
{
    struct thread_pool *pool = files_pool(r);
    struct opening *o = pool ? malloc(sizeof *o + s->path.len + 1) : NULL;

    if (!o)
        return NULL;
    *o = (struct opening){ .task = { opening_work, opening_done, { NULL, NULL } },
                           .request = r, .search = *s, .entry = file_entry_new() };
    list_init(&o->task.link);
    memcpy(o->path, s->path.data, s->path.len);
    o->path[s->path.len] = '\0';
    o->search.path.data = o->path;
    if (!o->entry || !threads_post(pool, &o->task)) {
        opening_free(o);
        return NULL;
    }
    request_cleanup(r, opening_forget, o);
    return o;
}

/* ---- at once ---- */

static struct file *load_now(struct request *r, const struct search *s)
{
    /* Who uses threads reads in them, too, and may outlive the request. */
    bool heap = s->keep || core_conf(r->conf)->aio != AIO_OFF;
    struct file_entry *e = heap ? file_entry_new() : NULL;

    if (!e)
        e = ARENA_NEW(&r->arena, struct file_entry);
    file_load(e, s->path, &s->how);
    if (e->heap && may_keep(s, e))
        keep(s, e);
    return &e->file;
}

/* ---- the cache ---- */

/* A use of a path that is not cached yet: below open_file_cache_min_uses it is only counted. */
static void count_use(struct search *s, struct file_entry *counted, unsigned min_uses)
{
    s->uses = (counted ? counted->uses : s->uses) + 1;
    s->keep = s->uses >= min_uses;
    if (s->keep)
        return;
    if (counted) {
        files_cache_touch(counted);
        return;
    }
    struct file_entry *e = file_entry_new();
    if (e) {
        e->counted = true;
        keep(s, e);
        file_entry_unref(e);
    }
}

static bool still_true(struct file_entry *e, const struct search *s, const struct core_conf *conf)
{
    if (clock_ms() - e->checked < (uint64_t)conf->open_file_cache_valid * 1000)
        return true;
    /* Looking may block: who uses threads opens it anew in one. */
    if (conf->aio != AIO_OFF || !file_unchanged(e, s->path))
        return false;
    e->checked = clock_ms();
    return true;
}

/* The entry of the path, if it is there and still true. */
static struct file_entry *cached(struct search *s, const struct core_conf *conf)
{
    struct file_entry *e = files_cache_find(s->cache, s->path, s->hash, &s->how);

    if (e && !e->counted) {
        if ((e->file.error == 0 || s->keep_errors) && still_true(e, s, conf)) {
            files_cache_touch(e);
            return e;
        }
        s->uses = e->uses;
        files_cache_drop(e);
        e = NULL;
    }
    count_use(s, e, conf->open_file_cache_min_uses);
    return NULL;
}

static size_t checked_from(struct request *r, struct str path)
{
    const struct template *from = &core_conf(r->conf)->disable_symlinks.from;
    struct str value = { NULL, 0 };

    if (!template_is_empty(from))
        value = template_value(from, request_script(r));
    while (value.len > 1 && value.data[value.len - 1] == '/')
        value.len--;
    return value.len && str_starts(path, value) && path.data[value.len] == '/' ? value.len : 0;
}

static struct search search_of(struct request *r, struct str path, bool look)
{
    const struct core_conf *conf = core_conf(r->conf);
    struct search s = { .path = path, .how = { .directio = conf->directio,
                                                   .read_ahead = conf->read_ahead } };

    s.how.symlinks = conf->disable_symlinks.mode;
    if (s.how.symlinks != SYMLINKS_FOLLOW)
        s.how.from = checked_from(r, path);
    if (conf->open_file_cache.max)
        s.cache = files_cache_of(&conf->open_file_cache);
    s.how.look = look && !s.cache;
    return s;
}

static enum files_result find(struct request *r, struct str path, bool look, struct file **file)
{
    const struct core_conf *conf = core_conf(r->conf);
    struct search s = search_of(r, path, look);

    if (s.cache) {
        s.hash = files_cache_hash(path);
        s.keep_errors = conf->open_file_cache_errors;
    }
    if (conf->aio != AIO_OFF) {
        struct opening *o = opening_find(r, &s);
        if (o && o->done)
            *file = file_hold(&o->entry->file);
        if (o)
            return o->done ? FILES_READY : FILES_WAIT;
    }
    if (s.cache) {
        struct file_entry *e = cached(&s, conf);
        if (e) {
            *file = file_hold(&e->file);
            return FILES_READY;
        }
    }
    s.how.whole = s.keep && files_cache_room() ? FILES_KEPT : conf->aio != AIO_OFF ? FILES_WHOLE : 0;
    /* Who explains a request has no loop that a thread could answer to. */
    if (conf->aio != AIO_OFF && !r->trace && opening_start(r, &s))
        return FILES_WAIT;
    *file = load_now(r, &s);
    return FILES_READY;
}

enum files_result files_open(struct request *r, struct str path, struct file **file)
{
    enum files_result result = find(r, path, false, file);

    if (r->trace && result == FILES_READY)
        r->trace->file(r, path, *file, true);
    return result;
}

enum files_result files_stat(struct request *r, struct str path, struct file **file)
{
    enum files_result result = find(r, path, true, file);

    if (r->trace && result == FILES_READY)
        r->trace->file(r, path, *file, false);
    return result;
}

/* ---- responses ---- */

/* The lines of the head, made once for a cached file; a file of two types has them for the first. */
static void prepare(struct file_entry *e, struct str type)
{
    struct file *f = &e->file;
    char space[512];
    struct out o = out_fixed(space, sizeof space);

    OUT_LITERAL(&o, "Content-Type: ");
    out_str(&o, type);
    OUT_LITERAL(&o, "\r\nContent-Length: ");
    out_uint(&o, (uint64_t)f->size);
    OUT_LITERAL(&o, "\r\nLast-Modified: ");
    clock_put_http_date(&o, f->modified);
    OUT_LITERAL(&o, "\r\nETag: ");
    out_str(&o, f->etag);
    OUT_LITERAL(&o, "\r\nAccept-Ranges: bytes\r\n");
    char *lines = o.overflow ? NULL : malloc(out_len(&o));
    if (!lines)
        return;
    memcpy(lines, space, out_len(&o));
    f->prepared = (struct str){ lines, out_len(&o) };
    f->prepared_type = (struct str){ lines + sizeof "Content-Type: " - 1, type.len };
}

static void release(void *data)
{
    file_release(data);
}

int files_respond(struct request *r, struct file *f, struct str path)
{
    const struct core_conf *conf = core_conf(r->conf);
    struct response *res = &r->response;
    struct file_entry *e = file_entry_of(f);

    res->status = STATUS_OK;
    res->length = f->size;
    if (!res->type_settled)
        res->content_type = mime_type(conf, r->uri);
    /* Never later than Date: RFC 9110 section 8.8.2.1. */
    bool ahead = f->modified > clock_seconds();
    res->last_modified = ahead ? clock_seconds() : f->modified;
    res->allow_ranges = true;
    if (conf->etag) {
        res->etag = f->etag;
        if (e->cache && !f->prepared.data && res->content_type.len)
            prepare(e, res->content_type);
        if (f->prepared.data && !ahead && str_eq(f->prepared_type, res->content_type))
            res->prepared = f->prepared;
    }
    /* The response's texts are the file's: it is held until the request ends. */
    request_cleanup(r, release, f);
    res->body = files_source(r, f, path);
    return STEP_RESPOND;
}

void files_worker_fini(void)
{
    files_cache_fini();
}
