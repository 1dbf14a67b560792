/*
 * tls_dynamic: certificates and keys that are named by the handshake itself, and a cache of those that
 * were read.
 */
#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "base/list.h"
#include "net/tls_private.h"

/* Something that was read: one of chain.own and key is set. */
struct cached {
    struct list link;                  /* in its cache: what was used last stands first */
    struct tls_chain chain;
    EVP_PKEY *key;
    bool encrypted;                    /* on the disk: then it is kept there alone */
    uint64_t read_ms, used_ms;
    uint32_t hash;
    size_t len;
    char name[];
};

struct tls_cache {
    struct list all;
    unsigned count, max;
    uint64_t inactive_ms, valid_ms;
};

/* What is to be found. */
struct wish {
    struct str name;
    bool is_key;
    const struct str *passwords;
    unsigned password_count;
};

static void let_go(struct cached *k)
{
    tls_pem_chain_free(&k->chain);
    EVP_PKEY_free(k->key);
    free(k);
}

/* ---- reading ---- */

/* The text of a name; *mapped is to be freed.  false after tls_fail(). */
static bool read_text(const struct wish *w, struct tls_text *text, char **space,
                      struct tls_error *e)
{
    enum tls_subject about = w->is_key ? TLS_ABOUT_KEY : TLS_ABOUT_CERTIFICATE;
    enum { SIZE = 1 << 20 };
    BIO *file;
    int n;

    *space = NULL;
    text->name = w->name;
    if (str_starts(w->name, STR("data:"))) {
        *text = (struct tls_text){ STR("data:..."), str_from(w->name, 5) };
        return true;
    }
    file = BIO_new_file(w->name.data, "r");
    *space = file ? malloc(SIZE) : NULL;
    n = *space ? BIO_read(file, *space, SIZE) : -1;
    int error = errno;
    BIO_free(file);
    ERR_clear_error();
    text->content = (struct str){ *space, n > 0 ? (size_t)n : 0 };
    return n >= 0 || tls_fail(e, about, 0, "cannot load %s \"%.*s\": %s",
                              w->is_key ? "key" : "certificate", STR_ARG(w->name),
                              strerror(error));
}

static struct cached *read_wish(const struct wish *w, struct tls_error *e)
{
    struct cached *k = calloc(1, sizeof *k + w->name.len);
    struct tls_text text;
    char *space = NULL;

    if (!k) {
        tls_fail(e, TLS_ABOUT_ALL, 0, "memory is short");
        return NULL;
    }
    list_init(&k->link);
    k->read_ms = k->used_ms = clock_ms();
    k->hash = str_hash(w->name);
    k->len = w->name.len;
    memcpy(k->name, w->name.data, w->name.len);
    if (read_text(w, &text, &space, e)) {
        k->encrypted = w->is_key && str_find(text.content, STR("ENCRYPTED")) >= 0;
        if (w->is_key)
            k->key = tls_pem_key(&text, w->passwords, w->password_count, e, 0);
        else
            tls_pem_chain(&text, &k->chain, e, 0);
    }
    if (space)
        OPENSSL_cleanse(space, text.content.len);
    free(space);
    if (k->key || k->chain.own)
        return k;
    let_go(k);
    return NULL;
}

/* ---- the cache ---- */

struct tls_cache *tls_cache_new(unsigned max, time_t inactive, time_t valid)
{
    struct tls_cache *cache = calloc(1, sizeof *cache);

    if (!cache)
        return NULL;
    list_init(&cache->all);
    cache->max = max;
    cache->inactive_ms = (uint64_t)inactive * 1000;
    cache->valid_ms = (uint64_t)valid * 1000;
    return cache;
}

static void drop(struct tls_cache *cache, struct cached *k)
{
    list_remove(&k->link);
    cache->count--;
    let_go(k);
}

void tls_cache_free(struct tls_cache *cache)
{
    while (cache && !list_empty(&cache->all))
        drop(cache, CONTAINER(cache->all.next, struct cached, link));
    free(cache);
}

static struct cached *oldest(const struct tls_cache *cache)
{
    return list_empty(&cache->all) ? NULL : CONTAINER(cache->all.prev, struct cached, link);
}

static void expire(struct tls_cache *cache)
{
    struct cached *k;

    while ((k = oldest(cache)) && clock_ms() - k->used_ms > cache->inactive_ms)
        drop(cache, k);
}

static struct cached *find(struct tls_cache *cache, const struct wish *w)
{
    uint32_t hash = str_hash(w->name);

    LIST_EACH(node, &cache->all) {
        struct cached *k = CONTAINER(node, struct cached, link);
        if (k->hash == hash && (k->key != NULL) == w->is_key &&
            str_eq((struct str){ k->name, k->len }, w->name))
            return k;
    }
    return NULL;
}

/* NULL: it is not there, or too old. */
static struct cached *look_up(struct tls_cache *cache, const struct wish *w)
{
    struct cached *k = find(cache, w);

    if (!k)
        return NULL;
    if (clock_ms() - k->read_ms > cache->valid_ms) {
        drop(cache, k);
        return NULL;
    }
    list_remove(&k->link);
    list_push_front(&cache->all, &k->link);
    k->used_ms = clock_ms();
    return k;
}

/* Whether it was there. */
static bool forget(struct tls_cache *cache, const struct wish *w)
{
    struct cached *k = cache ? find(cache, w) : NULL;

    if (k)
        drop(cache, k);
    return k != NULL;
}

static void add(struct tls_cache *cache, struct cached *k)
{
    while (cache->count >= cache->max)
        drop(cache, oldest(cache));
    list_push_front(&cache->all, &k->link);
    cache->count++;
}

/* ---- handshakes ---- */

static bool use(SSL *ssl, const struct cached *k)
{
    if (k->key)
        return SSL_use_PrivateKey(ssl, k->key) == 1;
    return SSL_use_certificate(ssl, k->chain.own) == 1 &&
           SSL_set1_chain(ssl, k->chain.others) == 1;
}

static bool use_wish(SSL *ssl, const struct wish *w, struct tls_cache *cache, struct tls_error *e)
{
    struct cached *k = NULL;
    char space[160];

    if (str_starts(w->name, STR("data:")))
        cache = NULL;
    if (cache) {
        expire(cache);
        k = look_up(cache, w);
    }
    bool cached = k != NULL;
    if (!k) {
        k = read_wish(w, e);
        if (!k)
            return false;
        cached = cache && !k->encrypted;
        if (cached)
            add(cache, k);
    }
    bool good = use(ssl, k);
    if (!cached)
        let_go(k);
    if (good)
        return true;
    struct str reason = tls_reason(space, sizeof space);
    return tls_fail(e, TLS_ABOUT_ALL, 0, "cannot use \"%.*s\": %.*s", STR_ARG(w->name),
                    STR_ARG(reason));
}

bool tls_use_pair(struct connection *c, struct str certificate, struct str key,
                  const struct str *passwords, unsigned password_count, struct tls_cache *cache,
                  struct tls_error *e)
{
    struct wish chain = { .name = certificate };
    struct wish own = { key, true, passwords, password_count };
    SSL *ssl = tls_of(c)->ssl;

    if (use_wish(ssl, &chain, cache, e) && use_wish(ssl, &own, cache, e))
        return true;
    /* One may be from before a renewal, and the other from behind it. */
    bool stale = forget(cache, &chain);
    stale |= forget(cache, &own);
    return stale && use_wish(ssl, &chain, cache, e) && use_wish(ssl, &own, cache, e);
}
