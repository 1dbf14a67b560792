/*
 * tls_no_compress: this OpenSSL has no compression of certificates (tls_compress.c).
 */
#include "net/tls_private.h"

bool tls_can_compress(void)
{
    return false;
}

void tls_compress_set(SSL_CTX *ctx, bool on)
{
    (void)ctx;
    (void)on;
}
