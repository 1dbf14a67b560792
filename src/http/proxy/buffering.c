/*
 * buffering: see buffering.h.  The order of bytes is: what the client has been given, the file, the
 * window.
 */
#include "http/proxy/buffering.h"

#include <errno.h>
#include <unistd.h>

#include "http/pace.h"
#include "http/proxy/exchange_log.h"
#include "http/proxy/upload.h"
#include "http/proxy/window.h"
#include "http/temp_file.h"

void buffering_fini(struct exchange *x)
{
    window_give(x->window);
    window_give(x->spare);
    x->window = x->spare = x->current = x->held = NULL;
}

/* ---- from the peer ---- */

static bool broken(struct exchange *x, int level, int error, const char *why)
{
    exchange_log(x, (enum log_level)level, error, "%s", why);
    x->broken = true;
    exchange_release(x, false);
    return false;
}

/* The body is all here: the peer is free for others. */
static void completed(struct exchange *x)
{
    if (x->conf->pass_trailers)
        exchange_pass_trailers(x);
    if (x->in.at < x->in.end)
        exchange_log(x, LOG_LEVEL_WARN, 0, "upstream sent more data than its response has: the "
                     "connection is closed");
    exchange_release(x, x->head.keepalive && x->request_sent && x->in.at == x->in.end);
}

static size_t window_size(const struct exchange *x)
{
    const struct exchange_conf *conf = x->conf;

    return x->buffering ? conf->buffers.count * conf->buffers.size : conf->buffer_size;
}

/* Room behind x->in.end.  A window that the client still holds bytes of is not used again before
 * its next pull: there is a spare one meanwhile. */
static bool make_room(struct exchange *x, bool fresh)
{
    struct exchange_buffer *in = &x->in;

    if (in->at == in->end && (fresh || in->end == in->limit)) {
        bool held = x->held && x->held == x->window;
        struct window **w = held ? &x->spare : &x->window;
        if (!*w && !(*w = window_take(held ? x->conf->busy : window_size(x))))
            return broken(x, LOG_LEVEL_CRIT, ENOMEM, "memory is short");
        x->current = *w;
        *in = (struct exchange_buffer){ (*w)->space, (*w)->space, (*w)->space + (*w)->size };
    }
    return in->end < in->limit;
}

/* Bytes that may be read now by proxy_limit_rate.  0: there is a pause. */
static size_t allowance(struct exchange *x)
{
    struct exchange_rate *rate = &x->rate;
    uint64_t earned;

    if (rate->bytes == 0)
        return SIZE_MAX;
    earned = pace_earned(rate->bytes, rate->start_ms);
    if (rate->taken < earned)
        return (size_t)(earned - rate->taken);
    rate->pause = true;
    timer_set(&x->link->connection.timer, (rate->taken - earned) * 1000 / rate->bytes + PACE_PAUSE_MS);
    return 0;
}

/* Reads once: false when nothing more can be read now, or at all. */
static bool read_more(struct exchange *x)
{
    struct exchange_buffer *in = &x->in;
    size_t room = (size_t)(in->limit - in->end), most = allowance(x), used;
    struct str none = { NULL, 0 };

    if (most == 0)
        return false;
    ssize_t n = link_recv(x->link, in->end, room < most ? room : most);
    if (n > 0) {
        in->end += n;
        x->rate.taken += (uint64_t)n;
        exchange_attempt(x)->received += (uint64_t)n;
        return true;
    }
    if (n == IO_AGAIN) {
        timer_set(&x->link->connection.timer, x->conf->read_timeout);
        return false;
    }
    if (n < 0)
        return broken(x, LOG_LEVEL_ERROR, errno, "recv() failed");
    timer_cancel(&x->link->connection.timer);
    if (in->at < in->end)                      /* what that means is known when these are taken */
        return false;
    if (!x->wire->next_data(x, none, &used, &none) || !x->complete)
        return broken(x, LOG_LEVEL_ERROR, 0, "upstream prematurely closed connection");
    return true;
}

/* The next run of the body's bytes in the window, `most` of them; empty where there is none. */
static struct str take_run(struct exchange *x, size_t most)
{
    struct exchange_buffer *in = &x->in;
    struct str data = { NULL, 0 };

    while (in->at < in->end && !x->complete && !data.len) {
        struct str raw = str_range(in->at, in->end);
        size_t used;
        if (raw.len > most)
            raw.len = most;
        if (!x->wire->next_data(x, raw, &used, &data)) {
            broken(x, LOG_LEVEL_ERROR, 0, "upstream sent an invalid body");
            return (struct str){ NULL, 0 };
        }
        in->at += used + data.len;
    }
    exchange_attempt(x)->length += data.len;
    return data;
}

/* ---- to the peer ---- */

/* What the peer has not had of the request yet goes on meanwhile.  false: it can't. */
static bool send_rest(struct exchange *x)
{
    if (!x->link || x->request_sent || x->deaf)
        return true;
    switch (upload_run(x)) {
    case UPLOAD_DONE:
    case UPLOAD_WAITS:
        break;
    case UPLOAD_FAILED:
        x->deaf = true;
        break;
    case UPLOAD_REFUSED:
        return broken(x, LOG_LEVEL_INFO, 0, "the client's body broke off");
    }
    return true;
}

/* ---- to the client ---- */

static void give_file(struct exchange *x, struct batch *out, size_t budget)
{
    uint64_t left = (uint64_t)(x->file_end - x->file_at);
    size_t n = left < budget ? (size_t)left : budget;

    batch_file(out, x->file, x->file_at, n);
    x->file_at += (off_t)n;
}

