/*
 * headers: header fields, and those that Weir itself looks at, as one list.
 */
#ifndef HTTP_HEADERS_H
#define HTTP_HEADERS_H

#include "base/array.h"

enum header_rule {
    HEADER_LIST,           /* may be repeated; the first is the one looked at */
    HEADER_UNIQUE,         /* a second one in a request is a bad request */
};

/* HEADER(id, lower-case name, rule) */
#define HEADER_NAMES(HEADER)                                                                       \
    HEADER(HOST, "host", HEADER_UNIQUE)                                                            \
    HEADER(CONNECTION, "connection", HEADER_LIST)                                                  \
    HEADER(CONTENT_LENGTH, "content-length", HEADER_UNIQUE)                                        \
    HEADER(TRANSFER_ENCODING, "transfer-encoding", HEADER_UNIQUE)                                  \
    HEADER(CONTENT_TYPE, "content-type", HEADER_LIST)                                              \
    HEADER(CONTENT_ENCODING, "content-encoding", HEADER_LIST)                                      \
    HEADER(USER_AGENT, "user-agent", HEADER_LIST)                                                  \
    HEADER(REFERER, "referer", HEADER_LIST)                                                        \
    HEADER(IF_MODIFIED_SINCE, "if-modified-since", HEADER_UNIQUE)                                  \
    HEADER(IF_UNMODIFIED_SINCE, "if-unmodified-since", HEADER_UNIQUE)                              \
    HEADER(IF_MATCH, "if-match", HEADER_UNIQUE)                                                    \
    HEADER(IF_NONE_MATCH, "if-none-match", HEADER_UNIQUE)                                          \
    HEADER(CONTENT_RANGE, "content-range", HEADER_UNIQUE)                                          \
    HEADER(RANGE, "range", HEADER_LIST)                                                            \
    HEADER(IF_RANGE, "if-range", HEADER_UNIQUE)                                                    \
    HEADER(TE, "te", HEADER_LIST)                                                                  \
    HEADER(EXPECT, "expect", HEADER_UNIQUE)                                                        \
    HEADER(UPGRADE, "upgrade", HEADER_LIST)                                                        \
    HEADER(ACCEPT_ENCODING, "accept-encoding", HEADER_LIST)                                        \
    HEADER(ACCEPT_LANGUAGE, "accept-language", HEADER_LIST)                                        \
    HEADER(ACCEPT, "accept", HEADER_LIST)                                                          \
    HEADER(VIA, "via", HEADER_LIST)                                                                \
    HEADER(AUTHORIZATION, "authorization", HEADER_UNIQUE)                                          \
    HEADER(KEEP_ALIVE, "keep-alive", HEADER_LIST)                                                  \
    HEADER(X_FORWARDED_FOR, "x-forwarded-for", HEADER_LIST)                                        \
    HEADER(X_REAL_IP, "x-real-ip", HEADER_LIST)                                                    \
    HEADER(COOKIE, "cookie", HEADER_LIST)                                                          \
    HEADER(DATE, "date", HEADER_LIST)                                                              \
    HEADER(DEPTH, "depth", HEADER_LIST)                                                            \
    HEADER(DESTINATION, "destination", HEADER_LIST)                                                \
    HEADER(OVERWRITE, "overwrite", HEADER_LIST)                                                    \
    HEADER(PROXY_CONNECTION, "proxy-connection", HEADER_LIST)                                      \
    HEADER(MAX_FORWARDS, "max-forwards", HEADER_LIST)                                              \
    HEADER(TRAILER, "trailer", HEADER_LIST)                                                        \
    HEADER(SERVER, "server", HEADER_LIST)                                                          \
    HEADER(LOCATION, "location", HEADER_LIST)                                                      \
    HEADER(REFRESH, "refresh", HEADER_LIST)                                                        \
    HEADER(SET_COOKIE, "set-cookie", HEADER_LIST)                                                  \
    HEADER(WWW_AUTHENTICATE, "www-authenticate", HEADER_LIST)                                      \
    HEADER(LAST_MODIFIED, "last-modified", HEADER_LIST)                                            \
    HEADER(ETAG, "etag", HEADER_LIST)                                                              \
    HEADER(ACCEPT_RANGES, "accept-ranges", HEADER_LIST)                                            \
    HEADER(EXPIRES, "expires", HEADER_LIST)                                                        \
    HEADER(CACHE_CONTROL, "cache-control", HEADER_LIST)                                            \
    HEADER(CONTENT_DISPOSITION, "content-disposition", HEADER_LIST)                                \
    HEADER(X_PAD, "x-pad", HEADER_LIST)                                                            \
    HEADER(X_ACCEL_EXPIRES, "x-accel-expires", HEADER_LIST)                                        \
    HEADER(X_ACCEL_REDIRECT, "x-accel-redirect", HEADER_LIST)                                      \
    HEADER(X_ACCEL_LIMIT_RATE, "x-accel-limit-rate", HEADER_LIST)                                  \
    HEADER(X_ACCEL_BUFFERING, "x-accel-buffering", HEADER_LIST)                                    \
    HEADER(X_ACCEL_CHARSET, "x-accel-charset", HEADER_LIST)

