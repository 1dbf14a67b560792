/*
 * ocsp_check: whether the certificates of a client were taken back: between the handshake and the first
 * byte that is served.  Only this one client waits.  Verdicts may be kept in a zone, for all workers.
 */
#ifndef UPSTREAM_OCSP_CHECK_H
#define UPSTREAM_OCSP_CHECK_H

#include "upstream/ocsp/responder.h"

struct zone;
struct ocsp_check;

/* What is asked of clients; lives as long as the generation. */
struct ocsp_check_conf {
    bool leaf;                         /* the client's own certificate alone */
    const struct responder *responder; /* NULL: the one that each certificate names */
    struct zone *const *zone;          /* of verdicts; NULL: none are kept */
    const struct resolver_rows *resolver;
    const struct fetch_kind *http;
};

/* For zone_spec.init of such a zone. */
bool ocsp_check_zone_init(struct zone *z, void *unused);

/* Begins to check the client of a connection, whose certificate was found to be good by all else; conf and
 * connection outlive it.  wake(owner) is called from the loop, once, when it is over; never so in this call,
 * after which it may be over, too.  NULL: memory is short. */
struct ocsp_check *ocsp_check_start(const struct ocsp_check_conf *conf, const struct connection *c,
                                    void (*wake)(void *owner), void *owner);
bool ocsp_check_over(const struct ocsp_check *k);
/* What is wrong with the client, a static text; NULL: nothing is. */
const char *ocsp_check_fault(const struct ocsp_check *k);
/* Of a question that had no answer, for the log; empty: all had one. */
struct str ocsp_check_trouble(const struct ocsp_check *k);
/* At any time; may be NULL. */
void ocsp_check_end(struct ocsp_check *k);

#endif
