/*
 * tls_staple: answers of OCSP responders that go with certificates.  A handshake may be a thread's: the
 * bytes are read and changed under a lock, which is held for no longer than it takes to copy them.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/err.h>

#include "net/tls_ocsp.h"
#include "net/tls_private.h"

struct tls_staple {
    unsigned references;
    unsigned char *data;               /* NULL: none */
    size_t len;
    time_t until;                      /* -1: on and on */
};

/* One of a context. */
struct tls_stapled {
    struct tls_stapled *next;
    X509 *certificate;
    struct tls_staple *staple;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct tls_staple *tls_staple_new(void)
{
    struct tls_staple *s = calloc(1, sizeof *s);

    if (s)
        s->references = 1;
    return s;
}

struct tls_staple *tls_staple_ref(struct tls_staple *s)
{
    s->references++;
    return s;
}

void tls_staple_unref(struct tls_staple *s)
{
    if (!s || --s->references > 0)
        return;
    free(s->data);
    free(s);
}

bool tls_staple_set(struct tls_staple *s, struct str answer, time_t until)
{
    unsigned char *copy = malloc(answer.len + 1), *old;

    if (!copy)
        return false;
    memcpy(copy, answer.data, answer.len);
    pthread_mutex_lock(&lock);
    old = s->data;
    s->data = copy;
    s->len = answer.len;
    s->until = until;
    pthread_mutex_unlock(&lock);
    free(old);
    return true;
}

/* A copy for the library, which frees it; NULL: there is nothing to be shown. */
static unsigned char *take_copy(struct tls_staple *s, size_t *len)
{
    unsigned char *copy = NULL;

    pthread_mutex_lock(&lock);
    *len = s->len;
    if (s->data && (s->until == -1 || s->until > time(NULL)) && (copy = OPENSSL_malloc(s->len)))
        memcpy(copy, s->data, s->len);
    pthread_mutex_unlock(&lock);
    return copy;
}

/* The client wants an answer with the certificate that was chosen for it. */
static int on_status(SSL *ssl, void *unused)
{
    const struct tls_context *x = ((struct tls *)SSL_get_app_data(ssl))->context;
    X509 *certificate = SSL_get_certificate(ssl);
    struct tls_stapled *one = x->stapled;
    size_t len;

    (void)unused;
    while (one && certificate && X509_cmp(one->certificate, certificate) != 0)
        one = one->next;
    unsigned char *copy = one && certificate ? take_copy(one->staple, &len) : NULL;
    if (!copy)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)len);
    return SSL_TLSEXT_ERR_OK;
}

bool tls_staple_use(struct tls_context *x, const struct tls_text *certificate, struct tls_staple *s)
{
    struct tls_stapled *one = calloc(1, sizeof *one);
    struct tls_chain chain;
    struct tls_error e;

    if (!one || !tls_pem_chain(certificate, &chain, &e, 0)) {
        free(one);
        return false;
    }
    *one = (struct tls_stapled){ x->stapled, chain.own, tls_staple_ref(s) };
    x->stapled = one;
    chain.own = NULL;
    tls_pem_chain_free(&chain);
    return true;
}

void tls_staples_set(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_status_cb(ctx, on_status);
}

void tls_staples_free(struct tls_context *x)
{
    while (x->stapled) {
        struct tls_stapled *one = x->stapled;
        x->stapled = one->next;
        X509_free(one->certificate);
        tls_staple_unref(one->staple);
        free(one);
    }
}
