/*
 * tls_client: see tls_client.h.
 */
#include "net/tls_client.h"

#include <stdarg.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/tls_private.h"

/* ---- sessions ---- */

enum { SESSIONS = 64 };                /* of a context: the oldest goes */

struct tls_client_sessions {
    struct {
        uint32_t key;                  /* of the peer's address and name */
        SSL_SESSION *session;
    } all[SESSIONS];
    unsigned next;
};

static SSL_SESSION *find_session(const struct tls_client_sessions *s, uint32_t key)
{
    for (unsigned i = 0; s && i < SESSIONS; i++) {
        if (s->all[i].session && s->all[i].key == key)
            return s->all[i].session;
    }
    return NULL;
}

static void keep_session(struct tls_client_sessions *s, uint32_t key, SSL_SESSION *session)
{
    unsigned place = s->next;

    for (unsigned i = 0; i < SESSIONS; i++) {
        if (s->all[i].session && s->all[i].key == key)
            place = i;
    }
    if (place == s->next)
        s->next = (s->next + 1) % SESSIONS;
    SSL_SESSION_free(s->all[place].session);
    s->all[place].key = key;
    s->all[place].session = session;
}

void tls_client_sessions_free(struct tls_client_sessions *s)
{
    for (unsigned i = 0; s && i < SESSIONS; i++)
        SSL_SESSION_free(s->all[i].session);
    free(s);
}

/* 1: the session is kept. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = SSL_get_app_data(ssl);
    struct tls_context *x = (struct tls_context *)(uintptr_t)t->context;

    if (!t->session_key)
        return 0;
    if (!x->client_sessions && !(x->client_sessions = calloc(1, sizeof *x->client_sessions)))
        return 0;
    keep_session(x->client_sessions, t->session_key, session);
    return 1;
}

void tls_client_set(struct tls_context *x)
{
    SSL_CTX_set_session_cache_mode(x->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(x->ctx, on_session);
    SSL_CTX_set_verify(x->ctx, SSL_VERIFY_NONE, NULL);     /* tls_peer_check() does that */
}

/* ---- connect ---- */

static struct str move(char **to, struct str s)
{
    struct str copy = { *to, s.len };

    memcpy(*to, s.len ? s.data : "", s.len);
    (*to)[s.len] = '\0';
    *to += s.len + 1;
    return copy;
}

struct tls_peer *tls_peer_copy(const struct tls_peer *p)
{
    struct tls_peer *copy = malloc(sizeof *copy + p->name.len + p->certificate.len + p->key.len + 3);
    char *to = (char *)(copy + 1);

    if (!copy)
        return NULL;
    *copy = *p;
    tls_context_ref(p->context);
    copy->name = move(&to, p->name);
    copy->certificate = move(&to, p->certificate);
    copy->key = move(&to, p->key);
    return copy;
}

void tls_peer_free(struct tls_peer *p)
{
    if (p)
        tls_context_unref(p->context);
    free(p);
}

static bool fail(struct tls_fault *f, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(struct tls_fault *f, int error, const char *format, ...)
{
    struct out o = out_fixed(f->text, sizeof f->text - 1);
    va_list args;

    va_start(args, format);
    out_vprintf(&o, format, args);
    va_end(args);
    *o.at = '\0';
    f->level = LOG_LEVEL_ERROR;
    f->error = error;
    ERR_clear_error();
    return false;
}

static bool is_address(struct str name)
{
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name.data);

    ASN1_OCTET_STRING_free(ip);
    ERR_clear_error();
    return ip != NULL;
}

static uint32_t session_key(const struct tls_peer *p, const struct address *to)
{
    struct str place = { (const char *)&to->any, to->len };

    return (str_hash(place) * UINT32_C(0x9e3779b1) ^ str_hash(p->name)) | 1;
}

static bool prepare(struct tls *t, const struct tls_peer *p, const struct address *to)
{
    if (p->sni && p->name.len && !is_address(p->name) &&
        SSL_set_tlsext_host_name(t->ssl, p->name.data) != 1)
        return false;
    if (p->alpn.len && SSL_set_alpn_protos(t->ssl, (const unsigned char *)p->alpn.data,
                                           (unsigned)p->alpn.len) != 0)
        return false;
    if (p->reuse) {
        t->session_key = session_key(p, to);
        SSL_SESSION *session = find_session(p->context->client_sessions, t->session_key);
        if (session)
            SSL_set_session(t->ssl, session);
    }
    return true;
}

static bool use_pair(struct connection *c, const struct tls_peer *p, struct tls_fault *f)
{
    struct tls_error e;

    f->ours = true;
    return !p->certificate.len ||
           tls_use_pair(c, p->certificate, p->key, p->passwords, p->password_count, p->cache, &e) ||
           fail(f, 0, "%s", e.text);
}

bool tls_connect(struct connection *c, const struct tls_peer *p, const struct address *to,
                 struct tls_fault *f)
{
    struct tls *t = calloc(1, sizeof *t);

    f->ours = false;
    if (!t)
        return fail(f, 0, "memory is short");
    t->connection = c;
    t->context = tls_context_ref(p->context);
    t->kernel = t->context->kernel;
    t->certified = true;
    t->ssl = SSL_new(t->context->ctx);
    if (t->ssl)
        SSL_set_connect_state(t->ssl);
    if (!t->ssl || !tls_attach(t) || !prepare(t, p, to)) {
        tls_free(t);
        return fail(f, 0, "the connection can't be prepared for TLS");
    }
    SSL_set_app_data(t->ssl, t);
    c->transport_state = t;
    c->transport = t->kernel ? &transport_tls_kernel : &transport_tls;
    return use_pair(c, p, f);
}

/* ---- what became of it ---- */

static bool bears(X509 *certificate, struct str name)
{
    return X509_check_host(certificate, name.data, name.len, 0, NULL) == 1 ||
           X509_check_ip_asc(certificate, name.data, 0) == 1;
}

bool tls_peer_check(struct connection *c, const struct tls_peer *p, struct tls_fault *f)
{
    SSL *ssl = tls_of(c)->ssl;

    f->ours = false;
    if (!p->verify)
        return true;
    long result = SSL_get_verify_result(ssl);
    if (result != X509_V_OK)
        return fail(f, 0, "upstream SSL certificate verify error: (%ld:%s)", result,
                    X509_verify_cert_error_string(result));
    X509 *certificate = SSL_get_peer_certificate(ssl);
    bool good = certificate && bears(certificate, p->name);
    X509_free(certificate);
    return good || fail(f, 0, "upstream SSL certificate does not match \"%.*s\"", STR_ARG(p->name));
}
