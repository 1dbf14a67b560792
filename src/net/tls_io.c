/*
 * tls_io: where TLS meets the socket: a BIO of our own.  It reads only where the loop says that there
 * is something, and what it writes always succeeds: records of one call are put together and leave in
 * one system call; what the socket does not take is kept, and the owner hears of it by IO_AGAIN.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/tls_private.h"

#ifndef MSG_MORE
#define MSG_MORE 0                     /* a hint, which not all systems take */
#endif

enum {
    STAGE_SIZE = 96 * 1024,            /* records of one call, put together */
    REST_MAX = 256 * 1024,             /* a peer that asks for answers and does not read them */
};

/* Shared by all connections: used within one call, empty between calls. */
static char stage[STAGE_SIZE];
static size_t staged;

static bool keep(struct tls *t, const char *data, size_t len)
{
    size_t used = t->rest_end - t->rest_at;
    char *more = used + len <= REST_MAX ? malloc(used + len) : NULL;

    if (!more) {
        t->error = ENOMEM;
        return false;
    }
    if (used)
        memcpy(more, t->rest + t->rest_at, used);
    memcpy(more + used, data, len);
    free(t->rest);
    t->rest = more;
    t->rest_at = 0;
    t->rest_end = used + len;
    return true;
}

/* Bytes that the socket took, less than `len` where it is full; -1: t->error. */
static ssize_t put(struct tls *t, const char *data, size_t len, bool more)
{
    struct watch *w = &t->connection->watch;
    size_t done = 0;

    while (done < len) {
        ssize_t n = send(w->fd, data + done, len - done, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (n >= 0) {
            done += (size_t)n;
            if (done == len)
                break;
            w->ready &= (uint8_t)~READY_WRITE;
            return (ssize_t)done;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            w->ready &= (uint8_t)~READY_WRITE;
            return (ssize_t)done;
        }
        t->error = errno;
        return -1;
    }
    return (ssize_t)done;
}

/* Sends `data`, after what is left of former calls: 0, IO_AGAIN, IO_ERROR. */
static int put_or_keep(struct tls *t, const char *data, size_t len, bool more)
{
    ssize_t n = t->rest ? 0 : put(t, data, len, more);

    if (n < 0)
        return IO_ERROR;
    if ((size_t)n == len)
        return 0;
    return keep(t, data + n, len - (size_t)n) ? IO_AGAIN : IO_ERROR;
}

static int put_rest(struct tls *t, bool more)
{
    ssize_t n = put(t, t->rest + t->rest_at, t->rest_end - t->rest_at, more);

    if (n < 0)
        return IO_ERROR;
    t->rest_at += (size_t)n;
    if (t->rest_at < t->rest_end)
        return IO_AGAIN;
    free(t->rest);
    t->rest = NULL;
    t->rest_at = t->rest_end = 0;
    return 0;
}

int tls_io_send(struct tls *t, bool more)
{
    int result = t->rest ? put_rest(t, more) : 0;
    size_t len = staged;

    staged = 0;
    if (result == IO_ERROR)
        return IO_ERROR;
    return len ? put_or_keep(t, stage, len, more) : result;
}

char *tls_io_room(struct tls *t, size_t size)
{
    if (size > sizeof stage - staged && tls_io_send(t, true) == IO_ERROR)
        return NULL;
    return stage + staged;
}

void tls_io_add(size_t size)
{
    staged += size;
}

int tls_io_put(struct tls *t, const char *data, size_t size)
{
    return put_or_keep(t, data, size, false);
}

/* ---- receiving ---- */

/* As the plain transport: less than asked for means that the kernel has no more, and an edge will tell
 * when it has. */
ssize_t tls_io_recv(struct tls *t, char *space, size_t size)
{
    struct watch *w = &t->connection->watch;
    ssize_t n;

    if (!(w->ready & READY_READ))
        return IO_AGAIN;
    do {
        n = recv(w->fd, space, size, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        w->ready &= (uint8_t)~READY_READ;
        return IO_AGAIN;
    }
    if (n < 0) {
        t->error = errno;
        return IO_ERROR;
    }
    t->eof |= n == 0;
    if (n > 0 && (size_t)n < size && !(w->ready & (READY_EOF | READY_ERROR)))
        w->ready &= (uint8_t)~READY_READ;
    return n;
}

/* ---- what was received and is not used yet ---- */

bool tls_io_hold(struct tls *t, const char *data, size_t size)
{
    if (size == 0)
        return true;
    t->held = malloc(size);
    if (!t->held) {
        t->error = ENOMEM;
        return false;
    }
    memcpy(t->held, data, size);
    t->held_at = 0;
    t->held_end = (uint32_t)size;
    return true;
}

size_t tls_io_take(struct tls *t, char *space, size_t size)
{
    size_t n = t->held_end - t->held_at;

    if (n > size)
        n = size;
    if (n == 0)
        return 0;
    memcpy(space, t->held + t->held_at, n);
    t->held_at += (uint32_t)n;
    if (t->held_at < t->held_end)
        return n;
    free(t->held);
    t->held = NULL;
    t->held_at = t->held_end = 0;
    return n;
}

/* In the handshake of a server the library asks for each record alone, so that what comes behind the
 * last one is not in its hands; what one call of the system gives is kept for it. */
static ssize_t recv_ahead(struct tls *t, char *space, size_t size)
{
    static char ahead[RECORD_MAX];
    ssize_t n = tls_io_recv(t, ahead, sizeof ahead);

    if (n <= 0)
        return n;
    if ((size_t)n <= size) {
        memcpy(space, ahead, (size_t)n);
        return n;
    }
    memcpy(space, ahead, size);
    return tls_io_hold(t, ahead + size, (size_t)n - size) ? (ssize_t)size : IO_ERROR;
}

/* ---- the BIO ---- */

static int on_write(BIO *bio, const char *data, int len)
{
    struct tls *t = BIO_get_data(bio);
    size_t size = (size_t)len;

    BIO_clear_retry_flags(bio);
    if (t->threaded)
        return keep(t, data, size) ? len : -1;
    if (!t->gather)
        return put_or_keep(t, data, size, false) == IO_ERROR ? -1 : len;
    if (size > sizeof stage - staged && tls_io_send(t, true) == IO_ERROR)
        return -1;
    if (size > sizeof stage)
        return put_or_keep(t, data, size, false) == IO_ERROR ? -1 : len;
    memcpy(stage + staged, data, size);
    staged += size;
    return len;
}

static int on_read(BIO *bio, char *space, int size)
{
    struct tls *t = BIO_get_data(bio);
    ssize_t n;

    BIO_clear_retry_flags(bio);
    if (t->held)
        return (int)tls_io_take(t, space, (size_t)size);
    if (t->threaded)
        n = IO_AGAIN;
    else if (size < RECORD_MAX)
        n = recv_ahead(t, space, (size_t)size);
    else
        n = tls_io_recv(t, space, (size_t)size);
    if (n == IO_AGAIN)
        BIO_set_retry_read(bio);
    return n < 0 ? -1 : (int)n;
}

static long on_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
        return 1;
    case BIO_CTRL_EOF:
        return ((struct tls *)BIO_get_data(bio))->eof;
    default:
        return 0;
    }
}

/* One for the process: never freed. */
static BIO_METHOD *method(void)
{
    static BIO_METHOD *made;

    if (made)
        return made;
    made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir");
    if (made) {
        BIO_meth_set_write(made, on_write);
        BIO_meth_set_read(made, on_read);
        BIO_meth_set_ctrl(made, on_ctrl);
    }
    return made;
}

BIO *tls_io_new(struct tls *t)
{
    const BIO_METHOD *m = method();
    BIO *bio = m ? BIO_new(m) : NULL;

    if (bio) {
        BIO_set_data(bio, t);
        BIO_set_init(bio, 1);
    }
    return bio;
}
