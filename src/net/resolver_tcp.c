/*
 * resolver_tcp: questions whose replies do not fit into a datagram, asked once more over a stream: RFC
 * 1035 section 4.2.2.  What fails here is left to the timer of the asking, which tries another server.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"
#include "net/resolver_ask.h"

struct ask_tcp {
    unsigned sent[ASK_QUESTIONS];      /* bytes of each question, with its length */
    size_t have;                       /* bytes read */
    char space[2 + DNS_MESSAGE_MAX];   /* one reply with its length */
};

void ask_close_tcp(struct ask *a)
{
    if (a->tcp.fd >= 0)
        loop_close(&a->tcp);
    a->tcp.fd = -1;
    free(a->stream);
    a->stream = NULL;
}

/* false: not all of it can go out now. */
static bool send_one(struct ask *a, unsigned i)
{
    char space[2 + DNS_QUERY_MAX];
    struct out o = out_fixed(space, sizeof space);
    const struct question *q = &a->questions[i];
    unsigned *sent = &a->stream->sent[i];

    out_u16(&o, (uint16_t)(12 + a->name.len + 4));
    dns_put_query(&o, q->id, &a->name, q->type);
    while (*sent < out_len(&o)) {
        ssize_t n = send(a->tcp.fd, o.start + *sent, out_len(&o) - *sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOTCONN)
                a->tcp.ready &= (uint8_t)~READY_WRITE;
            else
                ask_close_tcp(a);
            return false;
        }
        *sent += (unsigned)n;
    }
    return true;
}

/* One after the other: the bytes of two must not mix. */
static void send_questions(struct ask *a)
{
    for (unsigned i = 0; i < a->count; i++) {
        if (a->questions[i].state == QUESTION_BY_TCP && !send_one(a, i))
            return;
    }
}

/* Takes whole messages from the front.  true: the asking is over, and gone. */
static bool take_messages(struct ask *a)
{
    struct ask_tcp *t = a->stream;

    while (t->have >= 2) {
        struct cursor c = cursor_of(t->space, t->have);
        size_t len = cursor_u16(&c);
        if (t->have < 2 + len)
            return false;
        if (ask_take_message(a, a->stream_server, cursor_str(&c, len), true))
            return true;
        t->have -= 2 + len;
        memmove(t->space, t->space + 2 + len, t->have);
    }
    return false;
}

static void on_tcp(struct watch *w)
{
    struct ask *a = CONTAINER(w, struct ask, tcp);

    if (w->ready & READY_WRITE)
        send_questions(a);
    while (a->stream && (w->ready & READY_READ)) {
        struct ask_tcp *t = a->stream;
        ssize_t n = recv(w->fd, t->space + t->have, sizeof t->space - t->have, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            w->ready &= (uint8_t)~READY_READ;
        } else if (n <= 0) {
            ask_close_tcp(a);
        } else {
            t->have += (size_t)n;
            if (take_messages(a))
                return;
        }
    }
}

static bool open_tcp(struct ask *a)
{
    const struct address *to = &a->servers->list[a->stream_server].address;
    int fd = os_socket(to->any.sa_family, SOCK_STREAM, 0);

    if (fd < 0)
        return false;
    watch_init(&a->tcp, fd, on_tcp);
    if ((connect(fd, &to->any, to->len) == 0 || errno == EINPROGRESS) && loop_add(&a->tcp))
        return true;
    close(fd);
    a->tcp.fd = -1;
    return false;
}

void ask_by_tcp(struct ask *a, unsigned server)
{
    if (a->stream) {
        if (a->tcp.ready & READY_WRITE)
            send_questions(a);
        return;
    }
    a->stream = calloc(1, sizeof *a->stream);
    a->stream_server = server;
    if (a->stream && !open_tcp(a))
        ask_close_tcp(a);
}
