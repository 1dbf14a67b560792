/*
 * stapling: keeps the answers of OCSP responders about the server's own certificates fresh, so that
 * handshakes find them ready and never wait.  Each worker asks for itself, from the moment on when the
 * configuration comes into use; the same question is one, and keeps its answer over a reload.
 */
#ifndef UPSTREAM_OCSP_STAPLING_H
#define UPSTREAM_OCSP_STAPLING_H

#include "config/resolve.h"
#include "upstream/ocsp/responder.h"

struct stapling_conf {
    struct str responder;              /* its URL; empty: the one that the certificate names */
    bool verify;                       /* who has signed must be one that is trusted */
    const struct resolver_rows *resolver;
    const struct fetch_kind *http;
};

/* For one certificate of a context.  What it can't do without is a warning at `s`, and then nothing is
 * asked: a server without stapling is better than none. */
void stapling_add(struct setting *s, struct tls_context *x, const struct tls_text *certificate,
                  const struct stapling_conf *conf);

/* ---- for tests ---- */

/* ms until an answer that is good for so many seconds from now on (-1: that is not said) is asked for
 * again, and until the next try when one has failed so many times in a row. */
uint64_t stapling_refresh(time_t left);
uint64_t stapling_retry(unsigned failures);

#endif
