/*
 * tls_expiry: until when a certificate is good.
 */
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/clock.h"
#include "net/tls_private.h"

enum { SOON = 14 * 86400 };            /* seconds */

time_t tls_end_of(const X509 *certificate)
{
    int days, seconds;

    if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)))
        return -1;
    return time(NULL) + (time_t)days * 86400 + seconds;
}

time_t tls_not_after(struct str pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *own = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    time_t when = own ? tls_end_of(own) : -1;

    X509_free(own);
    BIO_free(bio);
    ERR_clear_error();
    return when;
}

bool tls_warn_of_end(struct out *o, struct str name, time_t not_after)
{
    if (not_after == -1 || not_after - time(NULL) >= SOON)
        return false;
    out_printf(o, "certificate \"%.*s\" is good until ", STR_ARG(name));
    clock_put_http_date(o, not_after);
    OUT_LITERAL(o, " alone: renew it");
    return true;
}