/* All of it has been given.  What sendfile() took may still be on its way: its pages must not be
 * written again, so the file lets go of them first. */
static void empty_file(struct exchange *x)
{
    if (x->file_end && ftruncate(x->file, 0) == 0)
        x->file_at = x->file_end = 0;
}

static void give_window(struct exchange *x, struct batch *out, size_t budget)
{
    if (x->slow && budget > x->conf->busy)
        budget = x->conf->busy;
    while (!batch_full(out) && out->bytes < budget && !x->broken) {
        struct str run = take_run(x, budget - out->bytes);
        if (!run.len)
            break;
        batch_memory(out, run.data, run.len);
        x->held = x->current;
    }
}

/* The head's buffer was filled to its end: what follows fits into the same call to the client. */
static bool is_more_at_hand(const struct exchange *x, const struct batch *out, size_t budget)
{
    return !x->current && x->in.end == x->in.limit && x->in.at == x->in.end && !batch_full(out) &&
           out->bytes < budget && (x->link->connection.watch.ready & READY_READ);
}

static enum pull given(struct exchange *x)
{
    if (x->complete && x->link)
        completed(x);
    return x->complete && x->file_at == x->file_end ? PULL_LAST : PULL_DATA;
}

static enum pull pull(struct source *s, struct batch *out, size_t budget)
{
    struct exchange *x = (struct exchange *)s;
    size_t before = out->bytes;

    x->wanted = false;
    x->held = NULL;
    if (!send_rest(x))
        return PULL_ERROR;
    for (;;) {
        if (x->file_at < x->file_end) {
            give_file(x, out, budget);
            return given(x);
        }
        empty_file(x);
        give_window(x, out, budget);
        if (x->broken)
            return PULL_ERROR;
        if (x->complete || (out->bytes > before && !is_more_at_hand(x, out, budget)))
            return given(x);
        if (make_room(x, true) && read_more(x))
            continue;
        if (out->bytes > before)               /* if that is all, the next pull will say so */
            return PULL_DATA;
        if (x->broken)
            return PULL_ERROR;
        x->wanted = true;
        return exchange_client_gone(x) ? PULL_ERROR : PULL_WAIT;
    }
}

/* ---- ahead of the client ---- */

/* What is in the window goes to the file.  false: it may not, or can't. */
static bool spool(struct exchange *x)
{
    const struct exchange_conf *conf = x->conf;
    struct str path;

    while (x->in.at < x->in.end && !x->complete && !x->broken) {
        if (!x->needed && (uint64_t)x->file_end + conf->temp_write > conf->max_temp_file_size)
            return false;                      /* somebody else does not wait for the client */
        if (x->file < 0) {
            exchange_log(x, LOG_LEVEL_WARN, 0,
                        "an upstream response is buffered to a temporary file");
            x->file = temp_file_open(x->request, &conf->temp_path, false, &path);
            if (x->file < 0)
                return broken(x, LOG_LEVEL_CRIT, 0, "no temporary file");
        }
        struct str run = take_run(x, conf->temp_write);
        if (run.len && !temp_file_write(x->file, run.data, run.len, x->file_end))
            return broken(x, LOG_LEVEL_CRIT, errno, "writing a temporary file failed");
        x->file_end += (off_t)run.len;
    }
    return !x->broken;
}

/* The client is busy with what it has: the peer need not wait for it. */
static void read_ahead(struct exchange *x)
{
    while (x->link && !x->complete && !x->broken) {
        if (!make_room(x, false)) {
            if (x->broken || !spool(x))
                break;
            continue;
        }
        if (!read_more(x))
            return;
    }
    if (x->complete && x->link)
        completed(x);
    else if (x->link)
        timer_cancel(&x->link->connection.timer);      /* it waits for us */
}

void buffering_go_on(struct exchange *x)
{
    if (x->state != EXCHANGE_BODY || !x->link || x->wanted || !x->buffering || x->rate.pause ||
        !(x->link->connection.watch.ready & READY_READ))
        return;
    x->slow = true;
    read_ahead(x);
}

void buffering_ready(struct exchange *x)
{
    if (x->rate.pause) {
        if (!x->link->timed_out)
            return;                            /* whatever has come may wait */
        x->rate.pause = x->link->timed_out = false;
    }
    if (x->link->timed_out)
        broken(x, LOG_LEVEL_ERROR, ETIMEDOUT, "upstream timed out");
    if (!x->link || !send_rest(x) || x->wanted || !x->buffering) {
        request_wake(x->request);
        return;
    }
    x->slow = true;
    read_ahead(x);
}

static void close_source(struct source *s)
{
    struct exchange *x = (struct exchange *)s;

    exchange_release(x, false);
    buffering_fini(x);
    x->state = EXCHANGE_ENDED;
}

static const struct source_ops ops = { .name = "upstream", .pull = pull, .close = close_source };

static void begin_rate(struct exchange *x)
{
    struct str text = template_value(&x->conf->limit_rate, request_script(x->request));
    size_t rate;

    if (parse_size(text, &rate))
        x->rate = (struct exchange_rate){ .bytes = rate, .start_ms = clock_ms(),
                                          .taken = (uint64_t)(x->in.end - x->in.at) };
}

void buffering_begin(struct exchange *x)
{
    x->source = (struct source){ &ops, x->request };
    x->state = EXCHANGE_BODY;
    x->wanted = true;
    if (x->conf->rate_limited)
        begin_rate(x);
    if (x->complete)
        completed(x);
}
