/*
 * request: the one struct that all of http shares.  It lives in its own arena, pins the generation it
 * began with, and ends in request_end() alone.  Nothing in it knows the version of HTTP, but for the
 * wire that it came over.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/clock.h"
#include "base/log.h"
#include "http/client.h"
#include "http/headers.h"
#include "http/phases.h"
#include "http/pipeline.h"
#include "http/status.h"
#include "net/address.h"
#include "script/variable.h"

struct location;
struct http_server;
struct generation;
struct body;
struct exchange;
struct trace;

/* METHOD(name): those that Weir itself tells apart. */
#define METHOD_LIST(METHOD)                                                                        \
    METHOD(GET) METHOD(HEAD) METHOD(POST) METHOD(PUT) METHOD(DELETE) METHOD(MKCOL) METHOD(COPY)    \
    METHOD(MOVE) METHOD(OPTIONS) METHOD(PROPFIND) METHOD(PROPPATCH) METHOD(LOCK) METHOD(UNLOCK)    \
    METHOD(PATCH) METHOD(TRACE) METHOD(CONNECT)

enum method {
    METHOD_OTHER = 0,
#define METHOD(name) METHOD_##name,
    METHOD_LIST(METHOD)
#undef METHOD
};

#define METHOD_BIT(method) (1u << (method))

/* Versions as nginx counts them: major * 1000 + minor. */
enum version {
    VERSION_9 = 9,
    VERSION_10 = 1000,
    VERSION_11 = 1001,
    VERSION_20 = 2000,
    VERSION_30 = 3000,
};

/* The wire: what a version of HTTP does for a request. */
struct wire {
    const char *name;
    /* Sends r->response (head, body, trailers) as far as the client takes it.  STEP_WAIT, STEP_NEXT when
     * all is sent, STEP_ABORT when the connection is of no more use. */
    int (*send)(struct request *r);
    /* Reads bytes of the request's body, framing taken off; of a tunnel (flags.tunnel) what the client says
     * behind its request's head.  More than 0: bytes; 0: the end; IO_AGAIN; IO_ERROR: the client has gone;
     * -status (-400, -413): the framing is bad. */
    ssize_t (*read_body)(struct request *r, char *buffer, size_t size);
    /* An interim response (100, 103) with the fields given, at once. */
    void (*interim)(struct request *r, unsigned status, const struct headers *fields);
    /* See request_wait_ms(), request_wait_no_more(), request_wake() and request_gone(). */
    void (*wait)(struct request *r, uint64_t ms);
    void (*wait_no_more)(struct request *r);
    void (*wake)(struct request *r);
    bool (*gone)(const struct request *r);
    /* The client takes no more of the response now. */
    bool (*blocked)(const struct request *r);
    /* Nothing more is sent, and the client sees that, though the request goes on for a while. */
    void (*leave)(struct request *r);
    /* The request's memory is still there: what becomes of its connection or stream. */
    void (*ended)(struct request *r, enum client_after after);
    /* Each side of a tunnel has an end of its own, or is broken off (RFC 9113 section 8.5); otherwise the
     * end of one is that of both (RFC 9110 section 9.3.6). */
    bool half_closes;
};

enum request_state {
    REQUEST_STEPS,         /* walking the phases */
    REQUEST_SENDING,       /* the response is on its way */
    REQUEST_DRAINING,      /* it is sent; the rest of the request's body is read away */
    REQUEST_LEFT,          /* the client gets no more; what others want of it goes on */
    REQUEST_ENDED,
};

/* Bits of what a request has been through. */
struct request_flags {
    bool internal : 1;             /* reached by a redirect, an error page or a subrequest */
    bool error_page : 1;           /* an error page is being made: no second one, unless recursive */
    bool keepalive : 1;            /* the connection may serve another request */
    bool header_only : 1;          /* HEAD, 204, 304: the head is all there is */
    bool chunked : 1;              /* response in chunks */
    bool simple : 1;               /* HTTP/0.9: no head at all */
    bool add_uri_to_alias : 1;     /* the location's regular expression took part in the alias */
    bool complex_uri : 1;          /* the path as sent is not the path that is served: %, //, /./ */
    bool plus_in_uri : 1;
    bool empty_path : 1;           /* absolute-form without a path */
    bool logged : 1;
    bool head_sent : 1;            /* at least a byte of the response's head has been given to the wire */
    bool expect_tested : 1;        /* 100-continue has been dealt with */
    bool limit_rate_set : 1;
    bool realip_done : 1;          /* the peer is whom a proxy named */
    bool response_complete : 1;    /* $request_completion */
    bool uri_changed : 1;          /* rewrite set it: the location is looked for again */
    bool path_settled : 1;         /* rewritten by "break": the URI of proxy_pass does not count */
    bool rewritten : 1;            /* the path is no longer the one that unparsed_uri was */
    bool discard_body : 1;         /* nobody wants the request's body: it is read away */
    bool subrequest_waited : 1;
    bool connect : 1;              /* its method was CONNECT, whatever an error page made of it */
    bool part : 1;                 /* a clone for a part of its parent's response: no filter sees it */
    bool post_action : 1;          /* it has been begun */
    bool redirect_cycle : 1;       /* more than ten internal redirects: no error page is looked for */
    bool tunnel : 1;               /* behind the response's head bytes go to and fro as they are */
    bool extended : 1;             /* a CONNECT with :protocol (RFC 8441), which is seen as GET with Upgrade */
};

