/*
 * tls_info: what is to be told of a connection and of its client's certificate, as texts.
 */
#include <stdlib.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/out.h"
#include "net/tls_private.h"

enum {
    TEXT_MAX = 1 << 20,                /* bytes of any of these texts */
    DAY = 86400,
};

static const struct str none = { NULL, 0 };

static struct str copy(struct arena *a, const char *text)
{
    return text ? arena_str(a, str_of(text)) : none;
}

/* Joined by colons; for what the library knows no name of there is a number. */
static void put_name(struct out *o, const char *name, unsigned code)
{
    if (out_len(o))
        out_char(o, ':');
    if (name)
        out_str(o, str_of(name));
    else
        out_printf(o, "0x%04x", code);
}

static struct str finish(struct out *o)
{
    return o->overflow || out_len(o) == 0 ? none : out_str_of(o);
}

/* ---- the connection ---- */

/* RFC 8446 section 4.2.3: numbers, and names with the library's numbers for signature and hash. */
static const struct {
    unsigned code;
    int type, hash;
    const char *name;
} sigalgs[] = {
    { 0x0403, EVP_PKEY_EC, NID_sha256, "ecdsa_secp256r1_sha256" },
    { 0x0503, EVP_PKEY_EC, NID_sha384, "ecdsa_secp384r1_sha384" },
    { 0x0603, EVP_PKEY_EC, NID_sha512, "ecdsa_secp521r1_sha512" },
    { 0x0804, EVP_PKEY_RSA_PSS, NID_sha256, "rsa_pss_rsae_sha256" },
    { 0x0805, EVP_PKEY_RSA_PSS, NID_sha384, "rsa_pss_rsae_sha384" },
    { 0x0806, EVP_PKEY_RSA_PSS, NID_sha512, "rsa_pss_rsae_sha512" },
    { 0x0807, EVP_PKEY_ED25519, NID_undef, "ed25519" },
    { 0x0808, EVP_PKEY_ED448, NID_undef, "ed448" },
    { 0x0809, 0, NID_sha256, "rsa_pss_pss_sha256" },
    { 0x080a, 0, NID_sha384, "rsa_pss_pss_sha384" },
    { 0x080b, 0, NID_sha512, "rsa_pss_pss_sha512" },
    { 0x0401, EVP_PKEY_RSA, NID_sha256, "rsa_pkcs1_sha256" },
    { 0x0501, EVP_PKEY_RSA, NID_sha384, "rsa_pkcs1_sha384" },
    { 0x0601, EVP_PKEY_RSA, NID_sha512, "rsa_pkcs1_sha512" },
    { 0x0303, EVP_PKEY_EC, NID_sha224, "ecdsa_sha224" },
    { 0x0301, EVP_PKEY_RSA, NID_sha224, "rsa_pkcs1_sha224" },
    { 0x0203, EVP_PKEY_EC, NID_sha1, "ecdsa_sha1" },
    { 0x0201, EVP_PKEY_RSA, NID_sha1, "rsa_pkcs1_sha1" },
};

enum { SIGALGS = sizeof sigalgs / sizeof sigalgs[0] };

/* What is known of a connection without the library's object.  Names are static texts. */
struct tls_facts {
    const char *protocol, *cipher, *curve, *sigalg, *client_sigalg;    /* NULL: none */
    bool reused, early;
    unsigned char id_size;             /* bytes of data: the session's id, */
    uint16_t ciphers_size, name_size;  /* the client's list of ciphers as it was sent, SNI's name, */
    uint16_t curve_count, sigalg_count;        /* and, of 4 bytes each, its other lists */
    unsigned char data[];
};

enum { LIST_MAX = 64 };

/* What the lists of facts are put together from. */
struct lists {
    uint32_t curves[LIST_MAX], sigalgs[LIST_MAX];
    unsigned char *ciphers;
    const unsigned char *id;
    const char *name;
};

static const char *sigalg_name(int known, int type, int hash)
{
    for (unsigned i = 0; known && i < SIGALGS; i++) {
        if (sigalgs[i].type == type && (sigalgs[i].hash == hash || sigalgs[i].hash == NID_undef))
            return sigalgs[i].name;
    }
    return NULL;
}

static uint16_t list_curves(SSL *ssl, struct lists *l)
{
    int nids[LIST_MAX], count = (int)SSL_get1_curves(ssl, NULL);

    if (count <= 0 || count > LIST_MAX)
        return 0;
    SSL_get1_curves(ssl, nids);
    for (int i = 0; i < count; i++)
        l->curves[i] = (uint32_t)nids[i];
    return (uint16_t)count;
}

