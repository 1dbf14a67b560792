/*
 * v2_send: responses, from a struct response to frames in the connection's output.  The body is
 * pulled as far as the windows of stream and connection, limit_rate and the output's room allow.
 */
#include <errno.h>
#include <unistd.h>

#include "http/core.h"
#include "http/pace.h"
#include "http/response.h"
#include "http/v2/v2_output.h"
#include "http/websocket.h"

enum {
    HEAD_SPACE = 128 * 1024,           /* the largest head of a response */
    HEAD_ROOM = 4096,                  /* of the output, that a head is made for */
    REFER_FROM = 4096,                 /* bytes of a body that are worth pointing at */
    GATHER_SPACE = 16384,              /* where small pieces of a body are put together */
    QUANTUM = 32768,                   /* bytes that a stream may send while others wait */
    WORTH_FROM = 256,                  /* bytes of a frame, cut short by its window, that are a service */
};

static char head_space[HEAD_SPACE], gather_space[GATHER_SPACE];

/* ---- heads ---- */

static void put_repeated(struct v2 *v, struct out *o, struct str name, struct str value)
{
    hpack_put_field(&v->encoder, o, name, value, HPACK_REPEATED);
}

static void put_plain(struct v2 *v, struct out *o, struct str name, struct str value)
{
    hpack_put_field(&v->encoder, o, name, value, HPACK_PLAIN);
}

static void put_fields(struct v2 *v, struct out *o, const struct headers *fields)
{
    for (unsigned i = 0; i < fields->list.count; i++) {
        const struct header *f = &fields->list.items[i];
        if (!f->hidden && !headers_is_of_http1((enum header_id)f->id))
            put_plain(v, o, f->name, f->value);
    }
}

static void put_location(struct v2 *v, struct out *o, struct request *r)
{
    struct out value = out_growing(&r->arena, HEAD_SPACE);

    response_put_location(&value, r);
    put_plain(v, o, STR("location"), out_str_of(&value));
}

static void put_head(struct v2 *v, struct out *o, struct request *r)
{
    const struct response *res = &r->response;
    struct str server = res->has_server ? STR("") : response_server(r);

    hpack_put_begin(&v->encoder, o);
    /* A 101 says here what 200 does (RFC 8441 section 5). */
    hpack_put_status(&v->encoder, o, r->flags.tunnel ? STATUS_OK : res->status);
    if (server.len)
        put_repeated(v, o, STR("server"), server);
    if (!res->has_date)
        put_repeated(v, o, STR("date"), clock_http_date());
    v2_put_description(v, o, res);
    if (res->location.len)
        put_location(v, o, r);
    put_fields(v, o, &res->headers);
}

/* A block as HEADERS, and CONTINUATION where it is larger than a frame, in `to`; gives its end. */
static char *frame_block(const struct v2_stream *s, struct str block, uint8_t flags, char *to)
{
    enum frame_type type = FRAME_HEADERS;
    size_t most = s->v2->frame_size;

    do {
        size_t n = block.len < most ? block.len : most;
        bool end = n == block.len;
        struct out o = out_fixed(to, FRAME_HEAD_SIZE + n);
        frame_put_head(&o, (uint32_t)n, type, (uint8_t)(flags | (end ? FLAG_END_HEADERS : 0)), s->id);
        out_bytes(&o, block.data, n);
        to = o.at;
        block = str_from(block, n);
        type = FRAME_CONTINUATION;
        flags = 0;
    } while (block.len);
    return to;
}

/* Queues a block.  false: the connection is of no more use. */
static bool queue_block(struct v2_stream *s, const struct out *o, uint8_t flags)
{
    struct v2 *v = s->v2;
    struct str block = out_str_of(o);
    size_t size = block.len + (block.len / v->frame_size + 1) * FRAME_HEAD_SIZE;
    bool fits = size <= v2_output_room(v);
    char *space = o->overflow ? NULL : fits ? v2_output_space(v) : malloc(size);

    if (!space) {                              /* the peer's table is not what ours is any more */
        v2_fail(v, FRAME_INTERNAL_ERROR, o->overflow ? "a response's head is too large"
                                                     : "memory is short");
        return false;
    }
    size = (size_t)(frame_block(s, block, flags, space) - space);
    if (fits)
        v2_output_commit(v, size);
    else
        v2_output_own(v, space, size);
    s->request->sent += size;
    s->request->head_bytes += size;
    s->out_closed = (flags & FLAG_END_STREAM) != 0;
    return true;
}

static bool send_trailers(struct v2_stream *s)
{
    struct v2 *v = s->v2;
    struct out o = out_fixed(head_space, sizeof head_space);

    hpack_put_begin(&v->encoder, &o);
    put_fields(v, &o, &s->request->response.trailers);
    return queue_block(s, &o, FLAG_END_STREAM);
}