enum header_id {
    HEADER_OTHER,
#define HEADER(id, name, rule) HEADER_##id,
    HEADER_NAMES(HEADER)
#undef HEADER
    HEADER_COUNT,
};

struct header {
    struct str name;       /* as it was sent */
    struct str value;
    uint8_t id;            /* enum header_id */
    bool hidden;           /* of a response: not sent */
};

struct headers {
    ARRAY(struct header) list;         /* in the order of the message */
    uint16_t known[HEADER_COUNT];      /* position + 1 of the first of that id in the list; 0: none */
};

/* The id of a name in any case; HEADER_OTHER if it is none of the list. */
enum header_id header_id(struct str name);
enum header_rule header_rule(enum header_id id);

/* Appends a field; gives it, so that flags can be set.  The second is for who knows its id already. */
struct header *headers_add(struct headers *h, struct arena *a, struct str name, struct str value);
struct header *headers_add_as(struct headers *h, struct arena *a, enum header_id id, struct str name,
                              struct str value);

/* The first of that id, or NULL. */
static inline const struct header *headers_known(const struct headers *h, enum header_id id)
{
    return h->known[id] ? &h->list.items[h->known[id] - 1] : NULL;
}

/* The value of the first of that id; data is NULL if there is none. */
static inline struct str headers_value(const struct headers *h, enum header_id id)
{
    const struct header *f = headers_known(h, id);

    return f ? f->value : (struct str){ NULL, 0 };
}

/* Names of fields that a configuration speaks of. */
struct header_set {
    uint64_t ids;                      /* bits of enum header_id */
    ARRAY(struct str) names;           /* all that were added by name, as they were spelled */
};

_Static_assert(HEADER_COUNT <= 64, "an id is a bit");

/* `name` has to live as long as the set. */
void header_set_add(struct header_set *set, struct arena *a, struct str name);
bool header_set_has(const struct header_set *set, const struct header *f);

/* Whether Connection says that a field of that name is for this hop alone (RFC 9110 section 7.6.1). */
bool headers_nominate(const struct headers *h, struct str name);
/* Whether a field says something of a connection of HTTP/1 by its name: it has no place in HTTP/2 (RFC 9113
 * section 8.2.2). */
bool headers_is_of_http1(enum header_id id);

/*
 * The values of all fields of that name, joined by ", " (RFC 9110 section 5.3); "; " for cookies.
 * `name` may be in a variable's spelling: lower case, "_" for "-".  data NULL: there is none.
 */
struct str headers_joined(const struct headers *h, struct arena *a, struct str name);

#endif