static uint16_t list_sigalgs(SSL *ssl, struct lists *l)
{
    int count = SSL_get_sigalgs(ssl, -1, NULL, NULL, NULL, NULL, NULL);

    if (count <= 0 || count > LIST_MAX)
        return 0;
    for (int i = 0; i < count; i++) {
        unsigned char signature = 0, hash = 0;
        SSL_get_sigalgs(ssl, i, NULL, NULL, NULL, &signature, &hash);
        l->sigalgs[i] = (uint32_t)hash << 8 | signature;
    }
    return (uint16_t)count;
}

static void collect(SSL *ssl, struct tls_facts *f, struct lists *l)
{
    SSL_SESSION *session = SSL_get0_session(ssl);
    int type = 0, hash = NID_undef;
    unsigned size = 0;

    *f = (struct tls_facts){ .protocol = SSL_get_version(ssl), .cipher = SSL_get_cipher_name(ssl),
                             .curve = tls_version_curve(ssl), .reused = SSL_session_reused(ssl),
                             .early = !SSL_is_init_finished(ssl) };
    int known = SSL_get_signature_type_nid(ssl, &type);
    SSL_get_signature_nid(ssl, &hash);
    f->sigalg = sigalg_name(known, type, hash);
    known = SSL_get_peer_signature_type_nid(ssl, &type);
    SSL_get_peer_signature_nid(ssl, &hash);
    f->client_sigalg = sigalg_name(known, type, hash);
    l->id = session ? SSL_SESSION_get_id(session, &size) : NULL;
    f->id_size = (unsigned char)size;
    f->ciphers_size = (uint16_t)SSL_get0_raw_cipherlist(ssl, &l->ciphers);
    l->name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    f->name_size = l->name ? (uint16_t)strlen(l->name) : 0;
    f->curve_count = list_curves(ssl, l);
    f->sigalg_count = list_sigalgs(ssl, l);
}

struct tls_facts *tls_facts_new(SSL *ssl)
{
    struct tls_facts f, *facts;
    struct lists l;

    collect(ssl, &f, &l);
    size_t size = (size_t)f.id_size + f.ciphers_size + f.name_size +
                  sizeof(uint32_t) * f.curve_count + sizeof(uint32_t) * f.sigalg_count;
    if (!(facts = malloc(sizeof f + size)))
        return NULL;
    *facts = f;
    struct out o = out_fixed(facts->data, size);
    out_bytes(&o, l.id, f.id_size);
    out_bytes(&o, l.ciphers, f.ciphers_size);
    out_bytes(&o, l.name, f.name_size);
    out_bytes(&o, l.curves, f.curve_count * sizeof l.curves[0]);
    out_bytes(&o, l.sigalgs, f.sigalg_count * sizeof l.sigalgs[0]);
    return facts;
}

static const unsigned char *ciphers_of(const struct tls_facts *f)
{
    return f->data + f->id_size;
}

static const char *name_of(const struct tls_facts *f)
{
    return (const char *)ciphers_of(f) + f->ciphers_size;
}

static uint32_t number_of(const struct tls_facts *f, unsigned i)
{
    uint32_t number;

    memcpy(&number, name_of(f) + f->name_size + i * sizeof number, sizeof number);
    return number;
}

static struct str get_ciphers(const struct tls *t, const struct tls_facts *f, struct arena *a)
{
    SSL *ssl = t->ssl ? NULL : SSL_new(t->context->ctx);       /* it alone knows the names */
    struct out o = out_growing(a, TEXT_MAX);
    const unsigned char *list = ciphers_of(f);

    for (size_t i = 0; (t->ssl || ssl) && i + 2 <= f->ciphers_size; i += 2) {
        const SSL_CIPHER *c = SSL_CIPHER_find(t->ssl ? t->ssl : ssl, list + i);
        put_name(&o, c ? SSL_CIPHER_get_name(c) : NULL, (unsigned)list[i] << 8 | list[i + 1]);
    }
    SSL_free(ssl);
    return finish(&o);
}

static struct str get_curves(const struct tls *t, const struct tls_facts *f, struct arena *a)
{
    struct out o = out_growing(a, TEXT_MAX);

    (void)t;
    for (unsigned i = 0; i < f->curve_count; i++) {
        uint32_t nid = number_of(f, i);
        put_name(&o, nid & TLSEXT_nid_unknown ? NULL : OBJ_nid2sn((int)nid), nid & 0xffff);
    }
    return finish(&o);
}

static struct str get_sigalgs(const struct tls *t, const struct tls_facts *f, struct arena *a)
{
    struct out o = out_growing(a, TEXT_MAX);

