/*
 * no_tls: what remains of tls.h where there is no OpenSSL.  No directive asks for TLS then: those that
 * could are not in the program.
 */
#include "net/tls_client.h"

struct str tls_library(struct arena *a)
{
    (void)a;
    return STR("");
}

time_t tls_not_after(struct str pem)
{
    (void)pem;
    return -1;
}

bool tls_warn_of_end(struct out *o, struct str name, time_t not_after)
{
    (void)o;
    (void)name;
    (void)not_after;
    return false;
}

bool tls_is_answer(struct str content)
{
    (void)content;
    return false;
}

/* Nobody has a peer to give: these are never called. */

struct tls_peer *tls_peer_copy(const struct tls_peer *p)
{
    (void)p;
    return NULL;
}

void tls_peer_free(struct tls_peer *p)
{
    (void)p;
}

bool tls_connect(struct connection *c, const struct tls_peer *p, const struct address *to,
                 struct tls_fault *f)
{
    (void)c;
    (void)p;
    (void)to;
    (void)f;
    return false;
}

bool tls_peer_check(struct connection *c, const struct tls_peer *p, struct tls_fault *f)
{
    (void)c;
    (void)p;
    (void)f;
    return false;
}

enum tls_result tls_handshake(struct connection *c, struct tls_fault *f)
{
    (void)c;
    (void)f;
    return TLS_FAILED;
}
