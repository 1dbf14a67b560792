/*
 * tls_shared: what the library makes connections of, once for all contexts whose settings are the same:
 * those of several servers, and of this generation and the next.  A reload thereby costs what has
 * changed; to read a certificate and its key takes a millisecond.
 *
 * Settings are told apart by the digest of all their texts.
 */
#include <stdlib.h>

#include <openssl/err.h>

#include "net/tls_private.h"

enum { BUCKETS = 1024 };

static struct list buckets[BUCKETS];

static struct list *bucket_of(const unsigned char *digest)
{
    struct list *b = &buckets[(digest[0] << 8 | digest[1]) % BUCKETS];

    if (!b->next)
        list_init(b);
    return b;
}

/* ---- the digest of settings ---- */

static void put(EVP_MD_CTX *h, struct str text)
{
    uint64_t len = text.data ? text.len : UINT64_MAX;  /* none is not the empty one */

    EVP_DigestUpdate(h, &len, sizeof len);
    EVP_DigestUpdate(h, text.data, text.data ? text.len : 0);
}

static void put_number(EVP_MD_CTX *h, int64_t number)
{
    EVP_DigestUpdate(h, &number, sizeof number);
}

static void put_pairs(EVP_MD_CTX *h, const struct tls_settings *s)
{
    put_number(h, s->pair_count);
    for (unsigned i = 0; i < s->pair_count; i++) {
        const struct tls_text *t = &s->pairs[i].certificate;
        put(h, t->content);
        put(h, t->content.data ? s->pairs[i].key.content : t->name);
    }
    put_number(h, s->password_count);
    for (unsigned i = 0; i < s->password_count; i++)
        put(h, s->passwords[i]);
}

static void put_rest(EVP_MD_CTX *h, const struct tls_settings *s)
{
    const int64_t numbers[] = {
        s->protocols, s->prefer_server_ciphers, s->early_data, s->tickets,
        s->certificate_compression, (int64_t)s->buffer_size, s->verify, s->verify_depth,
        s->sessions, s->builtin, s->session_zone != NULL, s->session_timeout, s->key_log != NULL,
    };
    const struct str texts[] = {
        s->ciphers, s->curves, s->client_ca.content, s->trusted.content, s->crl.content,
        s->dhparam.content, s->identity, s->client_rules,
    };

    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        put_number(h, numbers[i]);
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        put(h, texts[i]);
    put_number(h, s->command_count);
    for (unsigned i = 0; i < s->command_count; i++) {
        put(h, s->commands[i].name);
        put(h, s->commands[i].value);
    }
}

bool tls_shared_digest(const struct tls_settings *s, bool client, unsigned char *digest)
{
    EVP_MD_CTX *h = EVP_MD_CTX_new();
    bool good = h && EVP_DigestInit_ex(h, EVP_sha256(), NULL) == 1;

    if (good) {
        put_number(h, client);
        put_pairs(h, s);
        put_rest(h, s);
        good = EVP_DigestFinal_ex(h, digest, NULL) == 1;
    }
    EVP_MD_CTX_free(h);
    return good;
}

/* ---- those that there are ---- */

static void join(struct tls_context *x, struct tls_shared *s)
{
    x->shared = s;
    list_init(&x->link);
    list_push_front(&s->users, &x->link);
}

bool tls_shared_join(struct tls_context *x, const unsigned char *digest)
{
    LIST_EACH(node, bucket_of(digest)) {
        struct tls_shared *s = CONTAINER(node, struct tls_shared, link);
        if (memcmp(s->digest, digest, sizeof s->digest) != 0)
            continue;
        *x = s->made;
        join(x, s);
        return true;
    }
    return false;
}

bool tls_shared_new(struct tls_context *x, const unsigned char *digest)
{
    struct tls_shared *s = calloc(1, sizeof *s);

    if (!s)
        return false;
    list_init(&s->link);
    list_init(&s->users);
    memcpy(s->digest, digest, sizeof s->digest);
    s->made = *x;
    SSL_CTX_set_app_data(x->ctx, s);
    if (!x->reads_files)               /* which may be others by the next time */
        list_push(bucket_of(digest), &s->link);
    join(x, s);
    return true;
}

void tls_shared_leave(struct tls_context *x)
{
    struct tls_shared *s = x->shared;

    list_remove(&x->link);
    if (!list_empty(&s->users))
        return;
    list_remove(&s->link);
    SSL_CTX_free(s->made.ctx);
    free(s->made.curves);
    free(s->made.ends);
    free(s);
}
