/*
 * exchange_head: see exchange_head.h.  Fields are passed on one by one, from the parsed form; those
 * that speak of a connection end here (RFC 9110 section 7.6.1).
 */
#include "http/proxy/exchange_head.h"

#include "http/body.h"
#include "http/buffer.h"
#include "http/proxy/buffering.h"
#include "http/proxy/store.h"
#include "http/proxy/tunnel.h"
#include "http/response.h"
#include "http/v1/v1_parse.h"

/* What becomes of a field that Weir itself looks at.  false: it is not passed on. */
typedef bool take_field(struct exchange *x, const struct header *f);

static bool drop(struct exchange *x, const struct header *f)
{
    (void)x;
    (void)f;
    return false;
}

/* "type; charset=name" is taken apart, for filters that ask for one or the other. */
static bool take_type(struct exchange *x, const struct header *f)
{
    struct response *res = &x->request->response;
    struct str rest = f->value, type = str_trim(str_split(&rest, ';')), name = STR("charset=");

    res->content_type = f->value;
    if (!rest.data)
        return false;
    rest = str_trim(rest);
    if (str_starts_nocase(rest, name) && str_index(rest, ';') < 0 && str_index(rest, '"') < 0 &&
        rest.len > name.len) {
        res->content_type = type;
        res->charset = str_from(rest, name.len);
    }
    return false;
}

static bool take_modified(struct exchange *x, const struct header *f)
{
    x->request->response.modified_text = f->value;
    return false;
}

static bool take_etag(struct exchange *x, const struct header *f)
{
    x->request->response.etag = f->value;
    return false;
}

static bool take_encoding(struct exchange *x, const struct header *f)
{
    x->request->response.content_encoding = f->value;
    return false;
}

static bool take_accept_ranges(struct exchange *x, const struct header *f)
{
    (void)f;
    return !x->conf->force_ranges;
}

static bool take_trailer(struct exchange *x, const struct header *f)
{
    (void)f;
    return x->conf->pass_trailers;
}

static bool take_date(struct exchange *x, const struct header *f)
{
    (void)f;
    x->request->response.has_date = true;
    return true;
}

static bool take_server(struct exchange *x, const struct header *f)
{
    (void)f;
    x->request->response.has_server = true;
    return true;
}

static bool take_accel_buffering(struct exchange *x, const struct header *f)
{
    if (!(x->conf->ignore_headers & IGNORE_ACCEL_BUFFERING))
        x->buffering = str_eq_nocase(f->value, STR("yes"))  ? true
                       : str_eq_nocase(f->value, STR("no")) ? false : x->buffering;
    return true;
}

static bool take_accel_rate(struct exchange *x, const struct header *f)
{
    size_t rate;

    if (!(x->conf->ignore_headers & IGNORE_ACCEL_LIMIT_RATE) && parse_size(f->value, &rate)) {
        x->request->limit_rate = rate;
        x->request->flags.limit_rate_set = true;
    }
    return true;
}

static bool take_accel_charset(struct exchange *x, const struct header *f)
{
    if (!(x->conf->ignore_headers & IGNORE_ACCEL_CHARSET))
        x->request->response.charset = f->value;
    return true;
}

static const struct field_rule {
    take_field *take;
    bool known;                        /* it says something to Weir: no business of a trailer */
    bool hidden;                       /* unless proxy_pass_header names it */
    bool counts;                       /* it means the same where it is hidden */
} rules[HEADER_COUNT] = {
    [HEADER_CONNECTION] = { drop, true, false, false },
    [HEADER_KEEP_ALIVE] = { drop, true, false, false },
    [HEADER_TRANSFER_ENCODING] = { drop, true, false, false },
    [HEADER_CONTENT_LENGTH] = { drop, true, false, false },
    [HEADER_PROXY_CONNECTION] = { drop, true, false, false },
    [HEADER_TE] = { drop, true, false, false },
    [HEADER_TRAILER] = { take_trailer, true, false, false },
    [HEADER_CONTENT_TYPE] = { take_type, true, false, false },
    [HEADER_LAST_MODIFIED] = { take_modified, true, false, false },
    [HEADER_ETAG] = { take_etag, true, false, false },
    [HEADER_CONTENT_ENCODING] = { take_encoding, true, false, false },
    [HEADER_ACCEPT_RANGES] = { take_accept_ranges, true, false, false },
    [HEADER_DATE] = { take_date, true, true, false },
    [HEADER_SERVER] = { take_server, true, true, false },
    [HEADER_X_PAD] = { NULL, true, true, false },
    [HEADER_X_ACCEL_EXPIRES] = { NULL, true, true, false },
    [HEADER_X_ACCEL_REDIRECT] = { NULL, true, true, false },
    [HEADER_X_ACCEL_LIMIT_RATE] = { take_accel_rate, true, true, true },
    [HEADER_X_ACCEL_BUFFERING] = { take_accel_buffering, true, true, true },
    [HEADER_X_ACCEL_CHARSET] = { take_accel_charset, true, true, true },
};

