/*
 * fuzz_tls_records: what a client may send when its handshake is over: records of any type, whole or not,
 * well closed or not, in any pieces.  Whatever comes, the connection gives data, waits, or ends.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef HAVE_TLS

#include "base/cursor.h"
#include "net/tls_private.h"

static struct tls *begin(struct connection *c, int fd, struct tls_context *context)
{
    struct tls *t = calloc(1, sizeof *t);

    if (!t || !(t->taken = calloc(1, sizeof *t->taken)))
        abort();
    c->transport = &transport_tls;
    c->transport_state = t;
    c->watch.fd = fd;
    c->watch.ready = READY_READ | READY_WRITE;
    t->connection = c;
    t->context = context;
    t->done = true;
    t->taken->suite = tls_record_suite_find(0x1301);
    tls_record_begin(&t->taken->in, t->taken->suite);
    tls_record_begin(&t->taken->out, t->taken->suite);
    return t;
}

/* One step of the input becomes bytes of the client's. */
static size_t next_bytes(struct cursor *in, struct record_half *client, char *to)
{
    const struct record_suite *suite = tls_record_suite_find(0x1301);
    unsigned how = cursor_u8(in);
    struct str text = cursor_str(in, cursor_u8(in));

    if (in->bad || text.len == 0)
        return 0;
    if (how & 1) {                             /* as it is */
        memcpy(to, text.data, text.len);
        return text.len;
    }
    size_t n = tls_record_close(client, suite, (enum record_type)(how >> 1), text.data, text.len, to);
    if (to[RECORD_HEAD] == 0 && n > 30)        /* now and then */
        n -= 7;
    if ((how >> 1 & 7) == RECORD_HANDSHAKE % 8 && text.len == 5)
        tls_record_update(client, suite);      /* as one who means it */
    return n;
}

static void receive_all(struct connection *c, size_t room)
{
    char space[300];
    ssize_t n;

    do {
        c->watch.ready |= READY_READ;
        n = c->transport->recv(c, space, room);
    } while (n > 0);
}

/* The server says something as well, and is heard. */
static void answer(struct connection *c, int client)
{
    char space[4096];
    struct iovec one = { space, 1 };

    space[0] = 'x';
    c->watch.ready |= READY_WRITE;
    c->transport->sendv(c, &one, 1, false);
    while (recv(client, space, sizeof space, 0) > 0)
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tls_context context = { .references = 1000000, .buffer_size = RECORD_TEXT_MAX };
    struct cursor in = cursor_of(data, size);
    struct connection c = { 0 };
    struct record_half client = { 0 };
    char bytes[256 + RECORD_ADDED];
    size_t room = 1 + cursor_u8(&in);
    int pair[2];

    context.references = 1000000;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        return 0;
    struct tls *t = begin(&c, pair[0], &context);
    tls_record_begin(&client, t->taken->suite);
    while (!in.bad && !t->broken) {
        size_t n = next_bytes(&in, &client, bytes);
        if (n && send(pair[1], bytes, n, MSG_NOSIGNAL) < 0)
            break;
        receive_all(&c, room);
        if (room % 2)
            answer(&c, pair[1]);
    }
    shutdown(pair[1], SHUT_WR);
    receive_all(&c, room);
    c.transport->fini(&c);
    tls_record_end(&client);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

#else

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)data;
    (void)size;
    return 0;
}

#endif
