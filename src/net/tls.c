/*
 * tls: see tls.h.  The transport: bytes in and out of connections whose handshake is over.
 */
#include "net/tls.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "net/tls_private.h"

enum {
    TURN_MAX = 64 * 1024,              /* bytes that one call takes */
    ONE_RECORD = 4096,                 /* a response of so many bytes is not cut */
    SMALL_RECORD = 1369,               /* fits, with all heads, into a packet of Ethernet */
    COLD_BYTES = 8 * SMALL_RECORD,     /* sent in small records before the large ones */
    COOL_MS = 1000,                    /* without sending: cold again */
};

struct str tls_library(struct arena *a)
{
    struct str built = STR(OPENSSL_VERSION_TEXT), here = str_of(OpenSSL_version(OPENSSL_VERSION));

    if (str_eq(built, here))
        return built;
    return arena_printf(a, "%.*s (running with %.*s)", STR_ARG(built), STR_ARG(here));
}

struct str tls_reason(char *space, size_t size)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    struct out o = out_fixed(space, size);

    if (text)
        out_str(&o, str_of(text));
    else if (code)
        out_printf(&o, "error %lx", code);
    else
        OUT_LITERAL(&o, "no reason was given");
    ERR_clear_error();
    return out_str_of(&o);
}

/* ---- sending ---- */

static size_t total(const struct iovec *iov, int parts)
{
    size_t sum = 0;

    for (int i = 0; i < parts; i++)
        sum += iov[i].iov_len;
    return sum;
}

/* Where the next record's bytes come from. */
struct gathering {
    const struct iovec *iov;
    size_t at;                         /* in the first of them */
    char space[TLS_RECORD_MAX];
};

/* `size` bytes in one piece: of one part as they are, otherwise copied. */
static const char *take(struct gathering *g, size_t size)
{
    size_t done = 0;

    while (g->iov->iov_len == g->at) {
        g->iov++;
        g->at = 0;
    }
    const char *first = (const char *)g->iov->iov_base + g->at;
    if (g->iov->iov_len - g->at >= size) {
        g->at += size;
        return first;
    }
    while (done < size) {
        size_t n = g->iov->iov_len - g->at;
        if (n > size - done)
            n = size - done;
        memcpy(g->space + done, (const char *)g->iov->iov_base + g->at, n);
        done += n;
        g->at += n;
        if (g->at == g->iov->iov_len) {
            g->iov++;
            g->at = 0;
        }
    }
    return g->space;
}

/* Small records at first: what the peer has of a large one is of no use to it before the last packet
 * is there, and the first packets come slowly. */
static size_t record_size(const struct tls *t, size_t call, size_t left)
{
    size_t most = t->context->buffer_size;

    if (call > ONE_RECORD && t->warm < COLD_BYTES && most > SMALL_RECORD)
        most = SMALL_RECORD;
    return left < most ? left : most;
}

static bool put_record(struct tls *t, const char *data, size_t size)
{
    size_t written;

    if (!t->ssl)
        return tls_takeover_record(t, data, size);
    if (!SSL_is_init_finished(t->ssl))
        return SSL_write_early_data(t->ssl, data, size, &written) == 1 && written == size;
    return SSL_write(t->ssl, data, (int)size) == (int)size;
}

/* The connection is of no more use. */
static int broken(struct tls *t)
{
    t->broken = true;
    errno = t->error ? t->error : EPROTO;
    ERR_clear_error();
    return IO_ERROR;
}

static bool put_records(struct tls *t, const struct iovec *iov, size_t size)
{
    struct gathering g;

    g.iov = iov;
    g.at = 0;
    if (clock_ms() - t->sent_ms > COOL_MS)
        t->warm = 0;
    for (size_t left = size; left > 0;) {
        size_t n = record_size(t, size, left);
        if (!put_record(t, take(&g, n), n))
            return false;
        t->warm += n;
        left -= n;
    }
    t->sent_ms = clock_ms();
    return true;
}

/* The first bytes of a call, as many as were accepted of it at most. */
static size_t copy_first(const struct tls *t, char *first, const struct iovec *iov, int parts)
{
    size_t most = sizeof t->accepted_first, used = 0;

    if (most > t->accepted)
        most = t->accepted;
    for (int i = 0; i < parts && used < most; i++) {
        size_t n = iov[i].iov_len < most - used ? iov[i].iov_len : most - used;
        memcpy(first + used, iov[i].iov_base, n);
        used += n;
    }
    return used;
}

/* What came of the call before, whose records the socket did not take all: more than 0: they are sent
 * now, and so many bytes are told of.  0: nobody waits to hear of them: an interim response is not
 * tried again. */
static ssize_t finish_rest(struct tls *t, const struct iovec *iov, int parts, bool more)
{
    int result = tls_io_send(t, more);
    char first[sizeof t->accepted_first];
    size_t accepted = t->accepted, len = copy_first(t, first, iov, parts);

    if (result == IO_ERROR)
        return broken(t);
    if (result == IO_AGAIN)
        return IO_AGAIN;
    t->accepted = 0;
    return memcmp(first, t->accepted_first, len) == 0 ? (ssize_t)accepted : 0;
}

