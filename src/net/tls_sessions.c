/*
 * tls_sessions: sessions that clients may resume, in the process or in a zone that all share.  What was
 * stored is not trusted: the library reads it with all bounds checked.
 */
#include <openssl/err.h>

#include "base/clock.h"
#include "base/zone_table.h"
#include "net/tls_private.h"

enum {
    SESSION_MAX = 4096,                /* bytes: those with a large certificate of a client are not kept */
};

/* What a zone keeps for an id. */
struct kept {
    uint64_t until_ms;
    unsigned char *data;               /* in the zone */
    unsigned len;
};

bool tls_sessions_zone_init(struct zone *z, void *unused)
{
    (void)unused;
    return zone_table_init(z, sizeof(struct kept));
}

static void drop(struct zone *z, struct kept *k)
{
    zone_free(z, k->data);
    zone_table_remove(z, k);
}

/* None goes by itself: each has something that must be given back with it. */
static bool stays(const void *data)
{
    (void)data;
    return false;
}

/* What was used longest ago makes room.  false: there is nothing left that could. */
static bool make_room(struct zone *z)
{
    struct kept *oldest = zone_table_oldest(z);

    if (oldest)
        drop(z, oldest);
    return oldest != NULL;
}

static void store(struct zone *z, struct str id, const unsigned char *data, unsigned len,
                  uint64_t until_ms)
{
    struct kept *k = zone_table_find(z, id);
    unsigned char *copy;

    if (k)
        drop(z, k);
    while (!(copy = zone_alloc(z, len))) {
        if (!make_room(z))
            return;
    }
    while (!(k = zone_table_add(z, id, stays))) {
        if (!make_room(z)) {
            zone_free(z, copy);
            return;
        }
    }
    memcpy(copy, data, len);
    *k = (struct kept){ until_ms, copy, len };
}

static struct str id_of(const SSL_SESSION *session)
{
    unsigned len;
    const unsigned char *id = SSL_SESSION_get_id(session, &len);

    return (struct str){ (const char *)id, len };
}

static struct zone *zone_of(const struct tls_context *x)
{
    return x->current && x->session_zone ? *x->session_zone : NULL;
}

static int on_new(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_context *x = ((struct tls *)SSL_get_app_data(ssl))->context;
    struct zone *z = zone_of(x);
    unsigned char space[SESSION_MAX], *at = space;
    int len = i2d_SSL_SESSION(session, NULL);

    if (!z || len <= 0 || len > (int)sizeof space)
        return 0;
    i2d_SSL_SESSION(session, &at);
    zone_lock(z);
    store(z, id_of(session), space, (unsigned)len,
          clock_ms() + (uint64_t)x->session_timeout * 1000);
    zone_unlock(z);
    OPENSSL_cleanse(space, sizeof space);
    return 0;                          /* the library keeps its own reference */
}

/* Bytes that were found for an id; 0: none. */
static unsigned load(struct zone *z, struct str id, unsigned char *space)
{
    unsigned len = 0;

    zone_lock(z);
    struct kept *k = zone_table_find(z, id);
    if (k && k->until_ms <= clock_ms())
        drop(z, k);
    else if (k && k->len <= SESSION_MAX)
        memcpy(space, k->data, len = k->len);
    zone_unlock(z);
    return len;
}

static SSL_SESSION *on_get(SSL *ssl, const unsigned char *id, int id_len, int *copy)
{
    struct zone *z = zone_of(((struct tls *)SSL_get_app_data(ssl))->context);
    unsigned char space[SESSION_MAX];
    const unsigned char *at = space;

    *copy = 0;
    if (!z || id_len <= 0)
        return NULL;
    unsigned len = load(z, (struct str){ (const char *)id, (size_t)id_len }, space);
    SSL_SESSION *session = len ? d2i_SSL_SESSION(NULL, &at, (long)len) : NULL;
    OPENSSL_cleanse(space, len);
    return session;
}

static void forget(struct zone *z, struct str id)
{
    zone_lock(z);
    struct kept *k = zone_table_find(z, id);
    if (k)
        drop(z, k);
    zone_unlock(z);
}

/* Of which context is not told: all that share the library's object may have it. */
static void on_remove(SSL_CTX *ctx, SSL_SESSION *session)
{
    struct tls_shared *s = SSL_CTX_get_app_data(ctx);
    struct zone *last = NULL;

    LIST_EACH(node, &s->users) {
        struct zone *z = zone_of(CONTAINER(node, struct tls_context, link));
        if (z && z != last)
            forget(z, id_of(session));
        last = z ? z : last;
    }
}

void tls_forget_session(struct connection *c)
{
    SSL *ssl = tls_of(c)->ssl;
    SSL_SESSION *session = ssl ? SSL_get0_session(ssl) : NULL;

    if (session)
        SSL_CTX_remove_session(SSL_get_SSL_CTX(ssl), session);
}

void tls_sessions_set(SSL_CTX *ctx, const struct tls_settings *s)
{
    long mode = SSL_SESS_CACHE_SERVER;

    SSL_CTX_set_timeout(ctx, s->session_timeout);
    if (s->sessions == TLS_SESSIONS_OFF) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        return;
    }
    if (s->builtin == 0)
        mode |= SSL_SESS_CACHE_NO_INTERNAL;
    else if (s->builtin > 0)
        SSL_CTX_sess_set_cache_size(ctx, s->builtin);
    SSL_CTX_set_session_cache_mode(ctx, mode);
    if (!s->session_zone)
        return;
    SSL_CTX_sess_set_new_cb(ctx, on_new);
    SSL_CTX_sess_set_get_cb(ctx, on_get);
    SSL_CTX_sess_set_remove_cb(ctx, on_remove);
}
