/*
 * proxy_protocol: the header by which a proxy tells whose connection it passes on: the text of
 * version 1 and the binary form of version 2 with its TLVs (haproxy's proxy-protocol.txt, sections
 * 2.1 and 2.2).
 */
#ifndef NET_PROXY_PROTOCOL_H
#define NET_PROXY_PROTOCOL_H

#include "net/address.h"

enum proxy_result {
    PROXY_OK,
    PROXY_MORE,            /* it may become a header */
    PROXY_BAD,
};

/* A header as it lies in the reader's buffer. */
struct proxy_header {
    bool proxied;          /* false: the proxy's own (LOCAL, UNKNOWN): nothing else is set */
    struct peer source, destination;
    struct str tlvs;       /* of version 2 */
};

/* PROXY_OK: *used bytes of `in` are the header. */
enum proxy_result proxy_protocol_parse(struct str in, struct proxy_header *header, size_t *used);

/* The most that proxy_protocol_put() writes. */
enum { PROXY_LINE_MAX = 107 };
/* A header of version 1; of addresses that are not of one family of IP the line says nothing. */
void proxy_protocol_put(struct out *o, const struct peer *source, const struct peer *destination);

/* What is kept of it with the connection. */
struct proxy_protocol {
    struct peer source, destination;
    size_t tlvs_len;
    char tlvs[];
};

/* To be given to free(); NULL: memory is short. */
struct proxy_protocol *proxy_protocol_new(const struct proxy_header *header);

/*
 * A TLV's value by the name that nginx's variables have for it: "alpn", "authority", "unique_id",
 * "ssl", "netns", "0x" and a number of hexadecimal digits; of those inside "ssl" the names
 * "ssl_version", "ssl_cn", "ssl_cipher", "ssl_sig_alg", "ssl_key_alg", "ssl_0x..".  "ssl_verify" is
 * put into `number` as decimal digits.  data NULL: there is none.
 */
struct str proxy_protocol_tlv(const struct proxy_protocol *p, struct str name, struct out *number);

#endif