static void pass_field(struct exchange *x, const struct header *f)
{
    const struct field_rule *rule = &rules[f->id];
    bool hidden = (rule->hidden || header_set_has(&x->conf->hide, f)) &&
                  !header_set_has(&x->conf->pass, f);

    if (rule->take && (!rule->hidden || !hidden || rule->counts) && !rule->take(x, f))
        return;
    if (hidden || (!x->head.upgrade && x->head.fields.known[HEADER_CONNECTION] &&
                   headers_nominate(&x->head.fields, f->name)))
        return;
    struct str value = x->wire->rewrite(x, f);
    if (value.data)
        headers_add_as(&x->request->response.headers, &x->request->arena, f->id, f->name, value);
}

/* Whether it goes on outside of a response's head. */
static bool may_pass_beside(const struct exchange *x, const struct header *f)
{
    return !rules[f->id].known && !header_set_has(&x->conf->hide, f);
}

void exchange_pass_trailers(struct exchange *x)
{
    struct request *r = x->request;

    for (unsigned i = 0; i < x->trailers.list.count; i++) {
        const struct header *f = &x->trailers.list.items[i];
        if (may_pass_beside(x, f))
            headers_add_as(&r->response.trailers, &r->arena, f->id, f->name, f->value);
    }
}

/* ---- elsewhere ---- */

/* Whether a path has ".." as a segment, encoded or not. */
static bool climbs(struct str target)
{
    struct str path = str_split(&target, '?');

    while (path.data) {
        struct str segment = str_split(&path, '/');
        unsigned dots = 0;
        while (segment.len) {
            size_t n = segment.data[0] == '.' ? 1 : str_starts_nocase(segment, STR("%2e")) ? 3 : 0;
            if (n == 0)
                break;
            segment = str_from(segment, n);
            dots++;
        }
        if (dots == 2 && segment.len == 0)
            return true;
    }
    return false;
}

/* X-Accel-Redirect: the peer has decided, another location answers.  Fields that count for any
 * answer go with it. */
static int redirect(struct exchange *x, struct str to)
{
    static const enum header_id kept[] = {
        HEADER_CONTENT_TYPE, HEADER_SET_COOKIE, HEADER_CONTENT_DISPOSITION, HEADER_CACHE_CONTROL,
        HEADER_EXPIRES, HEADER_ACCEPT_RANGES, HEADER_X_ACCEL_LIMIT_RATE, HEADER_X_ACCEL_CHARSET,
    };
    struct request *r = x->request;

    for (unsigned i = 0; i < x->head.fields.list.count; i++) {
        const struct header *f = &x->head.fields.list.items[i];
        for (unsigned n = 0; n < sizeof kept / sizeof kept[0]; n++) {
            if (f->id == kept[n])
                pass_field(x, f);
        }
    }
    r->response.type_settled = r->response.content_type.len > 0;
    exchange_release(x, false);
    to = arena_str(&r->arena, to);
    if (to.len && to.data[0] == '@')
        return request_redirect_named(r, to);
    char *space = arena_alloc(&r->arena, to.len);
    struct v1_path target;
    if (!to.len || to.data[0] != '/' || climbs(to) || !v1_parse_path(to, true, space, &target)) {
        request_log(r, LOG_LEVEL_ERROR, 0, "unsafe URI \"%.*s\" in X-Accel-Redirect", STR_ARG(to));
        return STATUS_NOT_FOUND;
    }
    if (r->method != METHOD_HEAD) {
        r->method = METHOD_GET;
        r->method_name = STR("GET");
    }
    return request_redirect(r, target.path, target.args);
}

static bool has_error_page(const struct request *r, unsigned status)
{
    const struct core_conf *conf = core_conf(r->conf);

    if (r->flags.error_page && !conf->recursive_error_pages)
        return false;
    for (unsigned i = 0; i < conf->error_pages.count; i++) {
        if (conf->error_pages.items[i].status == status)
            return true;
    }
    return false;
}

