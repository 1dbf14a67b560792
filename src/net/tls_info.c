/*
 * tls_info: what is to be told of a connection and of its client's certificate, as texts.
 */
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

static struct str get_protocol(SSL *ssl, struct arena *a)
{
    return copy(a, SSL_get_version(ssl));
}

static struct str get_cipher(SSL *ssl, struct arena *a)
{
    return copy(a, SSL_get_cipher_name(ssl));
}

static struct str get_ciphers(SSL *ssl, struct arena *a)
{
    unsigned char *list;
    struct out o = out_growing(a, TEXT_MAX);
    size_t size = (size_t)SSL_get0_raw_cipherlist(ssl, &list);
    size_t each = (size_t)SSL_get0_raw_cipherlist(ssl, NULL);

    for (size_t i = 0; each && i + each <= size; i += each) {
        const SSL_CIPHER *c = SSL_CIPHER_find(ssl, list + i);
        put_name(&o, c ? SSL_CIPHER_get_name(c) : NULL,
                 (unsigned)list[i + each - 2] << 8 | list[i + each - 1]);
    }
    return finish(&o);
}

static struct str get_curve(SSL *ssl, struct arena *a)
{
    return copy(a, tls_version_curve(ssl));
}

static struct str get_curves(SSL *ssl, struct arena *a)
{
    struct out o = out_growing(a, TEXT_MAX);
    int nids[64], count = (int)SSL_get1_curves(ssl, NULL);

    if (count <= 0 || count > (int)(sizeof nids / sizeof nids[0]))
        return none;
    SSL_get1_curves(ssl, nids);
    for (int i = 0; i < count; i++)
        put_name(&o, nids[i] & TLSEXT_nid_unknown ? NULL : OBJ_nid2sn(nids[i]),
                 (unsigned)nids[i] & 0xffff);
    return finish(&o);
}

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

static struct str sigalg_name(struct arena *a, int type, int hash)
{
    for (unsigned i = 0; i < SIGALGS; i++) {
        if (sigalgs[i].type == type && (sigalgs[i].hash == hash || sigalgs[i].hash == NID_undef))
            return copy(a, sigalgs[i].name);
    }
    return none;
}

static struct str get_sigalg(SSL *ssl, struct arena *a)
{
    int type = 0, hash = NID_undef;

    if (!SSL_get_signature_type_nid(ssl, &type))
        return none;
    SSL_get_signature_nid(ssl, &hash);
    return sigalg_name(a, type, hash);
}

static struct str get_client_sigalg(SSL *ssl, struct arena *a)
{
    int type = 0, hash = NID_undef;

    if (!SSL_get_peer_signature_type_nid(ssl, &type))
        return none;
    SSL_get_peer_signature_nid(ssl, &hash);
    return sigalg_name(a, type, hash);
}

static struct str get_sigalgs(SSL *ssl, struct arena *a)
{
    struct out o = out_growing(a, TEXT_MAX);
    int count = SSL_get_sigalgs(ssl, -1, NULL, NULL, NULL, NULL, NULL);

    for (int i = 0; i < count; i++) {
        unsigned char signature = 0, hash = 0;
        const char *name = NULL;
        SSL_get_sigalgs(ssl, i, NULL, NULL, NULL, &signature, &hash);
        unsigned code = (unsigned)hash << 8 | signature;
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

static struct str get_session_id(SSL *ssl, struct arena *a)
{
    SSL_SESSION *session = SSL_get0_session(ssl);
    unsigned len = 0;
    const unsigned char *id = session ? SSL_SESSION_get_id(session, &len) : NULL;

    return hex(a, id, len);
}

static struct str get_session_reused(SSL *ssl, struct arena *a)
{
    (void)a;
    return SSL_session_reused(ssl) ? STR("r") : STR(".");
}

static struct str get_early_data(SSL *ssl, struct arena *a)
{
    (void)a;
    return SSL_is_init_finished(ssl) ? none : STR("1");
}

static struct str get_server_name(SSL *ssl, struct arena *a)
{
    return copy(a, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
}

static struct str get_alpn(SSL *ssl, struct arena *a)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(ssl, &name, &len);
    return len ? arena_str(a, (struct str){ (const char *)name, len }) : none;
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

static const struct {
    struct str (*of_connection)(SSL *ssl, struct arena *a);
    struct str (*of_certificate)(X509 *cert, struct arena *a);
} getters[] = {
    [TLS_INFO_PROTOCOL] = { get_protocol, NULL },
    [TLS_INFO_CIPHER] = { get_cipher, NULL },
    [TLS_INFO_CIPHERS] = { get_ciphers, NULL },
    [TLS_INFO_CURVE] = { get_curve, NULL },
    [TLS_INFO_CURVES] = { get_curves, NULL },
    [TLS_INFO_SIGALG] = { get_sigalg, NULL },
    [TLS_INFO_SIGALGS] = { get_sigalgs, NULL },
    [TLS_INFO_CLIENT_SIGALG] = { get_client_sigalg, NULL },
    [TLS_INFO_SESSION_ID] = { get_session_id, NULL },
    [TLS_INFO_SESSION_REUSED] = { get_session_reused, NULL },
    [TLS_INFO_EARLY_DATA] = { get_early_data, NULL },
    [TLS_INFO_SERVER_NAME] = { get_server_name, NULL },
    [TLS_INFO_ALPN] = { get_alpn, NULL },
    [TLS_INFO_CLIENT_CERT] = { NULL, cert_folded },
    [TLS_INFO_CLIENT_RAW_CERT] = { NULL, cert_raw },
    [TLS_INFO_CLIENT_SUBJECT] = { NULL, cert_subject },
    [TLS_INFO_CLIENT_ISSUER] = { NULL, cert_issuer },
    [TLS_INFO_CLIENT_SUBJECT_LEGACY] = { NULL, cert_subject_legacy },
    [TLS_INFO_CLIENT_ISSUER_LEGACY] = { NULL, cert_issuer_legacy },
    [TLS_INFO_CLIENT_SERIAL] = { NULL, cert_serial },
    [TLS_INFO_CLIENT_FINGERPRINT] = { NULL, cert_fingerprint },
    [TLS_INFO_CLIENT_START] = { NULL, cert_start },
    [TLS_INFO_CLIENT_END] = { NULL, cert_end },
    [TLS_INFO_CLIENT_REMAIN] = { NULL, cert_remain },
};

struct str tls_info(const struct connection *c, enum tls_info what, struct arena *a)
{
    SSL *ssl = tls_of(c)->ssl;

    if (getters[what].of_connection)
        return getters[what].of_connection(ssl, a);
    X509 *cert = SSL_get_peer_certificate(ssl);
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
    SSL *ssl = tls_of(c)->ssl;
    X509 *cert = SSL_get_peer_certificate(ssl);
    long result = SSL_get_verify_result(ssl);

    X509_free(cert);
    *code = (int)result;
    *reason = X509_verify_cert_error_string(result);
    if (!cert)
        return TLS_CLIENT_NONE;
    return result == X509_V_OK || (may_be_unknown && is_unknown_issuer(result)) ? TLS_CLIENT_GOOD
                                                                                : TLS_CLIENT_BAD;
}
