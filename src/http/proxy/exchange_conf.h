/*
 * exchange_conf: what the directives of proxy, fastcgi and the like have in common: time, tries,
 * buffers.
 */
#ifndef HTTP_PROXY_EXCHANGE_CONF_H
#define HTTP_PROXY_EXCHANGE_CONF_H

#include "http/core.h"
#include "http/headers.h"
#include "net/address.h"
#include "script/conditions.h"

/* What may lead to another peer, as bits. */
enum next_upstream {
    NEXT_ERROR = 1 << 0,
    NEXT_TIMEOUT = 1 << 1,
    NEXT_INVALID_HEADER = 1 << 2,
    NEXT_500 = 1 << 3,
    NEXT_502 = 1 << 4,
    NEXT_503 = 1 << 5,
    NEXT_504 = 1 << 6,
    NEXT_403 = 1 << 7,
    NEXT_404 = 1 << 8,
    NEXT_429 = 1 << 9,
    NEXT_NON_IDEMPOTENT = 1 << 10,
    NEXT_OFF = 1 << 11,
    NEXT_DENIED = 1 << 12,
};

/* Fields of a response that mean something to Weir, as bits. */
enum ignored {
    IGNORE_ACCEL_REDIRECT = 1 << 0,
    IGNORE_ACCEL_EXPIRES = 1 << 1,
    IGNORE_ACCEL_LIMIT_RATE = 1 << 2,
    IGNORE_ACCEL_BUFFERING = 1 << 3,
    IGNORE_ACCEL_CHARSET = 1 << 4,
    IGNORE_EXPIRES = 1 << 5,
    IGNORE_CACHE_CONTROL = 1 << 6,
    IGNORE_SET_COOKIE = 1 << 7,
    IGNORE_VARY = 1 << 8,
};

struct bind_conf {
    struct template address;           /* empty: off */
    bool transparent;                  /* it need not be this machine's */
};

/* proxy_store, proxy_store_access. */
struct store_conf {
    bool on;
    struct template path;              /* empty: by root or alias */
    mode_t access;
};

struct exchange_conf {
    uint64_t connect_timeout, send_timeout, read_timeout;      /* ms */
    unsigned next_upstream;            /* enum next_upstream bits */
    unsigned next_tries;               /* 0: no limit */
    uint64_t next_timeout;             /* ms; 0: none */

    size_t buffer_size;
    struct bufs buffers;
    size_t busy_size;                  /* as given; 0: twice the buffer's */
    bool buffering;
    size_t max_temp_file_size, temp_file_write_size;
    size_t busy, temp_write;           /* what counts of these two */
    struct temp_path temp_path;
    struct template limit_rate;
    bool rate_limited;                 /* it can be more than 0 */

    bool ignore_client_abort, intercept_errors, force_ranges, pass_trailers;
    bool pass_request_headers, pass_request_body, request_buffering;
    bool stream_length, stream_chunks; /* bodies of known length, and others, go on as they come */
    bool socket_keepalive;
    bool proxy_protocol;               /* connections begin with a line of it */
    size_t socket_rcvbuf, socket_sndbuf;
    struct bind_conf bind;
    bool bind_dynamic;                 /* the address is made anew for each try */
    struct conditions allow;           /* without them a peer is not asked */
    struct store_conf store;
    unsigned ignore_headers;           /* enum ignored bits */
    struct header_set hide, pass;
};

struct exchange;

/* proxy_bind's address for this request; false: as the system chooses. */
bool exchange_bind_address(struct exchange *x, struct address *local);
/* After a block's lines: derives and checks.  false after setting_error(). */
bool exchange_conf_finish(struct setting *s, struct exchange_conf *conf);

extern const struct type type_bind;            /* struct bind_conf */
extern const struct type type_header_set;      /* struct header_set: one name a line */
extern const struct name_value next_upstream_names[];
extern const struct name_value ignore_headers_names[];

#endif