/* The response's end, where its body has none, or has said that it was all: whether trailers follow. */
static bool make_trailers(struct request *r)
{
    if (r->flags.header_only || r->flags.tunnel)
        return false;
    if (r->response.make_trailers)
        r->response.make_trailers(r);
    return r->response.trailers.list.count > 0;
}

static int send_head(struct v2_stream *s)
{
    struct request *r = s->request;
    struct v2 *v = s->v2;
    struct out o = out_fixed(head_space, sizeof head_space);

    if (!v2_output_has_room(v, HEAD_ROOM)) {
        list_remove(&s->place);
        list_push(&v->heads, &s->place);
        return STEP_WAIT;
    }
    v2_priority_respond(s);
    pace_begin(r);
    bool all = !r->response.body, trailers = all && make_trailers(r);
    if (r->flags.extended)
        websocket_hide_proof(&r->response.headers);
    put_head(v, &o, r);
    r->flags.head_sent = s->head_made = true;
    s->last = all;
    if (!queue_block(s, &o, all && !trailers ? FLAG_END_STREAM : 0))
        return STEP_ABORT;
    return trailers && !send_trailers(s) ? STEP_ABORT : STEP_NEXT;
}

void v2_interim(struct request *r, unsigned status, const struct headers *fields)
{
    struct v2_stream *s = v2_stream_of(r);
    struct out o = out_fixed(head_space, sizeof head_space);

    if (s->head_made || s->gone || !v2_output_has_room(s->v2, HEAD_ROOM))
        return;
    hpack_put_begin(&s->v2->encoder, &o);
    hpack_put_status(&s->v2->encoder, &o, status);
    if (fields)
        put_fields(s->v2, &o, fields);
    queue_block(s, &o, 0);
}

/* ---- bodies ---- */