/* The page in the response's place; what a 401 asks of the client goes with it. */
static int intercept(struct exchange *x)
{
    struct request *r = x->request;

    for (unsigned i = 0; i < x->head.fields.list.count; i++) {
        const struct header *f = &x->head.fields.list.items[i];
        if (x->head.status == STATUS_UNAUTHORIZED && f->id == HEADER_WWW_AUTHENTICATE)
            response_header(r, f->name, f->value);
    }
    exchange_release(x, false);
    return (int)x->head.status;
}

/* ---- here ---- */

static void fill_response(struct exchange *x)
{
    struct response *res = &x->request->response;

    res->status = x->head.status;
    res->status_text = x->head.status_text;
    res->length = x->head.length;
    res->foreign = true;
    for (unsigned i = 0; i < x->head.fields.list.count; i++)
        pass_field(x, &x->head.fields.list.items[i]);
    if (x->conf->force_ranges && res->status == STATUS_OK)
        res->allow_ranges = true;
}

static void move_text(struct out *o, struct str *s)
{
    char *at = o->at;

    out_str(o, *s);
    s->data = at;
}

/* A tunnel lasts: its head's texts leave the buffer, so that it can be given back.  false: memory
 * is short. */
static bool settle(struct exchange *x)
{
    struct headers *h = &x->head.fields;
    size_t size = x->head_buffer ? (size_t)(x->in.at - x->head_buffer->data) : 0;
    char *space = arena_try_alloc(&x->request->arena, size);
    struct out o = out_fixed(space, size);

    if (!space)
        return false;
    move_text(&o, &x->head.status_text);
    for (unsigned i = 0; i < h->list.count; i++) {
        move_text(&o, &h->list.items[i].name);
        move_text(&o, &h->list.items[i].value);
    }
    return true;
}

int exchange_respond(struct exchange *x)
{
    struct request *r = x->request;
    struct attempt *a = exchange_attempt(x);
    unsigned kind = exchange_kind_of_status(x->head.status);
    struct str elsewhere = headers_value(&x->head.fields, HEADER_X_ACCEL_REDIRECT);

    a->status = x->head.status;
    a->header_ms = (int64_t)(clock_ms() - a->start_ms);
    if (kind && exchange_may_try_again(x, kind))
        return exchange_next(x, kind);
    balance_answered(&x->pick);
    struct str cookie = balance_cookie(&x->pick);
    if (cookie.len)
        response_header(r, STR("Set-Cookie"), cookie);
    if (x->conf->intercept_errors && x->head.status >= STATUS_MULTIPLE_CHOICES &&
        has_error_page(r, x->head.status))
        return intercept(x);
    if (elsewhere.data && !(x->conf->ignore_headers & IGNORE_ACCEL_REDIRECT))
        return redirect(x, elsewhere);
    if (x->head.upgrade && !settle(x)) {
        exchange_release(x, false);
        return STATUS_SERVICE_UNAVAILABLE;
    }
    fill_response(x);
    if (x->head.upgrade && !r->body)
        (void)body_read(r, false);             /* it has none: nothing is read away behind it */
    r->response.body = &x->source;
    if (x->head.upgrade) {
        tunnel_begin(x);
        return STEP_RESPOND;
    }
    buffering_begin(x);
    r->response.body = store_source(x);
    return STEP_RESPOND;
}

/* RFC 8297. */
static void pass_hints(struct exchange *x)
{
    struct request *r = x->request;
    struct headers fields = { 0 };

    for (unsigned i = 0; i < x->head.fields.list.count; i++) {
        const struct header *f = &x->head.fields.list.items[i];
        if (may_pass_beside(x, f) && !headers_nominate(&x->head.fields, f->name))
            headers_add_as(&fields, &r->arena, f->id, f->name, f->value);
    }
    r->wire->interim(r, x->head.status, &fields);
}

void exchange_interim(struct exchange *x)
{
    struct exchange_buffer *in = &x->in;
    size_t left = (size_t)(in->end - in->at);

    if (x->head.status == STATUS_EARLY_HINTS && !x->request->parent &&
        conditions_any(&core_conf(x->request->conf)->early_hints, request_script(x->request)))
        pass_hints(x);
    memmove(x->head_buffer->data, in->at, left);
    in->at = x->head_buffer->data;
    in->end = in->at + left;
    x->head = (struct exchange_head){ .length = -1 };
}
