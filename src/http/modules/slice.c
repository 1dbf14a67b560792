/*
 * slice: see slice.h.  The first part is the request's own response, which tells how long the whole
 * is; the others are clones of the request, one after the other.  Filters see the whole: a range
 * that a client asks for is cut out of it, and parts that no byte is wanted of are not asked for.
 */
#include "http/modules/slice.h"

#include "config/resolve.h"
#include "config/types.h"
#include "http/http.h"
#include "http/response.h"
#include "http/subrequest.h"

struct slice_conf {
    size_t size;                       /* 0: off */
};

/* Of a request whose $slice_range was asked for. */
struct slice {
    int64_t start;                     /* of the part that it asks for */
};

struct content_range {
    int64_t first, end, length;        /* bytes of `length` */
};

static const struct slice_conf *conf_of(const struct request *r)
{
    return CONF(r->conf, http_slice_module);
}

/* ---- $slice_range ---- */

/* Where the part begins that the client's range begins in. */
static int64_t first_start(const struct request *r, int64_t size)
{
    struct str value = headers_value(&r->headers, HEADER_RANGE), first;
    uint64_t start;

    if (!value.data || headers_value(&r->headers, HEADER_IF_RANGE).data ||
        !str_starts_nocase(value, STR("bytes=")) || str_index(value, ',') >= 0)
        return 0;
    value = str_from(value, sizeof "bytes=" - 1);
    first = str_trim(str_split(&value, '-'));
    if (!value.data || !str_to_u64(first, &start) || start > INT64_MAX)
        return 0;
    return (int64_t)start - (int64_t)start % size;
}

static struct slice *slice_of(struct request *r, int64_t size)
{
    void **slot = REQUEST_CONTEXT(r, http_slice_module);

    if (!*slot) {
        struct slice *s = ARENA_NEW(&r->arena, struct slice);
        s->start = first_start(r, size);
        *slot = s;
    }
    return *slot;
}

static bool get_range(struct script *script, const struct variable *var, struct value *v)
{
    struct request *r = script->object;
    int64_t size = (int64_t)conf_of(r)->size;

    (void)var;
    if (size == 0)
        return value_give(v, (struct str){ NULL, 0 });
    const struct slice *s = slice_of(r, size);
    return value_give(v, arena_printf(script->arena, "bytes=%lld-%lld", (long long)s->start,
                                      (long long)(s->start + size - 1)));
}

/* ---- the head of a part ---- */

static bool take_number(struct str text, int64_t *value)
{
    uint64_t number;

    if (!str_to_u64(str_trim(text), &number) || number > INT64_MAX)
        return false;
    *value = (int64_t)number;
    return true;
}

/* "bytes 0-1/100": NULL, or what is wrong with it. */
static const char *parse_content_range(struct str value, struct content_range *range)
{
    const struct str unit = STR("bytes ");
    struct str first, last;

    if (!str_starts(value, unit))
        return "invalid range in slice response";
    value = str_from(value, unit.len);
    first = str_split(&value, '-');
    last = value.data ? str_split(&value, '/') : value;
    if (!value.data || !take_number(first, &range->first) || !take_number(last, &range->end) ||
        range->first > range->end || range->end == INT64_MAX)
        return "invalid range in slice response";
    range->end++;
    return take_number(value, &range->length) && range->end <= range->length
               ? NULL : "no complete length in slice response";
}

static struct header *find_field(struct request *r, struct str name)
{
    struct headers *h = &r->response.headers;

    for (unsigned i = 0; i < h->list.count; i++) {
        if (!h->list.items[i].hidden && str_eq_nocase(h->list.items[i].name, name))
            return &h->list.items[i];
    }
    return NULL;
}

/* Whether the response is the part that was asked for; false: logged. */
static bool check_part(struct request *r, int64_t start, struct content_range *range)
{
    const struct header *f = find_field(r, STR("content-range"));
    int64_t end = start + (int64_t)conf_of(r)->size;
    const char *problem = parse_content_range(f ? f->value : STR(""), range);

    if (end > range->length)
        end = range->length;
    if (!problem && (range->first != start || range->end != end))
        problem = "unexpected range in slice response";
    if (problem)
        request_log(r, LOG_LEVEL_ERROR, 0, "%s: \"%.*s\" for bytes from %lld", problem,
                    STR_ARG(f ? f->value : STR("")), (long long)start);
    return problem == NULL;
}

/* ---- the body: part after part ---- */

struct slice_source {
    struct source source;
    int64_t size, length;              /* of a part, of the whole */
    int64_t wanted;                    /* the next byte to be given */
    struct request *sub;               /* whose response `part` is; NULL: the main request's */
    struct source *part;               /* NULL: none is open */
    int64_t at, end;                   /* where it stands, and ends */
    struct str etag;                   /* of the whole; empty: it has none */
};

static void close_part(struct slice_source *s)
{
    if (s->sub)
        subrequest_end(s->sub);
    else
        source_close(s->part);
    s->part = NULL;
    s->sub = NULL;
}

/* The part that the next byte is in is asked for. */
static bool ask(struct slice_source *s)
{
    int64_t start = s->wanted - s->wanted % s->size;

    s->sub = subrequest_clone(s->source.request);
    if (!s->sub)
        return false;
    s->sub->flags.part = true;
    slice_of(s->sub, s->size)->start = start;
    s->at = start;
    s->end = start + s->size < s->length ? start + s->size : s->length;
    return true;
}

