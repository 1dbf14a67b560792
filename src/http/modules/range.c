/*
 * range: see range.h.  Knows of a body only its length; a source that can seek is read where it is
 * needed, any other from its start.
 */
#include "http/modules/range.h"

#include <inttypes.h>

#include "http/core.h"
#include "http/request.h"
#include "http/response.h"

/* ---- the field ---- */

static void skip_spaces(struct str *s)
{
    while (s->len && s->data[0] == ' ')
        *s = str_from(*s, 1);
}

/* A number and the spaces behind it; false: there is none, or it is too large. */
static bool take_number(struct str *s, int64_t *value)
{
    size_t digits = 0;
    uint64_t number;

    while (digits < s->len && char_is_digit(s->data[digits]))
        digits++;
    if (!str_to_u64(str_first(*s, digits), &number) || number > INT64_MAX)
        return false;
    *value = (int64_t)number;
    *s = str_from(*s, digits);
    skip_spaces(s);
    return true;
}

static bool take_char(struct str *s, char c)
{
    if (s->len == 0 || s->data[0] != c)
        return false;
    *s = str_from(*s, 1);
    skip_spaces(s);
    return true;
}

/* One range: first-last, first- or -suffix.  An empty one has first == end. */
static bool take_range(struct str s, int64_t length, struct range *range)
{
    int64_t last;

    skip_spaces(&s);
    if (take_char(&s, '-')) {
        if (!take_number(&s, &last) || s.len)
            return false;
        *range = (struct range){ last < length ? length - last : 0, length };
        return true;
    }
    if (!take_number(&s, &range->first) || !take_char(&s, '-'))
        return false;
    range->end = length;
    if (s.len == 0)
        return true;
    if (!take_number(&s, &last) || s.len)
        return false;
    if (last < length)
        range->end = last + 1;
    return true;
}

enum range_result range_parse(struct str value, int64_t length, unsigned max, struct arena *a,
                              struct ranges *ranges)
{
    int64_t size = 0;

    *ranges = (struct ranges){ .ascending = true };
    if (!str_starts_nocase(value, STR("bytes=")))
        return RANGE_IGNORED;
    value = str_from(value, sizeof "bytes=" - 1);
    while (value.data) {
        struct range range;
        struct str spec = str_trim(str_split(&value, ','));
        if (spec.len == 0)                     /* of a list: RFC 9110 section 5.6.1.2 */
            continue;
        if (!take_range(spec, length, &range))
            return RANGE_UNSATISFIABLE;
        if (range.first >= range.end) {
            if (range.first == 0)              /* of an empty body there is only the whole */
                return RANGE_IGNORED;
            continue;
        }
        if (ranges->list.count == max)
            return RANGE_IGNORED;
        if (ranges->list.count && range.first < ranges->list.items[ranges->list.count - 1].end)
            ranges->ascending = false;
        *ARRAY_PUSH(&ranges->list, a) = range;
        size += range.end - range.first;
        if (size > length)                     /* they overlap: the whole is less */
            return RANGE_IGNORED;
    }
    return ranges->list.count ? RANGE_OK : RANGE_UNSATISFIABLE;
}

/* ---- the body ---- */

struct range_source {
    struct source source;
    struct source *inner;
    int64_t at;                        /* where the inner source stands */
    unsigned part, parts;
    bool entered;                      /* the inner source has been brought to the part's start */
    const struct range *list;

    /* of several parts: */
    int64_t length;                    /* of the whole body */
    struct str lines, foot;            /* before each part, up to "Content-Range: "; behind the last */
    char *head;                        /* space for the lines of a part; NULL: a single part */
    struct str text;                   /* what of those is to be given yet */
    bool text_made;
};

enum { RANGE_LINE = 80 };              /* "bytes 1-2/3" and two line ends, at most */

static void put_range(struct out *o, const struct range *range, int64_t length)
{
    OUT_LITERAL(o, "bytes ");
    out_int(o, range->first);
    out_char(o, '-');
    out_int(o, range->end - 1);
    out_char(o, '/');
    out_int(o, length);
}

static enum pull ended_early(struct range_source *s)
{
    request_log(s->source.request, LOG_LEVEL_ERROR, 0,
                "the body ended before the range that was asked for");
    return PULL_ERROR;
}

/* Brings the inner source to `offset`, by reading away what stands before if it can't seek.
 * PULL_DATA: it is there. */
