/*
 * proxied: what a request and its response mean between Weir and a peer of proxy_pass, whatever
 * version of HTTP is spoken there: which fields go, and which of those that come count.
 */
#ifndef HTTP_PROXY_PROXIED_H
#define HTTP_PROXY_PROXIED_H

#include "http/proxy/exchange.h"
#include "http/proxy/proxy_conf.h"
#include "http/proxy/proxy_pass.h"

/* First in what a wire keeps of an exchange. */
struct proxied {
    struct proxy_target target;
    bool head;                         /* the method is HEAD: no body comes */
    bool close;                        /* the connection serves no other request */
    bool upgrade;                      /* the request asks for it */
};

static inline struct proxied *proxied_of(const struct exchange *x)
{
    return x->wire_state;
}

static inline const struct proxy_conf *proxied_conf(const struct exchange *x)
{
    return x->wire_conf;
}

/* The content handler of a location with proxy_pass. */
int proxied_handler(struct request *r);

/* ---- the request ---- */

/* Before each try: what proxied_put_fields() finds out is forgotten, and proxy_set_body taken. */
void proxied_start(struct exchange *x);
/* The method for the peer; data NULL: there is none that could stand in a request (logged). */
struct str proxied_method(struct exchange *x);
/* The value of Host. */
struct str proxied_host(struct exchange *x);
/*
 * Calls put() for each field of the request, Host among them.  `keeps`: the connection may serve
 * another request, as far as the caller knows; otherwise Connection says so.  false: a value that
 * would break a head apart (logged).
 */
bool proxied_put_fields(struct exchange *x, bool keeps,
                        void (*put)(void *to, struct str name, struct str value), void *to);

/* Whether it asks for a WebSocket, and proxy_set_header says so to the peer. */
bool proxied_wants_websocket(struct exchange *x);
/* Calls put() for each field behind the client's body that goes on behind the request's. */
void proxied_put_trailers(struct exchange *x, void (*put)(void *to, struct str name, struct str value),
                          void *to);

/* The path and arguments that are asked for. */
void proxied_put_uri(struct exchange *x, struct out *o);

/* ---- the response ---- */

/* A field for x->head: those that may be there once only are, and Content-Length is a number. 
 * HEAD_MORE, or HEAD_BAD (logged). */
enum head_result proxied_take_field(struct exchange *x, enum header_id id, struct str name,
                                    struct str value);
/* Logs what the peer sent: HEAD_BAD. */
enum head_result proxied_bad(struct exchange *x, const char *what, struct str text);
/* Whether nothing follows the head, whatever it says. */
bool proxied_is_bodiless(const struct exchange *x);

/* $proxy_host, or $proxy_port; data NULL: the request is not passed on. */
struct str proxied_target_part(const struct request *r, bool port);

#endif
