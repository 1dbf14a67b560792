/*
 * health_http2: see health_http2.h.
 */
#include "http/proxy/health_http2.h"

#include "http/headers.h"
#include "http/proxy/health_request.h"
#include "http/v2/frame.h"
#include "http/v2/hpack.h"
#include "http/v2/v2.h"

enum { STREAM = 1, BLOCK_MAX = 65536, FIELDS_MAX = 65536, DECODE_MAX = 65536, SETTING_SIZE = 6 };

/* ---- the request ---- */

struct fields {
    struct hpack_encoder encoder;
    struct out block;
    const struct http_probe *probe;
};

static void put(struct fields *f, struct str name, struct str value)
{
    hpack_put_field(&f->encoder, &f->block, name, value, HPACK_PLAIN);
}

/* Host comes first. */
static void put_field(void *to, struct str name, struct str value)
{
    struct fields *f = to;

    if (str_eq_nocase(name, STR("host"))) {
        put(f, STR(":method"), STR("GET"));
        put(f, STR(":scheme"), f->probe->secure ? STR("https") : STR("http"));
        put(f, STR(":path"), f->probe->uri);
        put(f, STR(":authority"), value);
    } else if (!headers_is_of_http1(header_id(name)))
        put(f, name, value);
}

static void put_setting(struct out *o, enum frame_setting name, uint32_t value)
{
    out_u16(o, (uint16_t)name);
    out_u32(o, value);
}

static void build(const struct health_check *c, const struct upstream_peer *peer, struct out *o)
{
    static char space[FRAME_SIZE];
    struct fields f = { .block = out_fixed(space, sizeof space), .probe = c->conf };

    (void)peer;
    OUT_LITERAL(o, V2_PREFACE);
    frame_put_head(o, 2 * SETTING_SIZE, FRAME_SETTINGS, 0, 0);
    put_setting(o, SETTINGS_ENABLE_PUSH, 0);
    put_setting(o, SETTINGS_INITIAL_WINDOW_SIZE, HEALTH_ANSWER_MAX);
    frame_put_head(o, 4, FRAME_WINDOW_UPDATE, 0, 0);
    out_u32(o, HEALTH_ANSWER_MAX - FRAME_WINDOW);
    hpack_encoder_init(&f.encoder);
    hpack_put_begin(&f.encoder, &f.block);
    health_request_fields(f.probe, &(struct health_sink){ put_field, &f });
    hpack_encoder_fini(&f.encoder);
    frame_put_head(o, (uint32_t)out_len(&f.block), FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM,
                   STREAM);
    out_str(o, out_str_of(&f.block));
}

/* ---- the response ---- */

struct answer {
    struct hpack_decoder decoder;
    struct out block, fields, body;
    uint8_t block_flags;
    unsigned frames;
    bool in_block, ended;
    bool wants_body;                   /* it is looked at */
    unsigned status;                   /* 0: no head has come that counts */
};

/* false: it is no field. */
static bool take_field(struct answer *a, const struct hpack_field *f, bool first, unsigned *status)
{
    if (f->flaws || first != str_eq(f->name, STR(":status")))
        return false;
    if (first)
        return f->value.len == 3 && str_to_uint(f->value, 999, status) && *status >= 100;
    if (a->status == 0 && *status >= 200) {
        out_str(&a->fields, f->name);
        OUT_LITERAL(&a->fields, ": ");
        out_str(&a->fields, f->value);
        OUT_LITERAL(&a->fields, "\r\n");
    }
    return !a->fields.overflow;
}

/* A head, an interim one, or trailers.  false: it is bad. */
static bool take_block(struct answer *a)
{
    static char space[DECODE_MAX];
    struct str text = out_str_of(&a->block);
    struct cursor c = cursor_of(text.data, text.len);
    bool first = a->status == 0;
    unsigned status = 0;

    for (;;) {
        struct out o = out_fixed(space, sizeof space);
        struct hpack_field f;
        enum hpack_result result = hpack_next(&a->decoder, &c, &o, &f);
        if (result == HPACK_END)
            break;
        if (result != HPACK_FIELD || !take_field(a, &f, first, &status))
            return false;
        first = false;
    }
    a->block.at = a->block.start;
    a->in_block = false;
    a->ended |= (a->block_flags & FLAG_END_STREAM) != 0;
    if (a->status == 0 && status >= 200)
        a->status = status;
    return !first && (a->status || !a->ended);
}