static enum pull advance_to(struct range_source *s, int64_t offset)
{
    if (s->inner->ops->seek) {
        s->inner->ops->seek(s->inner, offset);
        s->at = offset;
    }
    while (s->at < offset) {
        struct batch away;
        uint64_t left = (uint64_t)(offset - s->at);
        batch_reset(&away);
        enum pull result = source_pull(s->inner, &away, left < SIZE_MAX ? (size_t)left : SIZE_MAX);
        s->at += (int64_t)away.bytes;
        if (result == PULL_LAST)
            return ended_early(s);
        if (result != PULL_DATA)
            return result;
    }
    return PULL_DATA;
}

/* Bytes of the part that is under way; s->at tells when it is complete. */
static enum pull pull_part(struct range_source *s, struct batch *out, size_t budget)
{
    const struct range *range = &s->list[s->part];
    enum pull result = s->entered ? PULL_DATA : advance_to(s, range->first);

    if (result != PULL_DATA)
        return result;
    s->entered = true;
    uint64_t left = (uint64_t)(range->end - s->at);
    size_t before = out->bytes;
    result = source_pull(s->inner, out, left < budget ? (size_t)left : budget);
    s->at += (int64_t)(out->bytes - before);
    if (result == PULL_LAST && s->at < range->end)
        return ended_early(s);
    return result == PULL_LAST ? PULL_DATA : result;
}

/* The lines before a part, or behind the last one. */
static void make_text(struct range_source *s)
{
    s->text_made = true;
    if (s->part == s->parts) {
        s->text = s->foot;
        return;
    }
    struct out o = out_fixed(s->head, s->lines.len + RANGE_LINE);
    out_str(&o, s->lines);
    put_range(&o, &s->list[s->part], s->length);
    OUT_LITERAL(&o, "\r\n\r\n");
    s->text = out_str_of(&o);
}

static size_t give_text(struct range_source *s, struct batch *out, size_t budget)
{
    if (!s->text_made && s->head)
        make_text(s);

    size_t n = s->text.len < budget ? s->text.len : budget;
    if (n > 0)
        batch_memory(out, s->text.data, n);
    s->text = str_from(s->text, n);
    return n;
}

static enum pull range_pull(struct source *source, struct batch *out, size_t budget)
{
    struct range_source *s = (struct range_source *)source;
    size_t text = give_text(s, out, budget);

    if (s->part == s->parts)
        return s->text.len ? PULL_DATA : PULL_LAST;
    if (text == budget || batch_full(out))
        return PULL_DATA;
    enum pull result = pull_part(s, out, budget - text);
    if (result != PULL_DATA)
        return result == PULL_WAIT && text ? PULL_DATA : result;
    if (!s->entered || s->at < s->list[s->part].end)
        return PULL_DATA;
    s->entered = s->text_made = false;
    s->part++;
    return s->part == s->parts && !s->head ? PULL_LAST : PULL_DATA;
}

static void range_close(struct source *source)
{
    source_close(((struct range_source *)source)->inner);
}

static const struct source_ops range_ops = { "range", range_pull, range_close, NULL };

static struct range_source *wrap(struct request *r, const struct ranges *ranges)
{
    struct range_source *s = ARENA_NEW(&r->arena, struct range_source);

    s->source = (struct source){ &range_ops, r };
    s->inner = r->response.body;
    s->parts = ranges->list.count;
    s->list = ranges->list.items;
    return s;
}

/* ---- the head ---- */

static void hide_fields(struct request *r, struct str name)
{
    struct headers *h = &r->response.headers;

    for (unsigned i = 0; i < h->list.count; i++) {
        if (str_eq_nocase(h->list.items[i].name, name))
            h->list.items[i].hidden = true;
    }
}

static void respond_single(struct request *r, const struct range *range)
{
    struct response *res = &r->response;
    struct out o = out_growing(&r->arena, 128);

    put_range(&o, range, res->length);
    response_header(r, STR("Content-Range"), out_str_of(&o));
    res->length = range->end - range->first;
}

/* Twenty digits that no other response of this process has had. */
static uint64_t next_boundary(void)
{
    static uint64_t last;

    if (last == 0)
        last = (uint64_t)clock_seconds() * 2654435761u ^ (uint64_t)(uintptr_t)&last;
    last = last * 6364136223846793005u + 1442695040888963407u;
    return last;
}

/* What stands before each part, up to its place in the whole. */
static struct str part_lines(struct request *r, uint64_t boundary)
{
    struct response *res = &r->response;
    struct out o = out_growing(&r->arena, 8192);

