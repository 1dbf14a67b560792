/*
 * resolver_ask: see resolver_ask.h.
 */
#include "net/resolver_ask.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/os.h"
#include "base/random.h"

enum {
    FIRST_WAIT = 2000, LAST_WAIT = 5000,       /* ms for a reply, growing from try to try */
    REST = 10000,                      /* ms that a silent server is asked last */
    DATAGRAM_MAX = 4096,
};

/* ---- servers ---- */

struct name_servers *name_servers_new(const struct address *list, unsigned count)
{
    struct name_servers *s = calloc(1, sizeof *s + count * sizeof s->list[0]);

    if (!s)
        return NULL;
    s->references = 1;
    s->count = count;
    for (unsigned i = 0; i < count; i++)
        s->list[i].address = list[i];
    return s;
}

void name_servers_unref(struct name_servers *s)
{
    if (s && --s->references == 0)
        free(s);
}

/* The one whose turn it is, of those that are not silent if possible. */
static unsigned take_turn(struct name_servers *s)
{
    unsigned first = s->next % s->count, chosen = first;

    for (unsigned i = 0; i < s->count; i++) {
        unsigned at = (first + i) % s->count;
        if (s->list[at].rests_until <= clock_ms()) {
            chosen = at;
            break;
        }
    }
    s->next = (chosen + 1) % s->count;
    return chosen;
}

static void log_server(const struct ask *a, unsigned server, enum log_level level, int error,
                       const char *what)
{
    char name[4 * DNS_NAME_MAX], address[128];
    struct out n = out_fixed(name, sizeof name), o = out_fixed(address, sizeof address);

    if (!log_enabled(log_process, level))
        return;
    dns_name_put(&n, &a->name);
    address_put(&o, &a->servers->list[server].address);
    log_note(level, error, "%s while resolving %.*s, resolver: %.*s", what,
             STR_ARG(out_str_of(&n)), STR_ARG(out_str_of(&o)));
}

/* ---- sending ---- */

static void close_socket(struct ask_socket *s)
{
    if (s->watch.fd >= 0)
        loop_close(&s->watch);
    s->watch.fd = -1;
}

static void on_udp(struct watch *w);

static bool open_socket(struct ask_socket *s, const struct address *to)
{
    int fd = os_socket(to->any.sa_family, SOCK_DGRAM, 0);

    if (fd < 0)
        return false;
    watch_init(&s->watch, fd, on_udp);
    if (connect(fd, &to->any, to->len) == 0 && loop_add(&s->watch))
        return true;
    int error = errno;
    close(fd);
    s->watch.fd = -1;
    errno = error;
    return false;
}

static bool send_question(const struct ask *a, const struct ask_socket *s, const struct question *q)
{
    char space[DNS_QUERY_MAX];
    struct out o = out_fixed(space, sizeof space);

    dns_put_query(&o, q->id, &a->name, q->type);
    return send(s->watch.fd, o.start, out_len(&o), MSG_NOSIGNAL) >= 0;
}

static bool send_all(struct ask *a, const struct ask_socket *s)
{
    for (unsigned i = 0; i < a->count; i++) {
        struct question *q = &a->questions[i];
        if (q->state == QUESTION_ANSWERED)
            continue;
        q->state = QUESTION_OPEN;
        if (!send_question(a, s, q))
            return false;
    }
    return true;
}

static void try_next(struct ask *a);

/* Nobody listens there: the next server at once, but each once only in a try. */
static void server_refused(struct ask *a, unsigned server, int error)
{
    log_server(a, server, LOG_LEVEL_ERROR, error, "asking failed");
    a->servers->list[server].rests_until = clock_ms() + REST;
    close_socket(&a->sockets[server]);
    if (server == a->server && ++a->refused < a->servers->count)
        try_next(a);                           /* otherwise the timer will try again */
}

static void try_next(struct ask *a)
{
    struct ask_socket *s;

    ask_close_tcp(a);
    a->server = take_turn(a->servers);
    s = &a->sockets[a->server];
    if ((s->watch.fd < 0 && !open_socket(s, &a->servers->list[a->server].address)) ||
        !send_all(a, s))
        server_refused(a, a->server, errno);
}

static void set_timer(struct ask *a)
{
    uint64_t wait = (uint64_t)FIRST_WAIT << (a->tries < 4 ? a->tries : 4);
    uint64_t left = a->start_ms + ASK_LIMIT - clock_ms();

    wait = wait < LAST_WAIT ? wait : LAST_WAIT;
    timer_set(&a->timer, wait < left ? wait : left);
}

