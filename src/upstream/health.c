/*
 * health: see health.h.  Each worker looks every second whether the one that is on duty still
 * lives; who is on duty asks each server when its time has come.  When that is lies in the zone, so
 * that a new one goes on where the old one was.
 */
#include "upstream/health.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "upstream/peers.h"
#include "upstream/shared_peers.h"

enum { LOOK_MS = 1000, SOONEST_MS = 5, SILENT_MS = 15000, REQUEST_MAX = 16384, PIECE = 16384 };

/* A server being asked, or a connection kept for the next time. */
struct probe {
    struct list place;                 /* in the check's */
    struct health_check *check;
    struct upstream_peers *peers;      /* where `peer` is held */
    struct upstream_peer *peer;
    const struct upstream_peer_state *state;       /* by these two it is found again */
    struct address address;
    struct link *link;
    struct arena arena;                /* of one answer */
    struct out in;
    struct str unsent;
    const char *doing;                 /* in logs */
    bool active;
};

static struct list running = { &running, &running };

/* ---- results ---- */

void health_set_bars(struct upstream_peer_state *state)
{
    state->bars &= ~(unsigned)(PEER_UNHEALTHY | PEER_UNCHECKED);
    if (state->failing)
        state->bars |= PEER_UNHEALTHY;
    if (state->unchecked)
        state->bars |= PEER_UNCHECKED;
}

bool health_count(const struct health_check *c, struct upstream_peer_state *state, bool good)
{
    struct peer_health *h = &state->health[c->number];
    unsigned bit = 1u << c->number, bars = state->bars;

    h->passes = good ? h->passes + 1 : 0;
    h->fails = good ? 0 : h->fails + 1;
    if (good && h->passes >= c->passes) {
        state->failing &= ~bit;
        state->unchecked &= ~bit;
    } else if (!good && h->fails >= c->fails) {
        state->failing |= bit;
        state->unchecked &= ~bit;
    }
    health_set_bars(state);
    if ((bars & PEER_UNHEALTHY) && !(state->bars & PEER_UNHEALTHY)) {
        state->slow_since = clock_ms();
        state->fails = 0;
    }
    return bars != state->bars;
}

static void tell_change(const struct probe *p, bool good, const char *why, int error)
{
    const struct health_check *c = p->check;

    if (good)
        log_note(LOG_LEVEL_NOTICE, 0, "peer is healthy: health check \"%.*s\" of peer %.*s in "
                 "upstream \"%.*s\"", STR_ARG(c->name), STR_ARG(p->peer->name),
                 STR_ARG(c->group->name));
    else
        log_note(LOG_LEVEL_WARN, error, "peer is unhealthy while %s: health check \"%.*s\" of "
                 "peer %.*s in upstream \"%.*s\"", why, STR_ARG(c->name), STR_ARG(p->peer->name),
                 STR_ARG(c->group->name));
}

static void note_result(const struct probe *p, bool good, const char *why, int error)
{
    const struct upstream *u = p->check->group;

    upstream_lock(u);
    bool changed = health_count(p->check, p->peer->state, good);
    upstream_unlock(u);
    if (changed)
        tell_change(p, good, why, error);
}

/* ---- one probe ---- */

static void let_go(struct probe *p)
{
    const struct upstream *u = p->check->group;

    arena_fini(&p->arena);
    p->active = false;
    if (!p->peer)
        return;
    upstream_lock(u);
    peers_release(p->peers, p->peer);
    upstream_unlock(u);
    p->peer = NULL;
}

static void probe_free(struct probe *p)
{
    if (p->link)
        link_close(p->link);
    let_go(p);
    list_remove(&p->place);
    free(p);
}

static void end_bad(struct probe *p, const char *why, int error)
{
    note_result(p, false, why, error);
    probe_free(p);
}

static bool may_keep(const struct probe *p, bool reusable)
{
    const struct link *l = p->link;

    return reusable && p->check->keepalive_time && !l->drain && !connection_draining() &&
           clock_ms() - l->start_ms < p->check->keepalive_time;
}

static void end_good(struct probe *p, bool reusable)
{
    note_result(p, true, "", 0);
    if (!may_keep(p, reusable)) {
        probe_free(p);
        return;
    }
    timer_set(&p->link->connection.timer,
              p->link->start_ms + p->check->keepalive_time - clock_ms());
    let_go(p);
}

/* false: it waits, or is over. */
static bool send_request(struct probe *p)
{
    struct timer *timer = &p->link->connection.timer;

    while (p->unsent.len) {
        ssize_t n = link_send(p->link, p->unsent, false);
        if (n == IO_AGAIN)
            return false;
        if (n < 0) {
            end_bad(p, p->doing, errno);
            return false;
        }
        p->unsent = str_from(p->unsent, (size_t)n);
        p->doing = "sending request";
        timer_set(timer, p->check->send_timeout);
        if (p->unsent.len == 0) {
            p->doing = "waiting for the answer";
            timer_set(timer, p->check->read_timeout);
        }
    }
    return true;
}

