/*
 * fetch: see fetch.h.  The addresses of a name are tried one by one; the first that answers at all
 * counts.
 */
#include "upstream/fetch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/dns.h"
#include "upstream/link.h"

enum {
    ADDRESSES_MAX = 8,
    REQUEST_MAX = 16384,
    PIECE = 4096,
    CONNECT_MS = 3000,                 /* for each address */
    LOOK_MS = 500,                     /* in the background: whether the process ends */
};

struct fetch {
    const struct fetch_kind *kind;
    enum fetch_state state;
    bool background;
    uint64_t until_ms;
    struct timer timer;
    struct resolve *resolve;           /* NULL: its answer was taken */
    struct address addresses[ADDRESSES_MAX];
    unsigned count, next;              /* of addresses: all, and the one to be tried */
    unsigned port;
    struct link *link;                 /* NULL: none is open */
    struct arena arena;
    struct out in, content;
    struct str request, unsent;
    const char *why;
    int error;                         /* errno, or 0 */
    unsigned code;                     /* of the resolver, or 0 */
    void (*wake)(void *owner);
    void *owner;
};

static void drop_link(struct fetch *f)
{
    if (f->link)
        link_close(f->link);
    f->link = NULL;
}

static void finish(struct fetch *f, enum fetch_state state)
{
    if (f->resolve)
        resolve_end(f->resolve);
    f->resolve = NULL;
    drop_link(f);
    timer_cancel(&f->timer);
    f->state = state;
}

/* This address is of no use; false: and it was the last. */
static bool fail(struct fetch *f, const char *why, int error)
{
    f->why = why;
    f->error = error;
    drop_link(f);
    f->next++;
    if (f->next < f->count)
        return true;
    finish(f, FETCH_FAILED);
    return false;
}

/* ---- one address ---- */

/* true: all is sent. */
static bool send_request(struct fetch *f)
{
    while (f->unsent.len) {
        ssize_t n = link_send(f->link, f->unsent, false);
        if (n == IO_AGAIN)
            return false;
        if (n < 0) {
            fail(f, f->unsent.len == f->request.len ? "connect() failed" : "send() failed", errno);
            return false;
        }
        /* Connected: from here on all of the time is the answer's. */
        timer_cancel(&f->link->connection.timer);
        f->unsent = str_from(f->unsent, (size_t)n);
    }
    return true;
}

static void judge(struct fetch *f, bool end)
{
    const char *why = NULL;

    f->content.at = f->content.start;
    switch (f->kind->judge(out_str_of(&f->in), end, &f->content, &why)) {
    case FETCH_WAIT:
        if (end)
            fail(f, "the answer is cut off", 0);
        break;
    case FETCH_DONE:
        finish(f, FETCH_DONE);
        break;
    case FETCH_FAILED:
        fail(f, why, 0);
        break;
    }
}

static void read_answer(struct fetch *f)
{
    while (f->link) {
        if (!out_need(&f->in, PIECE)) {
            fail(f, "the answer is too large", 0);
            return;
        }
        ssize_t n = link_recv(f->link, f->in.at, PIECE);
        if (n == IO_AGAIN)
            return;
        if (n < 0) {
            fail(f, "recv() failed", errno);
            return;
        }
        f->in.at += n;
        judge(f, n == 0);
    }
}

static void go_on(void *owner);

static bool open_link(struct fetch *f)
{
    static const struct link_options options;

    f->unsent = f->request;
    f->in.at = f->in.start;
    f->link = link_open(&f->addresses[f->next], &options, go_on, f);
    if (!f->link)
        return fail(f, "connect() failed", errno);
    timer_set(&f->link->connection.timer, CONNECT_MS);
    return true;
}

/* ---- all of them ---- */

static bool take_addresses(struct fetch *f)
{
    const struct resolve_answer *answer = resolve_answer(f->resolve);

    if (!answer)
        return false;
    f->code = answer->code;
    for (unsigned i = 0; i < answer->count && f->count < ADDRESSES_MAX; i++) {
        struct address *a = &f->addresses[f->count++];
        peer_to_address(&answer->items[(answer->first + i) % answer->count].peer, a);
        address_set_port(a, f->port);
    }
    resolve_end(f->resolve);
    f->resolve = NULL;
    if (f->count)
        return true;
    f->code = f->code ? f->code : DNS_NOT_FOUND;
    finish(f, FETCH_FAILED);
    return false;
}

static void run(struct fetch *f)
{
    if (f->resolve && !take_addresses(f))
        return;
    while (f->state == FETCH_WAIT) {
        if (!f->link && !open_link(f))
            return;
        if (f->link && f->link->timed_out)
            fail(f, "connect() failed", ETIMEDOUT);
        else if (f->link && send_request(f))
            read_answer(f);
        if (f->link)
            return;                    /* it waits */
    }
}

static void go_on(void *owner)
{
    struct fetch *f = owner;

    run(f);
    if (f->state != FETCH_WAIT)
        f->wake(f->owner);             /* who may end it */
}

static void on_timer(struct timer *t)
{
    struct fetch *f = CONTAINER(t, struct fetch, timer);
    uint64_t now = clock_ms(), left = f->until_ms > now ? f->until_ms - now : 0;

    if (left && !(f->background && connection_draining())) {
        timer_set(t, f->background && left > LOOK_MS ? LOOK_MS : left);
        return;
    }
    f->why = f->resolve ? "its name could not be resolved in time" : "no answer came in time";
    f->error = f->resolve ? 0 : ETIMEDOUT;
    finish(f, FETCH_FAILED);
    f->wake(f->owner);
}

struct fetch *fetch_start(const struct fetch_conf *conf, struct str request, void (*wake)(void *owner),
                          void *owner)
{
    struct fetch *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    f->kind = conf->kind;
    f->port = conf->port;
    f->background = conf->background;
    f->until_ms = clock_ms() + conf->timeout;
    f->wake = wake;
    f->owner = owner;
    arena_init(&f->arena);
    f->in = out_growing(&f->arena, FETCH_ANSWER_MAX);
    f->content = out_growing(&f->arena, FETCH_ANSWER_MAX);
    struct out o = out_growing(&f->arena, REQUEST_MAX);
    out_str(&o, request);
    f->request = out_str_of(&o);
    timer_init(&f->timer, on_timer);
    timer_set(&f->timer, conf->background ? LOOK_MS : conf->timeout);
    f->resolve = o.overflow ? NULL
                            : resolve_start(conf->resolver, RESOLVE_ADDRESSES, conf->host,
                                            conf->resolve_timeout, go_on, f);
    if (!f->resolve) {
        fetch_end(f);
        return NULL;
    }
    run(f);
    return f;
}

enum fetch_state fetch_state(const struct fetch *f)
{
    return f->state;
}

struct str fetch_content(const struct fetch *f)
{
    return out_str_of(&f->content);
}

void fetch_put_trouble(const struct fetch *f, struct out *o)
{
    if (f->code) {
        out_printf(o, "its name could not be resolved (%u: %s)", f->code, resolve_code_text(f->code));
        return;
    }
    out_str(o, str_of(f->why));
    if (f->error)
        out_printf(o, " (%d: %s)", f->error, strerror(f->error));
    if (f->count) {
        OUT_LITERAL(o, ", peer: ");
        address_put(o, &f->addresses[f->next < f->count ? f->next : f->count - 1]);
    }
}

void fetch_end(struct fetch *f)
{
    if (!f)
        return;
    finish(f, f->state);
    arena_fini(&f->arena);
    free(f);
}