struct response {
    unsigned status;
    struct str status_text;        /* "200 OK" as an upstream sent it; empty: of the list */
    int64_t length;                /* of the body in bytes; -1: not known before its end */
    struct str content_type;       /* without charset; empty: none is sent */
    struct str charset;
    struct str charset_override;   /* X-Accel-Charset of an upstream; empty: none */
    struct str content_encoding;
    time_t last_modified;          /* -1: none; response_modified() reads it */
    struct str modified_text;      /* Last-Modified as an upstream sent it, in that one's place */
    struct str etag;               /* with quotes and W/; empty: none */
    struct str location;           /* made absolute as it is sent, where it begins with "/" */
    struct str prepared;           /* lines prepared ahead ("Name: value\r\n"...): type, length,
                                    * last-modified, etag, accept-ranges; valid while the body is the
                                    * source's own and no filter has changed one of those fields */
    struct headers headers;        /* all others */
    struct headers trailers;
    void (*make_trailers)(struct request *r);  /* adds some when the body is at its end; or NULL */
    struct source *body;           /* NULL: none */
    bool allow_ranges, single_range;   /* single: not several at once */
    bool expires_set;
    bool type_settled;             /* X-Accel-Redirect came with a type: that of what is sent in its place */
    bool foreign;                  /* an upstream's, which has judged the request's conditions itself */
    bool has_date, has_server;     /* fields of these names stand in headers: no other is sent */
};

/* A body that somebody besides the client wants (proxy_store, a cache): it is read to its end whatever
 * the client takes of it.  In memory that lives as long as the request. */
struct kept_body {
    struct kept_body *next;
    struct source *source;
    bool wanted;                   /* who wants it takes this back at its end */
};

struct request {
    struct client *client;
    const struct wire *wire;
    struct generation *generation;
    const struct http_server *server;
    const struct location *location;
    void **conf;                   /* location's, or the server's before one is found */
    struct request *main;          /* itself, unless it is a subrequest */
    struct request *parent;        /* NULL for the main one */

    enum request_state state;
    unsigned step;                 /* of the table in phases.c */
    uint64_t steps;                /* bits of those that are on */

    enum method method;
    enum version version;
    struct request_flags flags;
    struct str method_name;
    struct str line;               /* the request line as sent */
    struct str unparsed_uri;       /* the path and arguments as sent */
    struct str uri;                /* the path: decoded and normalised, what is matched and opened */
    struct str args;               /* behind "?", as sent */
    struct str scheme_host;        /* authority of an absolute-form target; empty otherwise */
    struct str host;               /* lower case, without port, checked; empty: none was sent */
    unsigned host_port;            /* the port in Host or the target; 0: none */
    struct peer peer;              /* who it comes from: the client, or whom realip found behind it */
    struct headers headers;
    struct headers trailers;       /* behind the request's body, once that is at its end */
    int64_t content_length;        /* of the request's body; -1: none or chunked */
    bool chunked_body;
    bool timed_out;                /* what request_wait_ms() allowed is over; who goes on takes it back */

    struct body *body;             /* http/body.h; NULL until someone asked for it */
    struct response response;
    unsigned access_status;        /* the refusal of an access step that `satisfy any` set aside; 0: none */
    uint64_t held_ms;              /* auth_delay: a refusal is held back until then; 0: none is */
    unsigned error_status;         /* the status that led to an error page; 0: none */
    unsigned redirects_left;       /* internal redirects, from 10 */
    unsigned subrequests_left;