/* true: it goes on. */
static bool judge(struct probe *p, bool end)
{
    struct health_note note = { .why = "judging the answer", .peer = p->peer };

    switch (p->check->kind->judge(p->check, out_str_of(&p->in), end, &note)) {
    case HEALTH_GOOD:
        end_good(p, note.reusable && !end);
        return false;
    case HEALTH_BAD:
        end_bad(p, note.why, 0);
        return false;
    case HEALTH_MORE:
        if (end)
            end_bad(p, "reading the answer, whose end is missing", 0);
        break;
    }
    return !end;
}

static void read_answer(struct probe *p)
{
    ssize_t n;

    do {
        if (!out_need(&p->in, PIECE)) {        /* no more than that is looked at */
            judge(p, true);
            return;
        }
        n = link_recv(p->link, p->in.at, PIECE);
        if (n == IO_AGAIN)
            return;
        if (n < 0) {
            end_bad(p, p->doing, errno);
            return;
        }
        p->in.at += n;
    } while (judge(p, n == 0));
}

/* The handshake of TLS comes first: true when it is over. */
static bool secure(struct probe *p)
{
    struct tls_fault f;

    if (!p->link->tls)
        return true;
    p->doing = "SSL handshaking";
    switch (link_secure(p->link, &f)) {
    case TLS_DONE:
        return true;
    case TLS_AGAIN:
        return false;
    case TLS_FAILED:
        break;
    }
    log_note(LOG_LEVEL_INFO, f.error, "health check of peer %.*s: %s", STR_ARG(p->peer->name), f.text);
    end_bad(p, p->doing, f.error);
    return false;
}

/* Nothing is to be said: a connection is all that is wanted. */
static void look_at_connect(struct probe *p)
{
    if (!(p->link->connection.watch.ready & READY_WRITE))
        return;
    int error = link_connect_error(p->link);
    if (error)
        end_bad(p, p->doing, error);
    else
        end_good(p, false);
}

static void on_link(void *owner)
{
    struct probe *p = owner;

    if (!p->active)
        probe_free(p);                         /* a kept connection: closed, or its time is over */
    else if (p->link->timed_out)
        end_bad(p, p->doing, ETIMEDOUT);
    else if (!secure(p))
        return;
    else if (!p->check->kind->build)
        look_at_connect(p);
    else if (send_request(p))
        read_answer(p);
}

/* ---- asking a server ---- */

static void build(struct probe *p)
{
    const struct health_check *c = p->check;
    struct out o;

    arena_init(&p->arena);
    p->in = out_growing(&p->arena, HEALTH_ANSWER_MAX);
    p->unsent = STR("");
    if (!c->kind->build)
        return;
    o = out_growing(&p->arena, REQUEST_MAX);
    c->kind->build(c, p->peer, &o);
    p->unsent = out_str_of(&o);
}

/* A connection of our own making that fails for want of something of ours says nothing of the
 * server. */
static bool is_our_fault(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
           error == EADDRNOTAVAIL;
}

static void open_link(struct probe *p)
{
    struct health_check *c = p->check;
    struct link_options options = { .bind = c->bound ? &c->local : NULL, .tls = c->tls };
    struct address to = p->peer->address;

    if (c->port)
        address_set_port(&to, c->port);
    p->doing = "connecting";
    p->link = link_open(&to, &options, on_link, p);
    if (p->link) {
        timer_set(&p->link->connection.timer, c->connect_timeout);
        return;
    }
    if (!is_our_fault(errno)) {
        end_bad(p, p->doing, errno);
        return;
    }
    log_note(LOG_LEVEL_ALERT, errno,
             "health check of peer %.*s in upstream \"%.*s\" could not be made",
             STR_ARG(p->peer->name), STR_ARG(c->group->name));
    probe_free(p);
}

static struct probe *find_probe(const struct health_check *c, const struct upstream_peer *peer)
{
    LIST_EACH(node, &c->probes) {
        struct probe *p = CONTAINER(node, struct probe, place);
        if (p->state == peer->state && address_eq(&p->address, &peer->address))
            return p;
    }
    return NULL;
}

static struct probe *new_probe(struct health_check *c, const struct upstream_peer *peer)
{
    struct probe *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->check = c;
    p->state = peer->state;
    p->address = peer->address;
    arena_init(&p->arena);
    list_push(&c->probes, &p->place);
    return p;
}

static void ask(struct health_check *c, struct upstream_peers *peers, struct upstream_peer *peer)
{
    struct probe *p = find_probe(c, peer);

    if (p && p->active)
        return;                                /* the last answer is still awaited */
    if (!p)
        p = new_probe(c, peer);
    if (!p)
        return;
    p->peers = peers;
    p->peer = peer;
    p->active = true;
    peers_hold(peers);
    build(p);
    if (!p->link) {
        open_link(p);
        return;
    }
    p->doing = "sending request";
    timer_set(&p->link->connection.timer, c->send_timeout);
    if (send_request(p))
        read_answer(p);
}

/* ---- whose turn it is ---- */

