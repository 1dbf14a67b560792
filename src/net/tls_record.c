/*
 * tls_record: see tls_record.h.
 */
#include "net/tls_record.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/objects.h>

#include "base/cursor.h"
#include "base/list.h"
#include "base/out.h"

struct record_suite {
    unsigned number;
    int cipher;                        /* the library's number */
    unsigned key_size;
    unsigned secret_size, hash_block;  /* bytes: of the hash's results, and of what it takes at a time */
    const EVP_MD *(*hash)(void);
};

static const struct record_suite suites[] = {
    { 0x1301, NID_aes_128_gcm, 16, 32, 64, EVP_sha256 },
    { 0x1302, NID_aes_256_gcm, 32, 48, 128, EVP_sha384 },
    { 0x1303, NID_chacha20_poly1305, 32, 32, 64, EVP_sha256 },
};

enum { SUITES = sizeof suites / sizeof suites[0] };

const struct record_suite *tls_record_suite_find(unsigned number)
{
    for (unsigned i = 0; i < SUITES; i++) {
        if (suites[i].number == number)
            return &suites[i];
    }
    return NULL;
}

/* ---- ciphers ---- */

/* A context with the key of the half that it is lent to. */
struct record_cipher {
    struct list link;                  /* what was used last stands first */
    struct record_half *holder;        /* NULL: it is free */
    const struct record_suite *suite;  /* that it was used for; NULL: none yet */
    EVP_CIPHER_CTX *ctx;
};

enum { CIPHERS = 256 };                /* of 1.2 KB: of 128 connections at work at a time */

static struct list lent = { &lent, &lent };
static unsigned made;

static struct record_cipher *make(void)
{
    struct record_cipher *c = calloc(1, sizeof *c);

    if (!c || !(c->ctx = EVP_CIPHER_CTX_new())) {
        free(c);
        return NULL;
    }
    made++;
    list_init(&c->link);
    return c;
}

/* A free one, a new one, or that which was used longest ago.  NULL: memory is short. */
static struct record_cipher *borrow(void)
{
    struct record_cipher *last = list_empty(&lent)
                                     ? NULL : CONTAINER(lent.prev, struct record_cipher, link);
    bool is_free = last && !last->holder;
    struct record_cipher *c = is_free || made >= CIPHERS ? NULL : make();

    if (c || !last)
        return c;
    if (last->holder)
        last->holder->cipher = NULL;
    list_remove(&last->link);
    return last;
}

/* `closing` as the library's: 1, 0, or -1: as before. */
static bool set_key(struct record_cipher *c, const unsigned char *key,
                    const struct record_suite *suite, int closing)
{
    bool known = c->suite == suite;
    const EVP_CIPHER *kind = known ? NULL : EVP_get_cipherbynid(suite->cipher);

    c->suite = NULL;
    if ((!known && !kind) || EVP_CipherInit_ex(c->ctx, kind, NULL, key, NULL, closing) != 1)
        return false;
    c->suite = suite;
    return true;
}

static EVP_CIPHER_CTX *cipher_of(struct record_half *h, const struct record_suite *suite,
                                 int closing)
{
    struct record_cipher *c = h->cipher ? h->cipher : borrow();

    if (!c)
        return NULL;
    if (h->cipher)
        list_remove(&c->link);
    list_push_front(&lent, &c->link);
    if (h->cipher)
        return c->ctx;
    c->holder = NULL;
    if (!set_key(c, h->key, suite, closing))
        return NULL;
    c->holder = h;
    h->cipher = c;
    return c->ctx;
}

/* Another key takes the place of the half's, which nobody shall find there. */
static void give_back(struct record_half *h)
{
    static const unsigned char no_key[RECORD_KEY_MAX];
    struct record_cipher *c = h->cipher;

    if (!c)
        return;
    h->cipher = NULL;
    c->holder = NULL;
    set_key(c, no_key, c->suite, -1);
    list_remove(&c->link);
    list_push(&lent, &c->link);
}

/* ---- keys ---- */

/* The hash of two texts. */
static bool hash(const struct record_suite *suite, struct str first, struct str second,
                 unsigned char *to)
{
    static EVP_MD_CTX *known[SUITES];  /* for the process: to look for a hash takes longer than to use it */
    EVP_MD_CTX **ctx = &known[suite - suites];
    const EVP_MD *md = *ctx ? NULL : suite->hash();

    if (!*ctx && !(*ctx = EVP_MD_CTX_new()))
        return false;
    return EVP_DigestInit_ex(*ctx, md, NULL) == 1 &&
           EVP_DigestUpdate(*ctx, first.data, first.len) == 1 &&
           EVP_DigestUpdate(*ctx, second.data, second.len) == 1 &&
           EVP_DigestFinal_ex(*ctx, to, NULL) == 1;
}

/* HMAC (RFC 2104) of a text with a secret, which is shorter than a block. */
static bool authenticate(const struct record_suite *suite, const unsigned char *secret,
                         struct str text, unsigned char *to)
{
    char pad[128];
    const struct str block = { pad, suite->hash_block };

