/*
 * http1_answer: see http1_answer.h.
 */
#include "http/proxy/http1_answer.h"

#include "http/status.h"
#include "http/v1/v1_parse.h"

/* ---- the head ---- */

static bool take_field(struct http1_answer *a, struct str name, struct str value)
{
    uint64_t length;

    if (str_eq_nocase(name, STR("Content-Length"))) {
        if (a->length >= 0 || !str_to_u64(value, &length) || length > INT64_MAX)
            return false;
        a->length = (int64_t)length;
    } else if (str_eq_nocase(name, STR("Transfer-Encoding"))) {
        a->chunked = true;
        return str_eq_nocase(value, STR("chunked"));
    } else if (str_eq_nocase(name, STR("Connection"))) {
        a->closes |= str_find_nocase(value, STR("close")) >= 0;
    }
    return true;
}

/* A whole head, and what stands behind it in *in. */
static enum http1_answer_progress read_head(struct str *in, struct http1_answer *a)
{
    struct str line, name, value;

    if (!http1_next_line(in, &line))
        return HTTP1_ANSWER_MORE;
    if (!http1_parse_status(line, &a->status))
        return HTTP1_ANSWER_BAD;
    const char *from = in->data;
    while (http1_next_line(in, &line)) {
        switch (http1_parse_field(line, &name, &value)) {
        case HTTP1_FIELD:
            if (!take_field(a, name, value))
                return HTTP1_ANSWER_BAD;
            break;
        case HTTP1_BAD:
            return HTTP1_ANSWER_BAD;
        case HTTP1_LAST:
            a->fields = str_range(from, in->data);
            a->body = *in;
            return a->chunked && a->length >= 0 ? HTTP1_ANSWER_BAD : HTTP1_ANSWER_GOOD;
        }
    }
    return HTTP1_ANSWER_MORE;
}

enum http1_answer_progress http1_answer_head(struct str in, struct http1_answer *a)
{
    enum http1_answer_progress v;

    do {
        *a = (struct http1_answer){ .length = -1 };
        v = read_head(&in, a);
    } while (v == HTTP1_ANSWER_GOOD && a->status.status < STATUS_OK);
    return v == HTTP1_ANSWER_MORE && in.len > HTTP1_ANSWER_HEAD_MAX ? HTTP1_ANSWER_BAD : v;
}

struct str http1_answer_field(const struct http1_answer *a, struct str name)
{
    struct str in = a->fields, line, other, value;

    while (http1_next_line(&in, &line) && http1_parse_field(line, &other, &value) == HTTP1_FIELD) {
        if (str_eq_nocase(other, name))
            return value;
    }
    return (struct str){ NULL, 0 };
}

/* ---- the body ---- */

bool http1_answer_is_bodiless(const struct http1_answer *a)
{
    return a->status.status == STATUS_NO_CONTENT || a->status.status == STATUS_NOT_MODIFIED;
}

/* A chunked body, its framing taken off: how much of `in` it took in *used. */
static enum http1_answer_progress read_chunks(struct str in, struct out *o, size_t *used)
{
    struct v1_chunks chunks = { 0 };
    size_t framing;
    struct str data, rest = in;

    while (rest.len && chunks.state != CHUNK_DONE) {
        if (!v1_chunks_next(&chunks, rest, &framing, &data))
            return HTTP1_ANSWER_BAD;
        out_bytes(o, data.data, data.len < out_room(o) ? data.len : out_room(o));
        rest = str_from(rest, framing + data.len);
    }
    *used = in.len - rest.len;
    return chunks.state == CHUNK_DONE ? HTTP1_ANSWER_GOOD : HTTP1_ANSWER_MORE;
}

enum http1_answer_progress http1_answer_body(const struct http1_answer *a, bool end, struct out *o,
                                             bool *extra)
{
    size_t used = a->body.len, left = out_room(o);
    enum http1_answer_progress v = end ? HTTP1_ANSWER_GOOD : HTTP1_ANSWER_MORE;    /* without framing */

    if (http1_answer_is_bodiless(a)) {
        used = 0;
        v = HTTP1_ANSWER_GOOD;
    } else if (a->chunked) {
        v = read_chunks(a->body, o, &used);
    } else {
        if (a->length >= 0) {
            used = a->body.len < (uint64_t)a->length ? a->body.len : (size_t)a->length;
            v = used == (uint64_t)a->length ? HTTP1_ANSWER_GOOD : HTTP1_ANSWER_MORE;
        }
        out_bytes(o, a->body.data, used < left ? used : left);
    }
    *extra = used < a->body.len;
    return v;
}