/* With the lock held: whether this process is on duty for the groups of the zone. */
static bool on_duty(struct shared_duty *duty)
{
    pid_t self = getpid();

    if (duty->pid != self && duty->pid && (kill(duty->pid, 0) == 0 || errno != ESRCH) &&
        clock_ms() - duty->beat_ms < SILENT_MS)
        return false;
    duty->pid = self;
    duty->beat_ms = clock_ms();
    return true;
}

static void leave_duty(struct shared_duty *duty)
{
    if (duty->pid == getpid())
        duty->pid = 0;
}

/* With the lock held.  ms until the peer's turn; 0: now, and the next time is set. */
static uint64_t wait_of(const struct health_check *c, struct upstream_peer_state *state)
{
    struct peer_health *h = &state->health[c->number];
    uint64_t now = clock_ms();

    if (h->next_ms > now && h->next_ms - now <= c->interval + c->jitter)
        return h->next_ms - now;
    h->next_ms = now + c->interval + (c->jitter ? random_below((uint32_t)c->jitter + 1) : 0);
    return 0;
}

/* One by one: the list may be another after a probe that ended at once.  Gives the ms until the
 * next. */
static uint64_t ask_list(struct health_check *c, struct upstream_peers *peers)
{
    uint64_t soonest = LOOK_MS;

    for (unsigned i = 0; i < peers->list.count; i++) {
        struct upstream_peer *peer = &peers->list.items[i];
        upstream_lock(c->group);
        bool asked = !(peer->state->bars & PEER_DOWN);
        uint64_t wait = asked ? wait_of(c, peer->state) : LOOK_MS;
        upstream_unlock(c->group);
        if (wait == 0)
            ask(c, peers, peer);
        else if (wait < soonest)
            soonest = wait;
    }
    return soonest;
}

static void drop_probes(struct health_check *c)
{
    LIST_EACH_SAFE(node, &c->probes)
        probe_free(CONTAINER(node, struct probe, place));
}

static void on_timer(struct timer *t)
{
    struct health_check *c = CONTAINER(t, struct health_check, timer);
    bool leaves = connection_draining();
    uint64_t wait = LOOK_MS;

    upstream_lock(c->group);
    struct shared_duty *duty = shared_peers_duty(c->group->shared);
    if (leaves)
        leave_duty(duty);
    bool mine = !leaves && on_duty(duty);
    upstream_unlock(c->group);
    if (mine) {
        uint64_t primary = ask_list(c, &c->group->primary), backup = ask_list(c, &c->group->backup);
        wait = primary < backup ? primary : backup;
        wait = wait < c->interval ? wait : c->interval;
    } else
        drop_probes(c);
    if (!leaves)
        timer_set(t, wait > SOONEST_MS ? wait : SOONEST_MS);
}

/* ---- begin and end ---- */

static void stop(struct health_check *c)
{
    timer_cancel(&c->timer);
    drop_probes(c);
    list_remove(&c->running);
}

static void stop_all(void *data)
{
    (void)data;
    LIST_EACH_SAFE(node, &running)
        stop(CONTAINER(node, struct health_check, running));
}

static void start(void *data)
{
    struct health_check *c = data;

    list_push(&running, &c->running);
    timer_set(&c->timer, 0);
}

static void end(void *data)
{
    stop(data);
}

void health_begin(struct generation *g)
{
    generation_on_use(g, stop_all, NULL);
}

/* Whether a block of the group's name has a line zone: it may come later. */
static bool has_zone(const struct setting *s, const struct upstream *u)
{
    const struct block *b = s->block;

    while (b && b->context != IN_HTTP && b->context != IN_STREAM)
        b = b->parent;
    for (const struct node *n = b && b->node ? b->node->children : NULL; n; n = n->next) {
        if (n->count == 2 && str_eq(n->words[0].text, STR("upstream")) &&
            str_eq_nocase(n->words[1].text, u->name) && tree_find(n->children, STR("zone")))
            return true;
    }
    return false;
}

bool health_add(struct setting *s, struct health_check *c)
{
    struct generation *g = s->config->generation;
    struct upstream *u = c->group;

    if (!u->is_block || !has_zone(s, u))
        return setting_error_hint(s, 0, STR("its block upstream wants a line \"zone name 64k;\""),
                                  "health check in upstream \"%.*s\" must have a zone",
                                  STR_ARG(u->name));
    if (u->checks == HEALTH_CHECKS_MAX)
        return setting_error(s, 0, "upstream \"%.*s\" has %d health checks already",
                             STR_ARG(u->name), HEALTH_CHECKS_MAX);
    c->number = u->checks++;
    u->mandatory |= (unsigned)c->mandatory << c->number;
    u->persistent |= (unsigned)c->persistent << c->number;
    list_init(&c->probes);
    list_init(&c->running);
    timer_init(&c->timer, on_timer);
    generation_on_use(g, start, c);
    generation_cleanup(g, end, c);
    return true;
}

const struct health_kind health_tcp = { NULL, NULL };
