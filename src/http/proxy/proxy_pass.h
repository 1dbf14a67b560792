/*
 * proxy_pass: where requests of a location go, and which URI they ask for there.
 */
#ifndef HTTP_PROXY_PROXY_PASS_H
#define HTTP_PROXY_PROXY_PASS_H

#include "http/request.h"
#include "script/template.h"
#include "upstream/upstream.h"

/* The parts of a URL. */
struct proxy_target {
    struct upstream *upstream;         /* NULL: it is not known, or not to be had */
    struct str host;                   /* $proxy_host: "name" or "name:port" */
    struct str port;                   /* $proxy_port */
    struct str uri;                    /* "/path"; empty: that of the request */
    bool secure;                       /* https */
};

struct proxy_pass {
    struct proxy_target target;        /* where `url` is a text */
    struct template url;
    const struct upstreams *upstreams; /* that variables may name */
    const struct location *location;   /* whose name `uri` stands for */
    uint32_t key;                      /* of its connections */
};

extern const struct type type_proxy_pass;      /* struct proxy_pass * */

/* Whether https is, or may come of variables. */
bool proxy_pass_may_be_secure(const struct proxy_pass *pass);
/* The target of this request: false where it is not an URL (500, logged). */
bool proxy_pass_target(struct request *r, const struct proxy_pass *pass, struct proxy_target *t);
/* The URI that the peer is asked for. */
void proxy_pass_put_uri(struct request *r, const struct proxy_pass *pass,
                        const struct proxy_target *t, struct out *o);

#endif