static ssize_t tls_sendv(struct connection *c, const struct iovec *iov, int parts, bool more)
{
    struct tls *t = tls_of(c);
    size_t size = total(iov, parts);

    if (t->broken || t->closed) {
        errno = t->error ? t->error : EPIPE;
        return IO_ERROR;
    }
    if (t->rest) {
        ssize_t n = finish_rest(t, iov, parts, more);
        if (n != 0)
            return n;
    }
    if (size > TURN_MAX) {
        size = TURN_MAX;
        more = true;
    }
    t->gather = true;
    bool good = put_records(t, iov, size);
    t->gather = false;
    int result = tls_io_send(t, more);
    if (!good || result == IO_ERROR)
        return broken(t);
    if (result == 0)
        return (ssize_t)size;
    t->accepted = size;
    copy_first(t, t->accepted_first, iov, parts);
    return IO_AGAIN;
}

/* Without help of the kernel: read, and sent. */
static ssize_t tls_sendfile(struct connection *c, int file, off_t *offset, size_t size)
{
    static char space[TURN_MAX];
    struct iovec iov = { .iov_base = space };
    ssize_t n;

    do {
        n = pread(file, space, size < sizeof space ? size : sizeof space, *offset);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? IO_ERROR : 0;
    iov.iov_len = (size_t)n;
    n = tls_sendv(c, &iov, 1, (size_t)n < size);
    if (n > 0)
        *offset += n;
    return n;
}

/* ---- receiving ---- */

/* Nothing was read.  `code` is the library's answer. */
static ssize_t nothing(struct tls *t, int result)
{
    int code = SSL_get_error(t->ssl, result);

    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
        return IO_AGAIN;
    if (code == SSL_ERROR_ZERO_RETURN || (t->eof && !t->error)) {
        t->eof |= (t->connection->watch.ready & READY_EOF) != 0;
        t->connection->watch.ready |= READY_EOF;
        ERR_clear_error();
        t->broken |= code != SSL_ERROR_ZERO_RETURN;
        return 0;
    }
    return broken(t);
}

/* What came before the handshake was over; 0: that was all. */
static ssize_t recv_early(struct tls *t, void *buffer, size_t size)
{
    size_t n = 0;

    if (t->early_size) {
        *(char *)buffer = t->early_byte;
        t->early_size = 0;
        return 1;
    }
    switch (SSL_read_early_data(t->ssl, buffer, size, &n)) {
    case SSL_READ_EARLY_DATA_SUCCESS:
        return n ? (ssize_t)n : IO_AGAIN;
    case SSL_READ_EARLY_DATA_FINISH:
        t->early = false;
        return 0;
    default:
        return nothing(t, 0);
    }
}

static ssize_t tls_recv(struct connection *c, void *buffer, size_t size)
{
    struct tls *t = tls_of(c);

    if (t->broken) {
        errno = t->error ? t->error : EPROTO;
        return t->eof && !t->error ? 0 : IO_ERROR;
    }
    if (!t->ssl) {
        ssize_t n = tls_takeover_recv(t, buffer, size);
        t->received += n > 0;
        return n == IO_ERROR ? broken(t) : n;
    }
    if (t->early) {
        ssize_t n = recv_early(t, buffer, size);
        if (n != 0 || t->early) {
            if (n > 0)
                c->watch.ready |= READY_READ;
            return n;
        }
    }
    int n = SSL_read(t->ssl, buffer, size < INT_MAX ? (int)size : INT_MAX);
    if (n <= 0)
        return nothing(t, n);
    t->received++;
    if (SSL_has_pending(t->ssl) || t->held)
        c->watch.ready |= READY_READ;
    return n;
}

/* ---- the end ---- */

void tls_goodbye(struct tls *t)
{
    if (!t->done || t->broken || t->closed || t->eof)
        return;
    if (t->ssl && !SSL_is_init_finished(t->ssl))
        return;
    t->closed = true;
    if (t->ssl)
        SSL_shutdown(t->ssl);
    else
        tls_takeover_goodbye(t);
    ERR_clear_error();
}

static void tls_shutdown(struct connection *c)
{
    tls_goodbye(tls_of(c));
}

void tls_free(struct tls *t)
{
    if (t->server)
        tls_takeover_closed(t->received);
    SSL_free(t->ssl);
    tls_takeover_free(t);
    tls_context_unref(t->context);
    free(t->rest);
    free(t->held);
    free(t);
}

static void tls_fini(struct connection *c)
{
    struct tls *t = tls_of(c);

    c->transport_state = NULL;
    c->transport = &transport_plain;
    if (t->offload) {
        tls_offload_abandon(t);
        return;
    }
    tls_goodbye(t);
    tls_free(t);
}

const struct transport transport_tls = {
    .name = "TLS",
    .recv = tls_recv,
    .sendv = tls_sendv,
    .sendfile = tls_sendfile,
    .shutdown = tls_shutdown,
    .fini = tls_fini,
};

/* ---- what became of a handshake ---- */

const struct tls_context *tls_context_of(const struct connection *c)
{
    return tls_of(c)->context;
}

const void *tls_context_owner(const struct tls_context *x)
{
    return x->owner;
}

time_t tls_context_end(const struct tls_context *x, unsigned pair)
{
    return x->ends[pair];
}

bool tls_context_same_clients(const struct tls_context *a, const struct tls_context *b)
{
    return memcmp(a->clients, b->clients, sizeof a->clients) == 0;
}

struct str tls_context_clients(const struct tls_context *x)
{
    return (struct str){ (const char *)x->clients, sizeof x->clients };
}
