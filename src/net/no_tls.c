/*
 * no_tls: what remains of tls.h where there is no OpenSSL.  No directive asks for TLS then: those that
 * could are not in the program.
 */
#include "net/tls.h"

struct str tls_library(struct arena *a)
{
    (void)a;
    return STR("");
}
