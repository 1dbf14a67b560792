/*
 * responder: an OCSP responder: where it is, how it is asked about a certificate (RFC 6960 appendix A),
 * and what came of that.
 */
#ifndef UPSTREAM_OCSP_RESPONDER_H
#define UPSTREAM_OCSP_RESPONDER_H

#include "net/tls_ocsp.h"
#include "upstream/fetch.h"
#include "upstream/resolver_rows.h"

enum { RESPONDER_MS = 10000 };         /* that it has for an answer, names and all */

struct responder {
    struct str text;                   /* the URL as written */
    struct str host;                   /* "name", "127.0.0.1", "::1" */
    struct str authority;              /* "name:8080" */
    struct str path;                   /* begins with "/", or is empty */
    unsigned port;
};

/* Takes a URL apart; what is in *r points into it.  NULL, or what is wrong. */
const char *responder_parse(struct str url, struct responder *r);

/* What asking takes besides. */
struct responder_way {
    const struct fetch_kind *http;     /* judges responses of HTTP: their content is the answer */
    struct resolver *resolver;
    uint64_t resolve_timeout;          /* ms */
    bool background;                   /* as in struct fetch_conf */
};

/* Asks.  NULL: memory is short. */
struct fetch *responder_ask(const struct responder *r, const struct tls_question *q,
                            const struct responder_way *way, void (*wake)(void *owner), void *owner);
/* What came of it, once it is over.  false: v->text says why there is no verdict. */
bool responder_answer(const struct fetch *f, const struct tls_question *q, enum tls_signer signer,
                      struct tls_verdict *v);

/* ---- for tests ---- */

/* The request for a question of these bytes. */
void responder_put_request(const struct responder *r, struct str question, struct out *o);

#endif
