/*
 * tls_handshake: from the first byte to a connection that is ready for use.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "base/out.h"
#include "net/tls_private.h"

enum {
    SSL2_HELLO = 0x80,                 /* the first byte of a hello of SSL 2 */
    NAME_MAX_LEN = 255,
};

int tls_peek(struct connection *c)
{
    unsigned char first;
    ssize_t n;

    if (!(c->watch.ready & READY_READ))
        return IO_AGAIN;
    do {
        n = recv(c->watch.fd, &first, 1, MSG_PEEK);
    } while (n < 0 && errno == EINTR);
    if (n == 1)
        return first == RECORD_HANDSHAKE || (first & SSL2_HELLO);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        c->watch.ready &= (uint8_t)~READY_READ;
        return IO_AGAIN;
    }
    if (n == 0)
        errno = 0;
    return IO_ERROR;
}

bool tls_attach(struct tls *t)
{
    if (t->kernel)
        return SSL_set_fd(t->ssl, t->connection->watch.fd) == 1;
    BIO *bio = tls_io_new(t);
    if (bio)
        SSL_set_bio(t->ssl, bio, bio);
    return bio != NULL;
}

bool tls_accept(struct connection *c, const struct tls_acceptor *a)
{
    struct tls *t = calloc(1, sizeof *t);

    if (!t)
        return false;
    t->connection = c;
    t->acceptor = a;
    t->alpn = a->alpn;
    t->context = tls_context_ref(a->context);
    t->kernel = a->context->kernel;
    t->early = a->context->early_data && !t->kernel;
    t->server = true;
    tls_takeover_opened();
    tls_takeover_prepare(t->context);
    t->ssl = SSL_new(a->context->ctx);
    if (!t->ssl || !tls_attach(t)) {
        tls_free(t);
        ERR_clear_error();
        return false;
    }
    SSL_set_app_data(t->ssl, t);
    SSL_set_accept_state(t->ssl);
    c->transport_state = t;
    c->transport = t->kernel ? &transport_tls_kernel : &transport_tls;
    return true;
}

/* ---- what a client asks for ---- */

/* The name of SNI (RFC 6066 section 3), in lower case and without the root's dot.  false: it is
 * malformed; empty: there is none. */
static bool client_name(SSL *ssl, char *space, size_t *len)
{
    const unsigned char *data;
    size_t size;

    *len = 0;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size))
        return true;
    if (size < 5 || ((size_t)data[0] << 8 | data[1]) != size - 2 || data[2] != 0)
        return false;
    size_t n = (size_t)data[3] << 8 | data[4];
    if (n != size - 5 || n == 0 || n > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < n; i++) {
        space[i] = char_lower((char)data[5 + i]);
        if (space[i] == '\0')
            return false;
    }
    *len = space[n - 1] == '.' ? n - 1 : n;
    return true;
}

/* The library takes only certificates and session context over; all else that differs is set here. */
static bool change_context(struct tls *t, const struct tls_context *x)
{
    SSL *ssl = t->ssl;
    SSL_CTX *ctx = x->ctx;

    tls_context_ref(x);
    tls_context_unref(t->context);
    t->context = x;
    if (SSL_get_SSL_CTX(ssl) == ctx)
        return true;
    tls_takeover_prepare(x);
    if (!SSL_set_SSL_CTX(ssl, ctx))
        return false;
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(ctx), SSL_CTX_get_verify_callback(ctx));
    SSL_set_verify_depth(ssl, SSL_CTX_get_verify_depth(ctx));
    SSL_clear_options(ssl, SSL_get_options(ssl) & ~SSL_CTX_get_options(ctx));
    SSL_set_options(ssl, SSL_CTX_get_options(ctx));
    if (!SSL_set_min_proto_version(ssl, (int)SSL_CTX_get_min_proto_version(ctx)) ||
        !SSL_set_max_proto_version(ssl, (int)SSL_CTX_get_max_proto_version(ctx)))
        return false;
    return !x->curves || SSL_set1_curves_list(ssl, x->curves);
}

static int on_client_hello(SSL *ssl, int *alert, void *unused)
{
    struct tls *t = SSL_get_app_data(ssl);
    const struct tls_context *x = NULL;
    char name[NAME_MAX_LEN];
    size_t len;

    (void)unused;
    *alert = SSL_AD_DECODE_ERROR;
    if (!client_name(ssl, name, &len))
        return SSL_CLIENT_HELLO_ERROR;
    *alert = SSL_AD_INTERNAL_ERROR;
    switch (t->acceptor->choose(t->acceptor, t->connection, (struct str){ name, len }, &x)) {
    case TLS_USE:
        t->named = len > 0;
        return !x || change_context(t, x) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
    case TLS_REJECT:
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_CLIENT_HELLO_ERROR;
    case TLS_FAIL:
        break;
    }
    return SSL_CLIENT_HELLO_ERROR;
}