/* The head of a part is there: it must go with those before. */
static bool take_part(struct slice_source *s)
{
    struct request *sub = s->sub;
    struct content_range range;

    if (sub->response.status != STATUS_PARTIAL_CONTENT || !sub->response.body) {
        request_log(sub, LOG_LEVEL_ERROR, 0, "unexpected status code %u in slice response",
                    sub->response.status);
        return false;
    }
    if (!str_eq(sub->response.etag, s->etag)) {
        request_log(sub, LOG_LEVEL_ERROR, 0,
                    "etag mismatch in slice response: \"%.*s\" after \"%.*s\"",
                    STR_ARG(sub->response.etag), STR_ARG(s->etag));
        return false;
    }
    if (!check_part(sub, s->at, &range))
        return false;
    if (range.length != s->length) {
        request_log(sub, LOG_LEVEL_ERROR, 0, "the length changed from %lld to %lld between slices",
                    (long long)s->length, (long long)range.length);
        return false;
    }
    s->part = sub->response.body;
    return true;
}

/* PULL_DATA: s->part has the next byte. */
static enum pull open_part(struct slice_source *s)
{
    bool elsewhere = s->wanted < s->at || s->wanted >= s->end;

    if ((s->part || s->sub) && elsewhere)
        close_part(s);
    if (s->part)
        return PULL_DATA;
    if (!s->sub && !ask(s))
        return PULL_ERROR;
    switch (subrequest_run(s->sub)) {
    case STEP_WAIT:
        return PULL_WAIT;
    case STEP_RESPOND:
        return take_part(s) ? PULL_DATA : PULL_ERROR;
    default:
        return PULL_ERROR;
    }
}

/* At most `most` bytes of the part; it must not end before its end. */
static enum pull pull_part(struct slice_source *s, struct batch *out, int64_t most)
{
    size_t before = out->bytes;
    size_t budget = (uint64_t)most < SIZE_MAX ? (size_t)most : SIZE_MAX;
    enum pull result = source_pull(s->part, out, budget);

    s->at += (int64_t)(out->bytes - before);
    if (result == PULL_LAST && s->at < s->end) {
        request_log(s->source.request, LOG_LEVEL_ERROR, 0, "a slice ended %lld bytes early",
                    (long long)(s->end - s->at));
        return PULL_ERROR;
    }
    return result == PULL_LAST ? PULL_DATA : result;
}

static enum pull pull(struct source *source, struct batch *out, size_t budget)
{
    struct slice_source *s = (struct slice_source *)source;
    enum pull result;

    if (s->wanted >= s->length)
        return PULL_LAST;
    result = open_part(s);
    while (result == PULL_DATA && s->at < s->wanted) {
        struct batch away;
        batch_reset(&away);
        result = pull_part(s, &away, s->wanted - s->at);
    }
    if (result != PULL_DATA)
        return result;
    int64_t left = s->end - s->at;
    result = pull_part(s, out, (uint64_t)left < budget ? left : (int64_t)budget);
    s->wanted = s->at;
    return result == PULL_DATA && s->wanted == s->length ? PULL_LAST : result;
}

static void seek(struct source *source, off_t offset)
{
    ((struct slice_source *)source)->wanted = offset;
}

static void close_source(struct source *source)
{
    struct slice_source *s = (struct slice_source *)source;

    if (s->part || s->sub)
        close_part(s);
}

static const struct source_ops ops = { "slice", pull, close_source, seek };

/* ---- the filter ---- */

static void hide(struct request *r, struct str name)
{
    struct header *f = find_field(r, name);

    if (f)
        f->hidden = true;
}

/* The first part becomes the whole. */
static int apply(struct request *r)
{
    struct response *res = &r->response;
    const struct slice *first = *REQUEST_CONTEXT(r, http_slice_module);
    struct content_range range;

    if (!first || res->status != STATUS_PARTIAL_CONTENT)
        return 0;
    if (!check_part(r, first->start, &range))
        return STEP_ABORT;
    struct slice_source *s = ARENA_NEW(&r->arena, struct slice_source);
    *s = (struct slice_source){
        .source = { &ops, r }, .size = (int64_t)conf_of(r)->size, .length = range.length,
        .part = res->body, .at = range.first, .end = range.end, .etag = res->etag,
    };
    hide(r, STR("content-range"));
    hide(r, STR("accept-ranges"));
    res->status = STATUS_OK;
    res->status_text = (struct str){ NULL, 0 };
    res->length = range.length;
    res->allow_ranges = res->single_range = true;
    if (res->body)
        res->body = &s->source;
    return 0;
}

static bool enabled(void *const *conf)
{
    return ((const struct slice_conf *)CONF(conf, http_slice_module))->size > 0;
}

const struct http_filter slice_filter = { .name = "slice", .enabled = enabled, .apply = apply };

/* ---- the module ---- */

static const struct directive rows[] = {
    { "slice", IN_HTTP | IN_SERVER | IN_LOCATION, ARGS(1), &type_size,
      FIELD(struct slice_conf, size), .initial = "0",
      .help = "The size of the parts that responses are asked for in; 0: as a whole. "
              "$slice_range is what proxy_set_header Range and the cache's key need." },
    { 0 },
};

static const struct variable variables[] = {
    { .name = STR_INIT("slice_range"), .get = get_range, .flags = VARIABLE_VOLATILE },
    { .name = { NULL, 0 } },
};

static const struct http_module extra = { .variables = variables };

struct module http_slice_module = {
    .name = "ngx_http_slice_module",
    .directives = rows,
    .conf_size = sizeof(struct slice_conf),
    .extra = &extra,
};
