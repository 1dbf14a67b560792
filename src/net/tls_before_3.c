/*
 * tls_before_3: what OpenSSL 1.1.1 does in another way than OpenSSL 3 (tls_since_3.c).  One of the two
 * is compiled.
 */
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "net/tls_private.h"

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     HMAC_CTX *mac, int closing)
{
    struct ticket_key k;
    int result = tls_tickets_use(ssl, name, iv, cipher, closing != 0, &k);

    if (result > 0 && HMAC_Init_ex(mac, k.mac, (int)k.mac_size, EVP_sha256(), NULL) != 1)
        result = -1;
    OPENSSL_cleanse(&k, sizeof k);
    return result;
}

void tls_version_set_tickets(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_ticket_key_cb(ctx, on_ticket);
}

bool tls_version_set_dh(SSL_CTX *ctx, BIO *text)
{
    DH *dh = PEM_read_bio_DHparams(text, NULL, NULL, NULL);
    bool good = dh && SSL_CTX_set_tmp_dh(ctx, dh) == 1;

    DH_free(dh);
    return good;
}

bool tls_version_wants_kernel(const SSL_CTX *ctx)
{
    (void)ctx;
    return false;
}

bool tls_version_in_kernel(SSL *ssl)
{
    (void)ssl;
    return false;
}

ssize_t tls_version_sendfile(SSL *ssl, int file, off_t offset, size_t size)
{
    (void)ssl;
    (void)file;
    (void)offset;
    (void)size;
    return -1;
}

const EVP_CIPHER *tls_version_aes(unsigned key_size)
{
    return key_size == 32 ? EVP_aes_256_cbc() : EVP_aes_128_cbc();
}

const char *tls_version_curve(SSL *ssl)
{
    (void)ssl;                         /* it does not tell */
    return NULL;
}
