/*
 * tls_kernel: the transport where the kernel may encrypt (`ssl_conf_command Options KTLS`): the library
 * has the socket itself, and files go by sendfile.  Where the kernel cannot, or not these ciphers, the
 * library does all as usual.
 */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include <openssl/err.h>

#include "net/tls_private.h"

/* A call that moved nothing. */
static int stalled(struct tls *t, int result)
{
    struct watch *w = &t->connection->watch;

    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        w->ready &= (uint8_t)~READY_READ;
        return IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        w->ready &= (uint8_t)~READY_WRITE;
        return IO_AGAIN;
    default:
        t->broken = true;
        t->error = errno ? errno : EPROTO;
        errno = t->error;
        ERR_clear_error();
        return IO_ERROR;
    }
}

static ssize_t kernel_recv(struct connection *c, void *buffer, size_t size)
{
    struct tls *t = tls_of(c);

    errno = 0;
    int n = SSL_read(t->ssl, buffer, size < INT_MAX ? (int)size : INT_MAX);
    if (n > 0)
        return n;
    int error = errno;
    if (SSL_get_error(t->ssl, n) == SSL_ERROR_ZERO_RETURN || (n == 0 && error == 0)) {
        c->watch.ready |= READY_EOF;
        ERR_clear_error();
        return 0;
    }
    errno = error;
    return stalled(t, n);
}

/* One record; after IO_AGAIN the same bytes come again. */
static ssize_t put(struct tls *t, const char *data, size_t size)
{
    errno = 0;
    int n = SSL_write(t->ssl, data, (int)size);
    return n > 0 ? n : stalled(t, n);
}

static ssize_t kernel_sendv(struct connection *c, const struct iovec *iov, int parts, bool more)
{
    static char space[TLS_RECORD_MAX];
    struct tls *t = tls_of(c);
    size_t most = t->context->buffer_size, used = 0;

    (void)more;
    if (parts == 1)
        return put(t, iov->iov_base, iov->iov_len < most ? iov->iov_len : most);
    for (int i = 0; i < parts && used < most; i++) {
        size_t n = iov[i].iov_len < most - used ? iov[i].iov_len : most - used;
        memcpy(space + used, iov[i].iov_base, n);
        used += n;
    }
    return put(t, space, used);
}

static ssize_t kernel_sendfile(struct connection *c, int file, off_t *offset, size_t size)
{
    static char space[TLS_RECORD_MAX];
    struct tls *t = tls_of(c);
    ssize_t n;

    if (tls_version_in_kernel(t->ssl)) {
        errno = 0;
        n = tls_version_sendfile(t->ssl, file, *offset, size);
        if (n < 0)
            n = stalled(t, (int)n);
    } else {
        n = pread(file, space, size < sizeof space ? size : sizeof space, *offset);
        if (n <= 0)
            return n < 0 ? IO_ERROR : 0;
        n = put(t, space, (size_t)n);
    }
    if (n > 0)
        *offset += n;
    return n;
}

static void kernel_shutdown(struct connection *c)
{
    tls_goodbye(tls_of(c));
}

static void kernel_fini(struct connection *c)
{
    struct tls *t = tls_of(c);

    c->transport_state = NULL;
    c->transport = &transport_plain;
    tls_goodbye(t);
    tls_free(t);
}

const struct transport transport_tls_kernel = {
    .name = "TLS of the kernel",
    .recv = kernel_recv,
    .sendv = kernel_sendv,
    .sendfile = kernel_sendfile,
    .shutdown = kernel_shutdown,
    .fini = kernel_fini,
};
