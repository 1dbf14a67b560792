/*
 * dns: messages of the domain name system as bytes and back: RFC 1035; AAAA by RFC 3596, SRV by RFC 2782.
 * Knows no sockets, no time and no cache.  What a name server sends is not to be trusted: it is read by
 * the cursor, jumps of compression go backwards only, and a reply that fits no question is nobody's.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/cursor.h"
#include "base/out.h"

enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5,
    DNS_PTR = 12,
    DNS_AAAA = 28,
    DNS_SRV = 33,
};

/* RFC 1035 section 4.1.1. */
enum dns_code {
    DNS_OK,
    DNS_FORMAT_ERROR,
    DNS_SERVER_FAILURE,
    DNS_NOT_FOUND,
    DNS_NOT_IMPLEMENTED,
    DNS_REFUSED,
};

enum {
    DNS_NAME_MAX = 255,                /* bytes of a name on the wire: RFC 1035 section 3.1 */
    DNS_QUERY_MAX = 12 + DNS_NAME_MAX + 4,
    DNS_MESSAGE_MAX = 65535,
    DNS_MAX_RECORDS = 1000,            /* of a reply; further ones are left out */
};

/* As on the wire, without compression, ASCII letters in lower case. */
struct dns_name {
    uint8_t len;                       /* the root's empty label included; 0: no name */
    unsigned char wire[DNS_NAME_MAX];
};

/* "www.example.com", a dot may end it.  false: it is none (RFC 1035 section 2.3.4 on lengths). */
bool dns_name_parse(struct dns_name *n, struct str text);
/* Without the last dot; bytes that are no part of a host's name as \ddd. */
void dns_name_put(struct out *o, const struct dns_name *n);
bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);
/* "1.0.0.127.in-addr.arpa" and the like, for PTR; `ip` has 16 bytes where `v6`, else 4. */
void dns_name_reverse(struct dns_name *n, const unsigned char *ip, bool v6);

struct dns_record {
    enum dns_type type;
    unsigned char ip[16];              /* of A (4 bytes) and AAAA */
    uint16_t priority, weight, port;   /* of SRV */
    const struct dns_name *target;     /* of SRV and PTR; else NULL */
};

struct dns_reply {
    unsigned code;                     /* enum dns_code, and others that servers send */
    bool truncated;                    /* records are missing: ask by TCP */
    uint32_t ttl;                      /* seconds: the shortest of what was used; RFC 2181 section 8 */
    struct dns_name alias;             /* where the chain of CNAME ends; len 0: there is none */
    struct dns_record *records;        /* of the type asked for, and of the end of that chain */
    unsigned count;
};

/* A question with recursion desired. */
void dns_put_query(struct out *o, uint16_t id, const struct dns_name *name, enum dns_type type);

enum dns_result {
    DNS_REPLY,
    DNS_FOREIGN,                       /* not the reply to this question: another may come */
    DNS_MALFORMED,                     /* it is, but it can't be read */
};

/* Records go to the arena. */
enum dns_result dns_read_reply(struct str message, uint16_t id, const struct dns_name *name,
                               enum dns_type type, struct arena *arena, struct dns_reply *reply);

/* "Host not found", for logs. */
const char *dns_code_text(unsigned code);

#endif