/* The name is remembered with the session only where it is acknowledged. */
static int on_server_name(SSL *ssl, int *alert, void *unused)
{
    struct tls *t = SSL_get_app_data(ssl);

    (void)alert;
    (void)unused;
    return t->named ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *unused)
{
    struct tls *t = SSL_get_app_data(ssl);
    struct str ours = t->alpn;
    unsigned char *chosen;

    (void)unused;
    if (ours.len == 0)
        return SSL_TLSEXT_ERR_NOACK;
    if (SSL_select_next_proto(&chosen, out_len, (const unsigned char *)ours.data,
                              (unsigned)ours.len, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    t->protocol = (struct str){ (const char *)chosen, *out_len };
    return SSL_TLSEXT_ERR_OK;
}

/* Of a full handshake alone: what is left of the step are the costly operations.  -1: the step ends here,
 * and is taken up again. */
static int on_certificate(SSL *ssl, void *unused)
{
    struct tls *t = SSL_get_app_data(ssl);

    (void)unused;
    if (t->certified)
        return 1;
    if (t->context->dynamic && !t->acceptor->certify(t->acceptor, t->connection))
        return 0;
    t->certified = true;
    return t->may_pause ? -1 : 1;
}

/* What a client's certificate is worth is judged when the handshake is over: then there is an answer
 * that a person can read. */
static int on_verify(int good, X509_STORE_CTX *store)
{
    (void)good;
    (void)store;
    return 1;
}

void tls_handshake_set(struct tls_context *x)
{
    SSL_CTX_set_client_hello_cb(x->ctx, on_client_hello, NULL);
    SSL_CTX_set_tlsext_servername_callback(x->ctx, on_server_name);
    SSL_CTX_set_alpn_select_cb(x->ctx, on_alpn, NULL);
    SSL_CTX_set_cert_cb(x->ctx, on_certificate, NULL);
    tls_staples_set(x->ctx);
    if (x->verify != TLS_VERIFY_OFF)
        SSL_CTX_set_verify(x->ctx, SSL_VERIFY_PEER, on_verify);
}

/* ---- going on ---- */

/* A client's mistakes are no concern of the server's administrator. */
static enum log_level level_of(unsigned long code)
{
    int reason = ERR_GET_REASON(code);

    if (ERR_GET_LIB(code) != ERR_LIB_SSL || reason == ERR_R_INTERNAL_ERROR ||
        reason == ERR_R_MALLOC_FAILURE)
        return LOG_LEVEL_CRIT;
    return LOG_LEVEL_INFO;
}

void tls_step_failed(struct tls *t, struct tls_fault *f, int code)
{
    unsigned long error = ERR_peek_error();
    struct out o = out_fixed(f->text, sizeof f->text - 1);
    char text[256];

    t->broken = true;
    f->ours = false;
    f->error = t->error;
    f->level = LOG_LEVEL_INFO;
    if (t->error) {
        OUT_LITERAL(&o, "SSL_do_handshake() failed");
    } else if (t->eof || code == SSL_ERROR_ZERO_RETURN) {
        OUT_LITERAL(&o, "peer closed connection in SSL handshake");
    } else {
        ERR_error_string_n(error, text, sizeof text);
        f->level = level_of(error);
        out_printf(&o, "SSL_do_handshake() failed (SSL: %s)", text);
    }
    out_char(&o, '\0');
    f->text[sizeof f->text - 1] = '\0';
    ERR_clear_error();
}

static enum tls_result fault(struct tls *t, struct tls_fault *f, int code)
{
    tls_step_failed(t, f, code);
    return TLS_FAILED;
}

static enum tls_result finished(struct tls *t)
{
    t->done = true;
    if (SSL_has_pending(t->ssl) || t->held || t->early_size)
        t->connection->watch.ready |= READY_READ;
    if (t->acceptor)
        tls_takeover(t);
    t->acceptor = NULL;
    return TLS_DONE;
}

/* Data may come before the handshake is over (RFC 8446 section 2.3): with its first byte the
 * connection is ready for use.  1: so it is; 0: the handshake goes on as usual; -1: not now. */
static int try_early(struct tls *t)
{
    size_t n = 0;

    switch (SSL_read_early_data(t->ssl, &t->early_byte, 1, &n)) {
    case SSL_READ_EARLY_DATA_SUCCESS:
        t->early_size = (unsigned char)n;
        return n == 1 ? 1 : -1;
    case SSL_READ_EARLY_DATA_FINISH:
        t->early = false;
        return 0;
    default:
        return -1;
    }
}

int tls_step(struct tls *t)
{
    int result = t->early ? try_early(t) : 0;

    return result == 0 ? SSL_do_handshake(t->ssl) : result;
}

/* One step here: all that it writes leaves in one call. */
static int step_here(struct tls *t, int *sent, int *code)
{
    ERR_clear_error();
    t->gather = true;
    int result = tls_step(t);
    t->gather = false;
    *code = result == 1 ? 0 : SSL_get_error(t->ssl, result);
    *sent = tls_io_send(t, false);
    return result;
}

enum tls_result tls_handshake(struct connection *c, struct tls_fault *f)
{
    struct tls *t = tls_of(c);
    int result = 0, sent, code = 0;

    if (t->offload) {
        enum tls_result ended = tls_offload_end(t, &result, f);
        if (ended != TLS_DONE)
            return ended;
    }
    if (t->rest && tls_io_send(t, false) == IO_ERROR)
        return fault(t, f, 0);
    if (result == 1)
        return finished(t);
    t->may_pause = !t->certified && !t->kernel && t->acceptor->threads && tls_offload_wanted();
    result = step_here(t, &sent, &code);
    if (code == SSL_ERROR_WANT_X509_LOOKUP) {
        if (tls_offload_begin(t))
            return TLS_AGAIN;
        result = step_here(t, &sent, &code);
    }
    if (sent == IO_ERROR)
        return fault(t, f, code);
    if (result == 1)
        return finished(t);
    if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE)
        return fault(t, f, code);
    if (t->kernel)
        c->watch.ready &= (uint8_t)~(code == SSL_ERROR_WANT_READ ? READY_READ : READY_WRITE);
    return TLS_AGAIN;
}

void tls_offer(struct connection *c, struct str alpn)
{
    tls_of(c)->alpn = alpn;
}

struct str tls_alpn(const struct connection *c)
{
    const struct tls *t = tls_of(c);
    const unsigned char *name;
    unsigned len;

    if (!t->ssl)
        return t->protocol;
    SSL_get0_alpn_selected(t->ssl, &name, &len);
    return (struct str){ (const char *)name, len };
}
