/*
 * tls_pem: certificates, keys and lists of what was revoked, from texts in memory.
 */
#include <stdarg.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/out.h"
#include "net/tls_private.h"

enum { PASSWORD_MAX = 1024 };

bool tls_fail(struct tls_error *e, enum tls_subject about, unsigned index, const char *format, ...)
{
    struct out o = out_fixed(e->text, sizeof e->text - 1);
    va_list args;

    e->about = about;
    e->index = index;
    e->advice = NULL;
    va_start(args, format);
    out_vprintf(&o, format, args);
    va_end(args);
    *o.at = '\0';
    ERR_clear_error();
    return false;
}

static BIO *text_bio(const struct tls_text *text)
{
    return BIO_new_mem_buf(text->content.data, (int)text->content.len);
}

/* Whether a text has been read to its end, rather than up to something that is broken. */
static bool at_end(void)
{
    unsigned long code = ERR_peek_last_error();
    bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;

    if (end)
        ERR_clear_error();
    return end;
}

/* One that could not be read, in plain words. */
static bool bad_pem(struct tls_error *e, enum tls_subject about, unsigned index,
                    const struct tls_text *text, const char *what)
{
    char space[160];
    bool none = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    struct str reason = tls_reason(space, sizeof space);

    if (none)
        tls_fail(e, about, index, "there is no %s in \"%.*s\"", what, STR_ARG(text->name));
    else
        tls_fail(e, about, index, "cannot load %s \"%.*s\": %.*s", what, STR_ARG(text->name),
                 STR_ARG(reason));
    e->advice = none ? "it takes a text in PEM form, with a line \"-----BEGIN ...-----\"" : NULL;
    return false;
}

/* ---- certificates ---- */

void tls_pem_chain_free(struct tls_chain *chain)
{
    X509_free(chain->own);
    sk_X509_pop_free(chain->others, X509_free);
    *chain = (struct tls_chain){ 0 };
}

bool tls_pem_chain(const struct tls_text *text, struct tls_chain *chain, struct tls_error *e,
                   unsigned index)
{
    BIO *bio = text_bio(text);
    X509 *next;

    *chain = (struct tls_chain){ .others = sk_X509_new_null() };
    chain->own = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;
    while (chain->own && chain->others && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        if (!sk_X509_push(chain->others, next)) {
            X509_free(next);
            break;
        }
    }
    BIO_free(bio);
    if (chain->own && chain->others && at_end())
        return true;
    bad_pem(e, TLS_ABOUT_CERTIFICATE, index, text, "certificate");
    tls_pem_chain_free(chain);
    return false;
}

STACK_OF(X509) *tls_pem_certificates(const struct tls_text *text, struct tls_error *e,
                                     enum tls_subject about)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    BIO *bio = text_bio(text);
    X509 *next;

    while (bio && all && (next = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL))) {
        if (!sk_X509_push(all, next)) {
            X509_free(next);
            break;
        }
    }
    BIO_free(bio);
    if (all && sk_X509_num(all) > 0 && at_end())
        return all;
    sk_X509_pop_free(all, X509_free);
    bad_pem(e, about, 0, text, "certificate");
    return NULL;
}

bool tls_pem_crl(const struct tls_text *text, X509_STORE *store, struct tls_error *e)
{
    BIO *bio = text_bio(text);
    X509_CRL *next;
    unsigned count = 0;

    while (bio && (next = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL))) {
        count += X509_STORE_add_crl(store, next) == 1;
        X509_CRL_free(next);
    }
    BIO_free(bio);
    if (count && at_end())
        return true;
    return bad_pem(e, TLS_ABOUT_CRL, 0, text, "list of revoked certificates");
}

/* ---- keys ---- */

/* A password that is to be tried; NULL: there is none, and a person is not asked. */
struct trial {
    const struct str *password;
    bool asked;
};

static int on_password(char *space, int size, int writing, void *data)
{
    struct trial *t = data;

    (void)writing;
    t->asked = true;
    if (!t->password || t->password->len > (size_t)size)
        return -1;
    memcpy(space, t->password->data, t->password->len);
    return (int)t->password->len;
}

static EVP_PKEY *read_key(const struct tls_text *text, struct trial *t)
{
    BIO *bio = text_bio(text);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, on_password, t) : NULL;

    BIO_free(bio);
    return key;
}

EVP_PKEY *tls_pem_key(const struct tls_text *text, const struct str *passwords, unsigned count,
                      struct tls_error *e, unsigned index)
{
    struct trial t = { .password = count ? passwords : NULL };
    EVP_PKEY *key = read_key(text, &t);

    for (unsigned i = 1; !key && t.asked && i < count; i++) {
        ERR_clear_error();
        t.password = &passwords[i];
        key = read_key(text, &t);
    }
    if (key) {
        ERR_clear_error();             /* of passwords that were wrong */
        return key;
    }
    if (!t.asked) {
        bad_pem(e, TLS_ABOUT_KEY, index, text, "key");
        return NULL;
    }
    tls_fail(e, TLS_ABOUT_KEY, index,
             count ? "cannot load key \"%.*s\": none of the passwords opens it"
                   : "cannot load key \"%.*s\": it is encrypted, and no password is given",
             STR_ARG(text->name));
    e->advice = count ? NULL : "name a file with its password: ssl_password_file FILE;";
    return NULL;
}
