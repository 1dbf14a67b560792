/*
 * tls_since_3: what OpenSSL 3 does in another way than OpenSSL 1.1.1 (tls_before_3.c).  One of the two
 * is compiled.
 */
#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/pem.h>

#include "net/tls_private.h"

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *k)
{
    static char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k->mac, k->mac_size),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int closing)
{
    struct ticket_key k;
    int result = tls_tickets_use(ssl, name, iv, cipher, closing != 0, &k);

    if (result > 0 && !set_mac(mac, &k))
        result = -1;
    OPENSSL_cleanse(&k, sizeof k);
    return result;
}

void tls_version_set_tickets(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}

bool tls_version_set_dh(SSL_CTX *ctx, BIO *text)
{
    EVP_PKEY *dh = PEM_read_bio_Parameters(text, NULL);

    if (dh && EVP_PKEY_is_a(dh, "DH") && SSL_CTX_set0_tmp_dh_pkey(ctx, dh) == 1)
        return true;
    EVP_PKEY_free(dh);
    return false;
}

bool tls_version_wants_kernel(const SSL_CTX *ctx)
{
    return (SSL_CTX_get_options(ctx) & SSL_OP_ENABLE_KTLS) != 0;
}

bool tls_version_in_kernel(SSL *ssl)
{
    return BIO_get_ktls_send(SSL_get_wbio(ssl)) != 0;
}

ssize_t tls_version_sendfile(SSL *ssl, int file, off_t offset, size_t size)
{
    return (ssize_t)SSL_sendfile(ssl, file, offset, size, 0);
}

/* Looked for once: it takes long.  For the process: never freed. */
const EVP_CIPHER *tls_version_aes(unsigned key_size)
{
    static EVP_CIPHER *large, *small;

    if (!large)
        large = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (!small)
        small = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
    return key_size == 32 ? large : small;
}

const char *tls_version_curve(SSL *ssl)
{
    return OBJ_nid2sn((int)SSL_get_negotiated_group(ssl));
}
