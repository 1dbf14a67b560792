/*
 * tls_expiry: until when a certificate is good.
 */
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "net/tls.h"

time_t tls_not_after(struct str pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *own = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    time_t when = -1;
    int days, seconds;

    if (own && ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(own)))
        when = time(NULL) + (time_t)days * 86400 + seconds;
    X509_free(own);
    BIO_free(bio);
    ERR_clear_error();
    return when;
}
