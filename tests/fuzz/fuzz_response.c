/*
 * fuzz_response: what a hostile peer may answer: heads, interim ones before them, bodies of every
 * framing, trailers.  It comes to the same however the bytes are cut, and what is accepted is fit to
 * be sent on: no line breaks, no NUL, names that are tokens, one framing.
 *
 * The first byte says what was asked for and how the bytes are cut.
 */
#include <assert.h>
#include <stdlib.h>

#include "http/proxy/exchange.h"
#include "http/proxy/http1.h"
#include "http/proxy/proxied.h"
#include "http/trace.h"
#include "http/v1/v1_parse.h"

enum { ASKED_HEAD = 1, ASKED_UPGRADE = 2, CUT_SHIFT = 2, INTERIMS = 20 };

/* What came of it. */
struct outcome {
    enum head_result head;
    struct exchange_head last;
    bool complete, bad_body;
    unsigned trailers;
    size_t body_len;
    uint32_t body_hash;
};

static void be_silent(const struct request *r, enum log_level level, int error, const char *format,
                      va_list args)
{
    (void)r;
    (void)level;
    (void)error;
    (void)format;
    (void)args;
}

static const struct trace silent = { .log = be_silent };

static void check_text(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        assert(s.data[i] != '\r' && s.data[i] != '\n' && s.data[i] != '\0');
}

static void check_fields(const struct headers *h)
{
    for (unsigned i = 0; i < h->list.count; i++) {
        assert(v1_is_token(h->list.items[i].name));
        check_text(h->list.items[i].value);
    }
}

static void check_head(const struct exchange *x)
{
    const struct headers *h = &x->head.fields;

    assert(x->head.status >= 100 && x->head.status <= 999);
    check_text(x->head.status_text);
    check_fields(h);
    assert(!h->known[HEADER_CONTENT_LENGTH] || !h->known[HEADER_TRANSFER_ENCODING] ||
           x->head.status < 200);
}

/* The head, `cut` bytes more at a time.  At `end` nothing more will come. */
static enum head_result read_head(struct exchange *x, char *end, size_t cut)
{
    unsigned interims = 0;

    while (x->in.end < end) {
        x->in.end += (size_t)(end - x->in.end) < cut ? (size_t)(end - x->in.end) : cut;
        enum head_result result = http1_wire.read_head(x);
        while (result == HEAD_INTERIM && interims++ < INTERIMS) {
            check_head(x);
            x->head = (struct exchange_head){ .length = -1 };
            result = http1_wire.read_head(x);
        }
        assert(x->in.at <= x->in.end);
        if (result != HEAD_MORE)
            return result;
    }
    return HEAD_MORE;
}

static void add_data(struct outcome *o, struct str data)
{
    o->body_len += data.len;
    for (size_t i = 0; i < data.len; i++)
        o->body_hash = (o->body_hash ^ (unsigned char)data.data[i]) * 16777619u;
}

static void read_body(struct exchange *x, char *end, size_t cut, struct outcome *o)
{
    struct str none = { NULL, 0 }, data;
    size_t used;

    while (!x->complete) {
        if (x->in.at == x->in.end && x->in.end == end) {
            o->bad_body = !http1_wire.next_data(x, none, &used, &none) || !x->complete;
            return;
        }
        if (x->in.at == x->in.end)
            x->in.end += (size_t)(end - x->in.end) < cut ? (size_t)(end - x->in.end) : cut;
        struct str in = str_range(x->in.at, x->in.end);
        if (!http1_wire.next_data(x, in, &used, &data)) {
            o->bad_body = true;
            return;
        }
        assert(used + data.len <= in.len && used + data.len > 0);
        assert(data.len == 0 || data.data == in.data + used);
        x->in.at += used + data.len;
        add_data(o, data);
    }
}

static struct outcome run(char *bytes, size_t size, unsigned asked, size_t cut)
{
    struct client c = { .listener = NULL };
    struct request r = { .client = &c, .trace = &silent, .version = VERSION_11 };
    struct exchange x = { .request = &r, .wire = &http1_wire, .head = { .length = -1 } };
    struct outcome o = { .body_hash = 2166136261u };

    r.main = &r;
    arena_init(&r.arena);
    x.wire_state = calloc(1, http1_wire.state_size);
    x.in = (struct exchange_buffer){ bytes, bytes, bytes + size };
    proxied_of(&x)->head = asked & ASKED_HEAD;
    proxied_of(&x)->upgrade = asked & ASKED_UPGRADE;
    o.head = read_head(&x, bytes + size, cut);
    if (o.head == HEAD_DONE) {
        check_head(&x);
        assert(!x.head.upgrade || (asked & ASKED_UPGRADE));
        o.last = x.head;
        if (!x.head.upgrade)
            read_body(&x, bytes + size, cut, &o);
        check_fields(&x.trailers);
    }
    o.complete = x.complete;
    o.trailers = x.trailers.list.count;
    free(x.wire_state);
    arena_fini(&r.arena);
    return o;
}

static bool is_bad(const struct outcome *o)
{
    return o->head == HEAD_BAD || o->bad_body;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    unsigned asked = size ? bytes[0] : 0;
    size_t len = size ? size - 1 : 0;
    char *copy = malloc(len ? len : 1);

    if (!copy)
        return 0;
    memcpy(copy, bytes + (size > 0), len);
    struct outcome whole = run(copy, len, asked, len ? len : 1);
    struct outcome cut = run(copy, len, asked, 1 + (asked >> CUT_SHIFT));
    if (is_bad(&whole) || is_bad(&cut)) {      /* bad chunks may spoil the head they come with */
        assert(is_bad(&whole) && is_bad(&cut));
        free(copy);
        return 0;
    }
    assert(whole.head == cut.head && whole.complete == cut.complete);
    assert(whole.last.status == cut.last.status && whole.last.length == cut.last.length);
    assert(whole.last.keepalive == cut.last.keepalive && whole.last.upgrade == cut.last.upgrade);
    assert(whole.last.fields.list.count == cut.last.fields.list.count);
    assert(whole.trailers == cut.trailers);
    assert(whole.body_len == cut.body_len && whole.body_hash == cut.body_hash);
    free(copy);
    return 0;
}