static bool read_file(const struct request *r, const struct span *p, char *space, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(p->file, space + done, len - done, p->offset + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            request_log(r, n < 0 ? LOG_LEVEL_CRIT : LOG_LEVEL_ALERT, n < 0 ? errno : 0,
                        n < 0 ? "pread() failed" : "the file was truncated while it was sent");
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

static void take_off(struct span *p, size_t n)
{
    if (p->data)
        p->data += n;
    else
        p->offset += (off_t)n;
    p->len -= n;
}

/* Copies the next `len` bytes of a batch, from span *i on.  false: a file gave less (logged). */
static bool copy_out(const struct request *r, struct batch *b, unsigned *i, char *to, size_t len)
{
    while (len) {
        struct span *p = &b->spans[*i];
        size_t n = p->len < len ? p->len : len;
        if (p->data)
            memcpy(to, p->data, n);
        else if (n && !read_file(r, p, to, n))
            return false;
        take_off(p, n);
        if (p->len == 0)
            ++*i;
        to += n;
        len -= n;
    }
    return true;
}

/* Whether others will write where those bytes are. */
static bool was_gathered(const struct span *p)
{
    return p->data >= gather_space && p->data < gather_space + GATHER_SPACE;
}

/* A DATA frame with the next `len` bytes of the batch.  false: they can't be had. */
static bool queue_frame(struct v2_stream *s, struct batch *b, unsigned *i, size_t len, bool end)
{
    struct v2 *v = s->v2;
    char *space = v2_output_space(v);

    if (!space)
        return false;
    while (*i < b->count && b->spans[*i].len == 0)
        ++*i;
    struct span *p = *i < b->count ? &b->spans[*i] : NULL;
    bool refer = p && p->data && p->len >= len && len >= REFER_FROM && !was_gathered(p) &&
                 !s->request->flags.tunnel;    /* whose bytes may go at any time */
    if (!refer && !copy_out(s->request, b, i, space + FRAME_HEAD_SIZE, len))
        return false;
    struct out o = out_fixed(space, FRAME_HEAD_SIZE);
    frame_put_head(&o, (uint32_t)len, FRAME_DATA, end ? FLAG_END_STREAM : 0, s->id);
    v2_output_commit(v, FRAME_HEAD_SIZE + (refer ? 0 : len));
    if (refer) {
        v2_output_refer(v, s, (struct str){ p->data, len });
        take_off(p, len);
    }
    s->request->sent += FRAME_HEAD_SIZE + len;
    s->request->head_bytes += FRAME_HEAD_SIZE;
    s->window -= (int64_t)len;
    v->window -= (int64_t)len;
    v->turn_bytes += len;
    if (len >= WORTH_FROM || (s->window > 0 && v->window > 0))
        v2_earn(v, V2_WORTH_DATA);
    s->out_closed = end;
    return true;
}

static size_t frame_limit(const struct v2_stream *s)
{
    size_t chunk = v2_chunk_size(s->request->conf);

    return chunk < s->v2->frame_size ? chunk : s->v2->frame_size;
}

static bool queue_batch(struct v2_stream *s, struct batch *b, bool end)
{
    size_t left = b->bytes, most = frame_limit(s);
    unsigned i = 0;

    if (left == 0 && !end)
        return true;
    do {
        size_t n = left < most ? left : most;
        left -= n;
        if (!queue_frame(s, b, &i, n, end && left == 0))
            return false;
    } while (left);
    return true;
}

/* Bytes that may be pulled: what windows and pace allow, in whole frames that fit into the output.  0:
 * none. */
static size_t budget_of(struct v2_stream *s)
{
    struct v2 *v = s->v2;
    size_t room = v2_output_room(v), frame = frame_limit(s);
    int64_t window = s->window < v->window ? s->window : v->window;
    size_t fits = room / (frame + FRAME_HEAD_SIZE) * frame;

    if (fits == 0)
        fits = room - FRAME_HEAD_SIZE;
    if (fits > QUANTUM && v2_streams_wait(v))
        fits = frame < QUANTUM ? QUANTUM / frame * frame : QUANTUM;
    if (window < (int64_t)fits)
        fits = (size_t)window;
    return pace_allowance(s->request, fits, &s->resume_ms);
}

/* Pulls the body's next piece; small ones are put together to postpone_output bytes, if they can be
 * had. */
static enum pull pull_piece(struct request *r, struct batch *b, size_t budget)
{
    size_t enough = core_conf(r->conf)->postpone_output, gathered = 0;
    size_t most = budget < GATHER_SPACE ? budget : GATHER_SPACE;

    batch_reset(b);
    enum pull result = source_pull(r->response.body, b, budget);
    if (enough > most)
        enough = most;
    if (result != PULL_DATA || b->bytes >= enough || r->flags.tunnel)
        return result;
    for (;;) {
        unsigned i = 0;
        if (!copy_out(r, b, &i, gather_space + gathered, b->bytes))
            return PULL_ERROR;
        gathered += b->bytes;
        batch_reset(b);
        if (result != PULL_DATA || gathered >= enough)
            break;
        result = source_pull(r->response.body, b, most - gathered);
    }
    if (gathered)
        batch_memory(b, gather_space, gathered);
    return result == PULL_WAIT && gathered ? PULL_DATA : result;
}

static int wait_for_client(struct v2_stream *s)
{
    struct request *r = s->request;

    if (!s->waits)
        request_wait_ms(r, core_conf(r->conf)->send_timeout);
    return STEP_WAIT;
}

static int wait_for_source(struct v2_stream *s)
{
    uint64_t now = clock_ms();

    if (!s->resume_ms) {
        s->waits = false;                      /* the source has timeouts of its own */
        return STEP_WAIT;
    }
    request_wait_ms(s->request, s->resume_ms > now ? s->resume_ms - now : 0);
    return request_wait(s->request);
}

/* Queues what comes next of the body: STEP_NEXT, STEP_WAIT, STEP_ABORT. */
static int send_body(struct v2_stream *s, bool turn)
{
    static struct batch batch;
    struct request *r = s->request;
    struct v2 *v = s->v2;

    if (s->window <= 0)
        return wait_for_client(s);
    if (v->window <= 0 || (!turn && v2_stream_must_wait(s)) ||
        !v2_output_has_room(v, V2_BODY_ROOM)) {
        v2_stream_queue(s);
        return wait_for_client(s);
    }
    size_t budget = budget_of(s);
    enum pull result = budget ? pull_piece(r, &batch, budget) : PULL_WAIT;
    if (result == PULL_WAIT)
        return wait_for_source(s);
    if (result == PULL_ERROR)
        return STEP_ABORT;
    bool trailers = result == PULL_LAST && make_trailers(r);
    if (batch.bytes)
        s->waits = false;                      /* it moves */
    if (!queue_batch(s, &batch, result == PULL_LAST && !trailers) || (trailers && !send_trailers(s)))
        return STEP_ABORT;
    s->last = result == PULL_LAST;
    return STEP_NEXT;
}

/* The timer has struck: the pause of limit_rate is over, or the client has left the window shut for too
 * long.  That its turn has not come is not the client's fault. */
static bool gave_up(struct v2_stream *s)
{
    struct request *r = s->request;

    if (!r->timed_out)
        return false;
    if (s->resume_ms || !s->head_made || (s->window > 0 && s->v2->window > 0)) {
        r->timed_out = false;
        return false;
    }
    request_log(r, LOG_LEVEL_INFO, ETIMEDOUT, "client timed out while the response was sent");
    return true;
}

int v2_send(struct request *r)
{
    struct v2_stream *s = v2_stream_of(r);
    bool turn = s->turn;

    s->turn = false;
    if (s->pending)
        return STEP_WAIT;
    if (s->gone || gave_up(s))
        return STEP_ABORT;
    int result = s->head_made ? STEP_NEXT : send_head(s);
    if (result == STEP_NEXT && s->resume_ms && clock_ms() < s->resume_ms)
        return wait_for_source(s);
    while (result == STEP_NEXT && !s->last && !s->pending) {
        result = send_body(s, turn);
        turn = false;
    }
    return result == STEP_NEXT && s->pending ? STEP_WAIT : result;
}
