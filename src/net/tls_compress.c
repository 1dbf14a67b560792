/*
 * tls_compress: compressed certificates (RFC 8879), where OpenSSL has them (tls_no_compress.c where it
 * has not).
 */
#include "net/tls_private.h"

bool tls_can_compress(void)
{
    return true;
}

void tls_compress_set(SSL_CTX *ctx, bool on)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
    if (on)
        SSL_CTX_compress_certs(ctx, 0);        /* without an algorithm that both know: as they are */
    else
        SSL_CTX_set_options(ctx, SSL_OP_NO_TX_CERTIFICATE_COMPRESSION);
}