    (void)t;
    for (unsigned i = 0; i < f->sigalg_count; i++) {
        unsigned code = number_of(f, f->curve_count + i);
        const char *name = NULL;
        for (unsigned n = 0; n < SIGALGS; n++)
            name = sigalgs[n].code == code ? sigalgs[n].name : name;
        put_name(&o, name, code);
    }
    return finish(&o);
}

static struct str hex(struct arena *a, const unsigned char *data, size_t len)
{
    struct out o = out_growing(a, TEXT_MAX);

    for (size_t i = 0; i < len; i++)
        out_hex(&o, data[i], 2);
    return finish(&o);
}

static struct str get_session_id(const struct tls *t, const struct tls_facts *f, struct arena *a)
{
    (void)t;
    return hex(a, f->data, f->id_size);
}

static struct str get_session_reused(const struct tls *t, const struct tls_facts *f, struct arena *a)
{
    (void)t;
    (void)a;
    return f->reused ? STR("r") : STR(".");
}

static struct str get_early_data(const struct tls *t, const struct tls_facts *f, struct arena *a)
{
    (void)t;
    (void)a;
    return f->early ? STR("1") : none;
}

static struct str get_server_name(const struct tls *t, const struct tls_facts *f, struct arena *a)
{
    (void)t;
    return f->name_size ? arena_str(a, (struct str){ name_of(f), f->name_size }) : none;
}

static struct str get_alpn(const struct tls *t, const struct tls_facts *f, struct arena *a)
{
    (void)f;
    return t->protocol.len ? arena_str(a, t->protocol) : none;
}

/* ---- the client's certificate ---- */

static struct str bio_text(BIO *bio, struct arena *a)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    struct str text = len > 0 ? arena_str(a, (struct str){ data, (size_t)len }) : none;

    BIO_free(bio);
    return text;
}

static struct str cert_raw(X509 *cert, struct arena *a)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (!bio)
        return none;
    PEM_write_bio_X509(bio, cert);
    return bio_text(bio, a);
}

/* As a header's value of former times: lines go on behind a tab. */
static struct str cert_folded(X509 *cert, struct arena *a)
{
    struct out o = out_growing(a, TEXT_MAX);
    struct str raw = cert_raw(cert, a);

    if (raw.len && raw.data[raw.len - 1] == '\n')
        raw.len--;
    for (size_t i = 0; i < raw.len; i++) {
        out_char(&o, raw.data[i]);
        if (raw.data[i] == '\n')
            out_char(&o, '\t');
    }
    return finish(&o);
}

static struct str name_text(const X509_NAME *name, struct arena *a)
{
    BIO *bio = name ? BIO_new(BIO_s_mem()) : NULL;

    if (!bio)
        return none;
    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
    return bio_text(bio, a);
}

static struct str name_legacy(const X509_NAME *name, struct arena *a)
{
    char *line = name ? X509_NAME_oneline(name, NULL, 0) : NULL;
    struct str text = copy(a, line);

    OPENSSL_free(line);
    return text;
}

static struct str cert_subject(X509 *cert, struct arena *a)
{
    return name_text(X509_get_subject_name(cert), a);
}

static struct str cert_issuer(X509 *cert, struct arena *a)
{
    return name_text(X509_get_issuer_name(cert), a);
}

static struct str cert_subject_legacy(X509 *cert, struct arena *a)
{
    return name_legacy(X509_get_subject_name(cert), a);
}

static struct str cert_issuer_legacy(X509 *cert, struct arena *a)
{
    return name_legacy(X509_get_issuer_name(cert), a);
}

static struct str cert_serial(X509 *cert, struct arena *a)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (!bio)
        return none;
    i2a_ASN1_INTEGER(bio, X509_get0_serialNumber(cert));
    return bio_text(bio, a);
}

static struct str cert_fingerprint(X509 *cert, struct arena *a)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    return X509_digest(cert, EVP_sha1(), digest, &len) ? hex(a, digest, len) : none;
}

static struct str time_text(const ASN1_TIME *when, struct arena *a)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (!bio)
        return none;
    ASN1_TIME_print(bio, when);
    return bio_text(bio, a);
}

static struct str cert_start(X509 *cert, struct arena *a)
{
    return time_text(X509_get0_notBefore(cert), a);
}

static struct str cert_end(X509 *cert, struct arena *a)
{
    return time_text(X509_get0_notAfter(cert), a);
}

/* Whole days; 0 behind its end. */
static struct str cert_remain(X509 *cert, struct arena *a)
{
    int days = 0, seconds = 0;

    if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)))
        return none;
    return arena_printf(a, "%d", days > 0 ? days : 0);
}

/* ---- all of them ---- */

#define NAME_AT(member) { NULL, NULL, offsetof(struct tls_facts, member) }