    OUT_LITERAL(&o, "\r\n--");
    out_padded(&o, boundary, 20);
    OUT_LITERAL(&o, "\r\n");
    if (res->content_type.len) {
        OUT_LITERAL(&o, "Content-Type: ");
        out_str(&o, res->content_type);
        if (res->charset.len) {
            OUT_LITERAL(&o, "; charset=");
            out_str(&o, res->charset);
        }
        OUT_LITERAL(&o, "\r\n");
    }
    OUT_LITERAL(&o, "Content-Range: ");
    return out_str_of(&o);
}

static void respond_multipart(struct request *r, struct range_source *s)
{
    struct response *res = &r->response;
    uint64_t boundary = next_boundary();
    char space[RANGE_LINE];

    s->length = res->length;
    s->lines = part_lines(r, boundary);
    s->foot = arena_printf(&r->arena, "\r\n--%020" PRIu64 "--\r\n", boundary);
    s->head = arena_alloc(&r->arena, s->lines.len + RANGE_LINE);
    res->length = (int64_t)s->foot.len;
    for (unsigned i = 0; i < s->parts; i++) {
        struct out o = out_fixed(space, sizeof space);
        put_range(&o, &s->list[i], s->length);
        res->length += (int64_t)(s->lines.len + out_len(&o) + sizeof "\r\n\r\n" - 1) +
                       s->list[i].end - s->list[i].first;
    }
    res->content_type =
        arena_printf(&r->arena, "multipart/byteranges; boundary=%020" PRIu64, boundary);
    res->charset = (struct str){ NULL, 0 };
}

/* If-Range, section 13.1.5: a date or an entity tag, compared strongly. */
static bool if_range_holds(const struct request *r)
{
    struct str value = headers_value(&r->headers, HEADER_IF_RANGE);

    if (!value.data)
        return true;
    if (value.len && value.data[value.len - 1] == '"')
        return str_starts(value, STR("\"")) && str_eq(value, r->response.etag);
    time_t when = clock_parse_http_date(value);
    return when >= 0 && when == response_modified(r);
}

static int unsatisfiable(struct request *r)
{
    struct out o = out_growing(&r->arena, 64);

    hide_fields(r, STR("Content-Range"));
    hide_fields(r, STR("Accept-Ranges"));
    OUT_LITERAL(&o, "bytes */");
    out_int(&o, r->response.length);
    response_header(r, STR("Content-Range"), out_str_of(&o));
    return STATUS_RANGE_NOT_SATISFIABLE;
}

static void respond_partial(struct request *r, const struct ranges *ranges)
{
    struct response *res = &r->response;

    response_unprepare(r);
    hide_fields(r, STR("Content-Range"));
    hide_fields(r, STR("Accept-Ranges"));
    res->status = STATUS_PARTIAL_CONTENT;
    res->status_text = (struct str){ NULL, 0 };
    res->allow_ranges = false;
    struct range_source *s = wrap(r, ranges);
    if (ranges->list.count == 1)
        respond_single(r, &ranges->list.items[0]);
    else
        respond_multipart(r, s);
    if (res->body)
        res->body = &s->source;
}

static int range_apply(struct request *r)
{
    struct response *res = &r->response;
    unsigned most = core_conf(r->conf)->max_ranges, max = res->single_range && most ? 1 : most;
    struct ranges ranges;

    if (!res->allow_ranges)
        return 0;
    if (res->status != STATUS_OK || r != r->main || res->length < 0 || max == 0 ||
        r->version < VERSION_10) {
        response_unprepare(r);
        res->allow_ranges = false;
        return 0;
    }
    struct str value = headers_value(&r->headers, HEADER_RANGE);
    if (!value.data || r->method != METHOD_GET || !if_range_holds(r))
        return 0;                              /* for GET alone: RFC 9110 section 14.2 */
    switch (range_parse(value, res->length, max, &r->arena, &ranges)) {
    case RANGE_UNSATISFIABLE:
        return unsatisfiable(r);
    case RANGE_IGNORED:
        return 0;
    case RANGE_OK:
        break;
    }
    /* Parts in any order want a source that can go back. */
    if (ranges.ascending || !res->body || res->body->ops->seek)
        respond_partial(r, &ranges);
    return 0;
}

const struct http_filter range_filter = {
    .name = "range", .main_only = true, .apply = range_apply,
};