    unsigned number;               /* of it on its connection, from 1 */
    uint64_t start_ms;             /* clock_ms() at its first byte */
    time_t start_seconds;
    unsigned start_msec;
    uint64_t received;             /* bytes of the request: line, head, body */
    uint64_t discarded;            /* bytes of the body that were read away */
    uint64_t sent;                 /* bytes of the response given to the transport, head included */
    uint64_t head_bytes;           /* of which the head */
    uint64_t limit_rate, limit_rate_after;     /* bytes a second, 0: none */

    struct script script;          /* its variables; use request_script() */
    struct log_scope scope;        /* of the script's messages */
    void *limit_req;               /* modules/limit_req.c: kept over redirects */
    void *limit_conn;              /* modules/limit_conn.c: the same */
    struct exchange *exchange;     /* http/proxy/exchange.h: the last one with an upstream; or NULL */
    void **contexts;               /* of modules, by index of the module; made on first use */
    struct background *backgrounds;    /* subrequests that it does not end before; see subrequest.h */
    struct kept_body *kept;             /* bodies that it does not end before */
    struct request_cleanup *cleanups;
    void *wire_state;              /* the wire's own */
    const struct trace *trace;     /* of the main request: http/trace.h; NULL in service */
    struct arena arena;            /* last: not cleared */
};

struct request_cleanup {
    struct request_cleanup *next;
    void (*run)(void *data);
    void *data;
};

enum {
    REQUEST_REDIRECTS = 10,        /* internal ones */
    REQUEST_SUBREQUESTS = 50,      /* one inside the other */
    REQUEST_CHUNKS = 8,            /* that the small allocations of a request may draw on */
};

/* By its name, in upper case; METHOD_OTHER for one that Weir does not tell apart. */
enum method request_method(struct str name);

/* A new request of a client, with the newest generation and the listener's default server.  NULL: memory
 * is short. */
struct request *request_new(struct client *c, const struct wire *wire);
/* When the head has been read and r->host is known: chooses the server and starts to walk. */
void request_begin(struct request *r);
/* Walks the phases until a response is settled: STEP_RESPOND, STEP_WAIT or STEP_ABORT. */
int request_walk(struct request *r);
/* Does what can be done now; true when the request has ended (it is gone then). */
bool request_run(struct request *r);
/* Something that the request waited for has happened: it runs on in this turn of the loop. */
static inline void request_wake(struct request *r)
{
    r->main->wire->wake(r->main);
}

/* The request waits, `ms` at most: then the main request's timed_out is set, and it runs. */
static inline void request_wait_ms(struct request *r, uint64_t ms)
{
    r->main->wire->wait(r->main, ms);
}

/* The timer of the call above, if it runs, means nothing any more. */
static inline void request_wait_no_more(struct request *r)
{
    r->main->wire->wait_no_more(r->main);
}

/* Whether the client has closed its side, or has taken the request back, while its response is under
 * way: what goes on behind that has no client. */
static inline bool request_gone(const struct request *r)
{
    return r->main->state < REQUEST_DRAINING && r->main->wire->gone(r->main);
}

/* For who only waits for time to pass: STEP_WAIT, or STEP_ABORT (logged) where the client is gone: it
 * will not read what comes late. */
int request_wait(struct request *r);
/* The only exit: logs, runs cleanups, closes the body, unpins the generation, frees. */
void request_end(struct request *r, enum client_after after);
/* Before any step (a bad head): the request is answered with that status and its connection closed. */
void request_refuse(struct request *r, unsigned status);

/* Internal redirects: set the URI or named location and the step; the caller returns what they give:
 * STEP_AGAIN, or 500 when there have been more than ten. */
int request_redirect(struct request *r, struct str uri, struct str args);
int request_redirect_named(struct request *r, struct str name);
/* One more internal redirect.  false: there have been ten (logged: `doing` says while what). */
bool request_count_redirect(struct request *r, const char *doing, struct str target);

/* The evaluation of its variables, made on first use. */
struct script *request_script(struct request *r);
void request_set_location(struct request *r, const struct location *l);
void request_cleanup(struct request *r, void (*run)(void *data), void *data);
/* The main request goes on, with its client or without, until that body has been read. */
void request_keep(struct request *r, struct kept_body *k);
/* The slot of a module's own state in this request. */
void **request_context(struct request *r, unsigned module_index);
#define REQUEST_CONTEXT(r, module) request_context((r), (module).index)

/* A line in the location's error log, with client, server, request and host added. */
void request_log(const struct request *r, enum log_level level, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void request_vlog(const struct request *r, enum log_level level, int error, const char *format,
                  va_list args);
bool request_log_enabled(const struct request *r, enum log_level level);

#endif