static const struct {
    struct str (*of_connection)(const struct tls *t, const struct tls_facts *f, struct arena *a);
    struct str (*of_certificate)(X509 *cert, struct arena *a);
    size_t name;                       /* without a function: where facts have a static text */
} getters[] = {
    [TLS_INFO_PROTOCOL] = NAME_AT(protocol),
    [TLS_INFO_CIPHER] = NAME_AT(cipher),
    [TLS_INFO_CIPHERS] = { get_ciphers, NULL, 0 },
    [TLS_INFO_CURVE] = NAME_AT(curve),
    [TLS_INFO_CURVES] = { get_curves, NULL, 0 },
    [TLS_INFO_SIGALG] = NAME_AT(sigalg),
    [TLS_INFO_SIGALGS] = { get_sigalgs, NULL, 0 },
    [TLS_INFO_CLIENT_SIGALG] = NAME_AT(client_sigalg),
    [TLS_INFO_SESSION_ID] = { get_session_id, NULL, 0 },
    [TLS_INFO_SESSION_REUSED] = { get_session_reused, NULL, 0 },
    [TLS_INFO_EARLY_DATA] = { get_early_data, NULL, 0 },
    [TLS_INFO_SERVER_NAME] = { get_server_name, NULL, 0 },
    [TLS_INFO_ALPN] = { get_alpn, NULL, 0 },
    [TLS_INFO_CLIENT_CERT] = { NULL, cert_folded, 0 },
    [TLS_INFO_CLIENT_RAW_CERT] = { NULL, cert_raw, 0 },
    [TLS_INFO_CLIENT_SUBJECT] = { NULL, cert_subject, 0 },
    [TLS_INFO_CLIENT_ISSUER] = { NULL, cert_issuer, 0 },
    [TLS_INFO_CLIENT_SUBJECT_LEGACY] = { NULL, cert_subject_legacy, 0 },
    [TLS_INFO_CLIENT_ISSUER_LEGACY] = { NULL, cert_issuer_legacy, 0 },
    [TLS_INFO_CLIENT_SERIAL] = { NULL, cert_serial, 0 },
    [TLS_INFO_CLIENT_FINGERPRINT] = { NULL, cert_fingerprint, 0 },
    [TLS_INFO_CLIENT_START] = { NULL, cert_start, 0 },
    [TLS_INFO_CLIENT_END] = { NULL, cert_end, 0 },
    [TLS_INFO_CLIENT_REMAIN] = { NULL, cert_remain, 0 },
};

static struct str of_connection(const struct tls *t, enum tls_info what, struct arena *a)
{
    struct tls_facts *f = t->facts ? t->facts : tls_facts_new(t->ssl);
    struct str text = none;

    if (f && getters[what].of_connection)
        text = getters[what].of_connection(t, f, a);
    else if (f)
        text = copy(a, *(const char *const *)(const void *)((const char *)f + getters[what].name));
    if (f != t->facts)
        free(f);
    ERR_clear_error();
    return text;
}

struct str tls_info(const struct connection *c, enum tls_info what, struct arena *a)
{
    const struct tls *t = tls_of(c);

    if (!getters[what].of_certificate)
        return of_connection(t, what, a);
    X509 *cert = t->ssl ? SSL_get_peer_certificate(t->ssl) : NULL;
    struct str text = cert ? getters[what].of_certificate(cert, a) : none;
    X509_free(cert);
    ERR_clear_error();
    return text;
}

/* What `optional_no_ca` lets pass: the certificate's issuer is not known, and all else is good. */
static bool is_unknown_issuer(long code)
{
    switch (code) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return true;
    default:
        return false;
    }
}

enum tls_client tls_client(const struct connection *c, bool may_be_unknown, const char **reason,
                           int *code)
{
    SSL *ssl = tls_of(c)->ssl;         /* NULL: the client was not asked */
    X509 *cert = ssl ? SSL_get_peer_certificate(ssl) : NULL;
    long result = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;

    X509_free(cert);
    *code = (int)result;
    *reason = X509_verify_cert_error_string(result);
    if (!cert)
        return TLS_CLIENT_NONE;
    if (result == X509_V_OK && tls_of(c)->client_fault) {
        *code = X509_V_ERR_APPLICATION_VERIFICATION;
        *reason = tls_of(c)->client_fault;
        return TLS_CLIENT_BAD;
    }
    return result == X509_V_OK || (may_be_unknown && is_unknown_issuer(result)) ? TLS_CLIENT_GOOD
                                                                                : TLS_CLIENT_BAD;
}

void tls_set_client_fault(struct connection *c, const char *reason)
{
    tls_of(c)->client_fault = reason;
}