    memset(pad, 0x36, sizeof pad);
    for (unsigned i = 0; i < suite->secret_size; i++)
        pad[i] = (char)(secret[i] ^ 0x36);
    bool good = hash(suite, block, text, to);
    for (unsigned i = 0; i < suite->hash_block; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    good = good && hash(suite, block, (struct str){ (char *)to, suite->secret_size }, to);
    OPENSSL_cleanse(pad, sizeof pad);
    return good;
}

/* HKDF-Expand-Label of section 7.1, without a context: at most as many bytes as the hash has, which one
 * round of HKDF gives. */
static bool expand(const struct record_suite *suite, const unsigned char *secret, struct str label,
                   unsigned char *to, unsigned size)
{
    unsigned char space[64], digest[EVP_MAX_MD_SIZE];
    struct out o = out_fixed(space, sizeof space);

    out_u16(&o, (uint16_t)size);
    out_u8(&o, (uint8_t)(6 + label.len));
    OUT_LITERAL(&o, "tls13 ");
    out_str(&o, label);
    out_u8(&o, 0);
    out_u8(&o, 1);                     /* the round's number */
    if (!authenticate(suite, secret, out_str_of(&o), digest))
        return false;
    memcpy(to, digest, size);
    OPENSSL_cleanse(digest, sizeof digest);
    return true;
}

bool tls_record_begin(struct record_half *h, const struct record_suite *suite)
{
    give_back(h);
    h->sequence = 0;
    return expand(suite, h->secret, STR("key"), h->key, suite->key_size) &&
           expand(suite, h->secret, STR("iv"), h->nonce, RECORD_NONCE);
}

bool tls_record_update(struct record_half *h, const struct record_suite *suite)
{
    unsigned char next[RECORD_SECRET_MAX];
    bool good = expand(suite, h->secret, STR("traffic upd"), next, suite->secret_size);

    if (good)
        memcpy(h->secret, next, suite->secret_size);
    OPENSSL_cleanse(next, sizeof next);
    return good && tls_record_begin(h, suite);
}

void tls_record_end(struct record_half *h)
{
    give_back(h);
    OPENSSL_cleanse(h, sizeof *h);
}

/* ---- records ---- */

/* Section 5.3: the record's number and the nonce of the key. */
static bool set_nonce(EVP_CIPHER_CTX *ctx, const struct record_half *h)
{
    unsigned char nonce[RECORD_NONCE];

    memcpy(nonce, h->nonce, sizeof nonce);
    for (unsigned i = 0; i < 8; i++)
        nonce[RECORD_NONCE - 1 - i] ^= (unsigned char)(h->sequence >> 8 * i);
    return EVP_CipherInit_ex(ctx, NULL, NULL, NULL, nonce, -1) == 1;
}

static void put_head(unsigned char *head, size_t size)
{
    struct out o = out_fixed(head, RECORD_HEAD);

    out_u8(&o, RECORD_DATA);
    out_u16(&o, 0x0303);
    out_u16(&o, (uint16_t)size);
}

size_t tls_record_close(struct record_half *h, const struct record_suite *suite, enum record_type type,
                    const char *data, size_t size, char *to)
{
    EVP_CIPHER_CTX *ctx = cipher_of(h, suite, 1);
    unsigned char *head = (unsigned char *)to, *text = head + RECORD_HEAD, inner = (unsigned char)type;
    int n;

    put_head(head, size + 1 + RECORD_TAG);
    if (!ctx || !set_nonce(ctx, h) || EVP_CipherUpdate(ctx, NULL, &n, head, RECORD_HEAD) != 1 ||
        EVP_CipherUpdate(ctx, text, &n, (const unsigned char *)data, (int)size) != 1 ||
        EVP_CipherUpdate(ctx, text + size, &n, &inner, 1) != 1 ||
        EVP_CipherFinal_ex(ctx, text + size + 1, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, RECORD_TAG, text + size + 1) != 1)
        return 0;
    h->sequence++;
    return size + RECORD_ADDED;
}

size_t tls_record_size(const char *data, size_t size)
{
    struct cursor c = cursor_of(data, size);

    cursor_take(&c, 3);
    size_t length = cursor_u16(&c);
    return c.bad ? 0 : RECORD_HEAD + length;
}

int tls_record_check(const char *data, size_t size)
{
    if (size > 0 && data[0] != RECORD_DATA)
        return ALERT_UNEXPECTED_MESSAGE;
    return tls_record_size(data, size) > RECORD_MAX ? ALERT_RECORD_OVERFLOW : 0;
}

/* Section 5.2: without the zeros behind it; 0: there is nothing else in it. */
static unsigned char inner_type(const char *text, size_t *size)
{
    while (*size > 0) {
        unsigned char last = (unsigned char)text[--*size];
        if (last)
            return last;
    }
    return 0;
}

int tls_record_open(struct record_half *h, const struct record_suite *suite, char *data,
                struct record *r)
{
    unsigned char *head = (unsigned char *)data, *text = head + RECORD_HEAD;
    size_t size = tls_record_size(data, RECORD_HEAD) - RECORD_HEAD;
    EVP_CIPHER_CTX *ctx;
    int n, fault = tls_record_check(data, RECORD_HEAD);

    if (fault)
        return fault;
    if (size < RECORD_TAG + 1)
        return ALERT_BAD_RECORD_MAC;
    size -= RECORD_TAG;
    if (!(ctx = cipher_of(h, suite, 0)) || !set_nonce(ctx, h))
        return ALERT_INTERNAL_ERROR;
    if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, RECORD_TAG, text + size) != 1 ||
        EVP_CipherUpdate(ctx, NULL, &n, head, RECORD_HEAD) != 1 ||
        EVP_CipherUpdate(ctx, text, &n, text, (int)size) != 1 ||
        EVP_CipherFinal_ex(ctx, text + size, &n) != 1)
        return ALERT_BAD_RECORD_MAC;
    h->sequence++;
    *r = (struct record){ (char *)text, size, 0 };
    r->type = inner_type(r->data, &r->size);
    return size > RECORD_TEXT_MAX + 1 ? ALERT_RECORD_OVERFLOW : 0;
}
