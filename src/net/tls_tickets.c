/*
 * tls_tickets: the keys of session tickets: those of files, or made here and changed each
 * ssl_session_timeout, in a zone that all workers share and a reload keeps.  A key opens tickets for
 * one period after the one in which it closed them.
 */
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/zone_table.h"
#include "net/tls_private.h"

enum {
    SMALL_KEY = 48, LARGE_KEY = 80,    /* bytes of a file: for AES of 128 and of 256 bits */
    KEPT_KEYS = 3,
};

/* Of one period's length. */
struct ring {
    uint64_t made_ms;                  /* the newest key */
    struct ticket_key keys[KEPT_KEYS]; /* the newest first; cipher_size 0: there is none */
};

bool tls_tickets_zone_init(struct zone *z, void *unused)
{
    (void)unused;
    return zone_table_init(z, sizeof(struct ring));
}

static void make_key(struct ticket_key *k)
{
    *k = (struct ticket_key){ .cipher_size = 32, .mac_size = 32 };
    os_entropy(k->name, sizeof k->name);
    os_entropy(k->cipher, sizeof k->cipher);
    os_entropy(k->mac, sizeof k->mac);
}

static void turn(struct ring *r, uint64_t period)
{
    uint64_t now = clock_ms(), age = now - r->made_ms;

    if (r->keys[0].cipher_size && age < period)
        return;
    memmove(&r->keys[1], &r->keys[0], sizeof r->keys - sizeof r->keys[0]);
    if (age >= 2 * period)
        memset(&r->keys[1], 0, sizeof r->keys - sizeof r->keys[0]);
    make_key(&r->keys[0]);
    r->made_ms = now;
}

/* The ring of a context, as it is now, copied: what others may write is not looked at for longer.
 * false: there is none. */
static bool copy_ring(const struct tls_context *x, struct ring *copy)
{
    struct zone *z = x->current && x->ticket_zone ? *x->ticket_zone : NULL;
    uint64_t period = (uint64_t)x->session_timeout * 1000;
    struct str key = { (const char *)&period, sizeof period };

    if (!z)
        return false;
    zone_lock(z);
    struct ring *r = zone_table_find(z, key);
    if (!r)
        r = zone_table_add(z, key, NULL);
    if (r) {
        turn(r, period);
        *copy = *r;
    }
    zone_unlock(z);
    return r != NULL;
}

static bool tickets_current(const struct tls_context *x, struct ticket_key *k)
{
    struct ring r;
    bool found = true;

    if (x->keys)
        *k = x->keys[0];
    else if ((found = copy_ring(x, &r)))
        *k = r.keys[0];
    return found && k->cipher_size <= sizeof k->cipher && k->mac_size <= sizeof k->mac;
}

static bool tickets_find(const struct tls_context *x, const unsigned char *name,
                         struct ticket_key *k, bool *renew)
{
    struct ring r;
    const struct ticket_key *keys = x->keys;
    unsigned count = x->key_count;

    if (!keys) {
        if (!copy_ring(x, &r))
            return false;
        keys = r.keys;
        count = KEPT_KEYS;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!keys[i].cipher_size || memcmp(keys[i].name, name, sizeof keys[i].name) != 0)
            continue;
        *k = keys[i];
        *renew = i > 0;
        return k->cipher_size <= sizeof k->cipher && k->mac_size <= sizeof k->mac;
    }
    return false;
}

/* RFC 5077 section 4: name, initialisation vector and cipher of a ticket that is closed or opened, and in
 * *k the key whose `mac` remains to be set: what the library wants to hear, see tls_private.h. */
int tls_tickets_use(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    bool closing, struct ticket_key *k)
{
    const struct tls_context *x = ((struct tls *)SSL_get_app_data(ssl))->context;
    bool renew = false, good;

    if (closing ? !tickets_current(x, k) : !tickets_find(x, name, k, &renew))
        return 0;
    const EVP_CIPHER *aes = tls_version_aes(k->cipher_size);
    if (closing) {
        memcpy(name, k->name, sizeof k->name);
        good = RAND_bytes(iv, EVP_CIPHER_iv_length(aes)) == 1 &&
               EVP_EncryptInit_ex(cipher, aes, NULL, k->cipher, iv) == 1;
    } else
        good = EVP_DecryptInit_ex(cipher, aes, NULL, k->cipher, iv) == 1;
    if (!good)
        return -1;
    return !closing && (renew || SSL_version(ssl) == TLS1_3_VERSION) ? 2 : 1;
}

/* In the order of nginx's files. */
static bool read_key(struct ticket_key *k, struct str text)
{
    unsigned size = text.len == LARGE_KEY ? 32 : 16;
    const char *cipher = text.data + (text.len == LARGE_KEY ? 48 : 16);
    const char *mac = text.data + (text.len == LARGE_KEY ? 16 : 32);

    if (text.len != SMALL_KEY && text.len != LARGE_KEY)
        return false;
    *k = (struct ticket_key){ .cipher_size = size, .mac_size = size };
    memcpy(k->name, text.data, sizeof k->name);
    memcpy(k->cipher, cipher, size);
    memcpy(k->mac, mac, size);
    return true;
}

void tls_tickets_set(SSL_CTX *ctx, const struct tls_settings *s)
{
    /* RFC 8446 section 4.6.1: each costs a tenth of a handshake, and resuming brings a fresh one. */
    SSL_CTX_set_num_tickets(ctx, s->tickets || s->sessions == TLS_SESSIONS_KEPT ? 1 : 0);
    tls_version_set_tickets(ctx);
}

bool tls_tickets_keys(struct tls_context *x, const struct tls_settings *s, struct tls_error *e)
{
    x->ticket_zone = s->ticket_zone;
    if (s->ticket_key_count) {
        x->keys = calloc(s->ticket_key_count, sizeof *x->keys);
        if (!x->keys)
            return tls_fail(e, TLS_ABOUT_TICKET_KEY, 0, "memory is short");
    }
    for (unsigned i = 0; i < s->ticket_key_count; i++) {
        const struct tls_text *t = &s->ticket_keys[i];
        if (!read_key(&x->keys[i], t->content)) {
            tls_fail(e, TLS_ABOUT_TICKET_KEY, i, "\"%.*s\" must be 48 or 80 bytes",
                     STR_ARG(t->name));
            e->advice = "make one with: openssl rand 80 > FILE";
            return false;
        }
    }
    x->key_count = s->ticket_key_count;
    return true;
}