static void on_timer(struct timer *t)
{
    struct ask *a = CONTAINER(t, struct ask, timer);

    if (a->sockets[a->server].watch.fd >= 0) {
        a->servers->list[a->server].rests_until = clock_ms() + REST;
        log_server(a, a->server, LOG_LEVEL_INFO, 0, "no reply");
    }
    if (a->abandoned || clock_ms() >= a->start_ms + ASK_LIMIT) {
        a->done(a->owner);
        return;
    }
    a->tries++;
    a->refused = 0;
    set_timer(a);
    try_next(a);
}

/* ---- replies ---- */

static void settle(struct question *q, const struct dns_reply *reply)
{
    q->reply = *reply;
    q->state = QUESTION_ANSWERED;
}

/* A reply to one of the open questions; what is none of them says nothing. */
bool ask_take_message(struct ask *a, unsigned server, struct str message, bool by_tcp)
{
    enum question_state wanted = by_tcp ? QUESTION_BY_TCP : QUESTION_OPEN;
    struct dns_reply reply;

    for (unsigned i = 0; i < a->count; i++) {
        struct question *q = &a->questions[i];
        if (q->state != wanted)
            continue;
        enum dns_result result = dns_read_reply(message, q->id, &a->name, q->type, &a->arena, &reply);
        if (result == DNS_FOREIGN)
            continue;
        a->servers->list[server].rests_until = 0;
        if (result == DNS_MALFORMED) {
            log_server(a, server, LOG_LEVEL_ERROR, 0, "malformed reply");
            reply = (struct dns_reply){ .code = DNS_SERVER_FAILURE };
        } else if (reply.truncated && !by_tcp) {
            q->state = QUESTION_BY_TCP;
            ask_by_tcp(a, server);
            return false;
        } else if (reply.truncated && reply.count == 0) {
            log_server(a, server, LOG_LEVEL_ERROR, 0, "reply truncated by TCP, too");
            reply = (struct dns_reply){ .code = DNS_SERVER_FAILURE };
        }
        settle(q, &reply);
        if (!ask_answered(a))
            return false;
        a->done(a->owner);
        return true;
    }
    log_server(a, server, LOG_LEVEL_INFO, 0, "a reply that fits no open question was ignored");
    return false;
}

static void on_udp(struct watch *w)
{
    static char space[DATAGRAM_MAX];
    struct ask_socket *s = CONTAINER(w, struct ask_socket, watch);
    struct ask *a = s->ask;
    unsigned server = (unsigned)(s - a->sockets);

    while (w->fd >= 0 && (w->ready & READY_READ)) {
        ssize_t n = recv(w->fd, space, sizeof space, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            w->ready &= (uint8_t)~READY_READ;
        else if (n < 0 && errno != EINTR)
            server_refused(a, server, errno);
        else if (n >= 0 && ask_take_message(a, server, (struct str){ space, (size_t)n }, false))
            return;
    }
}

/* ---- begin and end ---- */

struct ask *ask_start(struct name_servers *servers, const struct dns_name *name,
                      const enum dns_type *types, unsigned count, void (*done)(void *owner),
                      void *owner)
{
    struct ask *a = calloc(1, sizeof *a + servers->count * sizeof a->sockets[0]);

    if (!a)
        return NULL;
    for (unsigned i = 0; i < servers->count; i++) {
        watch_init(&a->sockets[i].watch, -1, on_udp);
        a->sockets[i].ask = a;
    }
    watch_init(&a->tcp, -1, NULL);
    timer_init(&a->timer, on_timer);
    arena_init(&a->arena);
    a->servers = name_servers_ref(servers);
    a->name = *name;
    a->count = count;
    for (unsigned i = 0; i < count; i++) {
        a->questions[i].type = types[i];
        random_bytes(&a->questions[i].id, sizeof a->questions[i].id);
    }
    a->done = done;
    a->owner = owner;
    a->start_ms = clock_ms();
    set_timer(a);
    try_next(a);
    return a;
}

bool ask_answered(const struct ask *a)
{
    for (unsigned i = 0; i < a->count; i++) {
        if (a->questions[i].state != QUESTION_ANSWERED)
            return false;
    }
    return true;
}

void ask_free(struct ask *a)
{
    timer_cancel(&a->timer);
    ask_close_tcp(a);
    for (unsigned i = 0; i < a->servers->count; i++)
        close_socket(&a->sockets[i]);
    name_servers_unref(a->servers);
    arena_fini(&a->arena);
    free(a);
}