static bool take_headers(struct answer *a, const struct frame *f, struct cursor *payload)
{
    if (f->type == FRAME_HEADERS) {
        if (a->in_block || !frame_unpad(f, payload))
            return false;
        if (f->flags & FLAG_PRIORITY)
            cursor_take(payload, 5);
        a->block_flags = f->flags;
        a->in_block = true;
    } else if (!a->in_block)
        return false;
    out_bytes(&a->block, payload->at, cursor_left(payload));
    if (payload->bad || a->block.overflow)
        return false;
    return !(f->flags & FLAG_END_HEADERS) || take_block(a);
}

static bool take_data(struct answer *a, const struct frame *f, struct cursor *payload)
{
    if (!a->status || !frame_unpad(f, payload))
        return false;
    size_t n = cursor_left(payload), room = out_room(&a->body);
    out_bytes(&a->body, payload->at, n < room ? n : room);     /* no more is looked at */
    a->ended |= (f->flags & FLAG_END_STREAM) != 0;
    return true;
}

/* false: nothing good can come of it. */
static bool take_frame(struct answer *a, const struct frame *f, struct cursor *payload)
{
    if (a->frames++ == 0 && (f->type != FRAME_SETTINGS || (f->flags & FLAG_ACK)))
        return false;                          /* section 3.4: it speaks something else */
    if (a->in_block && (f->type != FRAME_CONTINUATION || f->stream != STREAM))
        return false;
    switch (f->type) {
    case FRAME_HEADERS:
    case FRAME_CONTINUATION:
        return f->stream == STREAM && take_headers(a, f, payload);
    case FRAME_DATA:
        return f->stream == STREAM && take_data(a, f, payload);
    case FRAME_GOAWAY:
        return (cursor_u32(payload) & FRAME_MAX_WINDOW) >= STREAM;
    case FRAME_RST_STREAM:
    case FRAME_PUSH_PROMISE:
        return false;
    default:
        return true;
    }
}

/* What more may come changes nothing. */
static bool is_enough(const struct answer *a)
{
    return a->ended || (a->status && (!a->wants_body || !out_room(&a->body)));
}

/* The frames that are there as a whole, as far as they matter. */
static bool take_frames(struct answer *a, struct str in)
{
    while (!is_enough(a) && in.len >= FRAME_HEAD_SIZE) {
        struct frame f = frame_head(in.data);
        if (f.length > FRAME_SIZE)
            return false;
        if (in.len - FRAME_HEAD_SIZE < f.length)
            return true;
        struct cursor payload = cursor_of(in.data + FRAME_HEAD_SIZE, f.length);
        if (!take_frame(a, &f, &payload))
            return false;
        in = str_from(in, FRAME_HEAD_SIZE + f.length);
    }
    return true;
}

static enum health_verdict judge_answer(const struct http_probe *probe, const struct answer *a,
                                        struct health_note *note)
{
    if (!a->status)
        return HEALTH_MORE;
    if (!health_head_is_good(probe, a->status, out_str_of(&a->fields), note))
        return HEALTH_BAD;
    if (!is_enough(a))
        return HEALTH_MORE;
    note->why = health_match_body(probe->match, out_str_of(&a->body));
    return note->why ? HEALTH_BAD : HEALTH_GOOD;
}

static enum health_verdict judge(const struct health_check *c, struct str in, bool end,
                                 struct health_note *note)
{
    const struct http_probe *probe = c->conf;
    static char block[BLOCK_MAX], fields[FIELDS_MAX], body[HEALTH_BODY_MAX];   /* of one at a time */
    struct answer a = {
        .block = out_fixed(block, sizeof block), .fields = out_fixed(fields, sizeof fields),
        .body = out_fixed(body, sizeof body), .wants_body = health_match_wants_body(probe->match),
    };

    (void)end;
    hpack_decoder_init(&a.decoder, HPACK_TABLE_SIZE);
    bool good = take_frames(&a, in);
    hpack_decoder_fini(&a.decoder);
    note->why = a.status ? "reading response body" : "reading response header";
    return good ? judge_answer(probe, &a, note) : HEALTH_BAD;
}

const struct health_kind health_http2 = { build, judge };
