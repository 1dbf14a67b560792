/*
 * proxy_protocol: see proxy_protocol.h.
 */
#include "net/proxy_protocol.h"

#include <stdlib.h>

#include "base/cursor.h"

static const struct str signature = STR_INIT("\r\n\r\n\0\r\nQUIT\n");

enum {
    HEAD_SIZE = 16,            /* of version 2: signature, command, family, length */
    LOCAL = 0x20,
    PROXY = 0x21,
    TCP4 = 0x11,
    TCP6 = 0x21,
    TLV_SSL = 0x20,
    SSL_HEAD_SIZE = 5,         /* flags of the client, result of the verification */
};

/* ---- version 1 ---- */

static bool parse_text_address(struct str ip, struct str port, int family, struct peer *p)
{
    struct address a;
    unsigned number;

    if (!str_to_uint(port, 65535, &number) || !address_parse_ip(ip, number, &a) ||
        a.any.sa_family != family || ip.data[0] == '[')
        return false;
    *p = peer_of(&a);
    return true;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 1234 80" or "PROXY UNKNOWN ...", without its line end. */
static bool parse_line(struct str line, struct proxy_header *h)
{
    struct str rest = line;

    str_split(&rest, ' ');                         /* "PROXY", that is known */
    struct str protocol = str_split(&rest, ' ');
    if (str_eq(protocol, STR("UNKNOWN")))
        return true;
    int family = str_eq(protocol, STR("TCP4")) ? AF_INET
                 : str_eq(protocol, STR("TCP6")) ? AF_INET6 : AF_UNSPEC;
    if (family == AF_UNSPEC || !rest.data)
        return false;
    struct str source = str_split(&rest, ' ');
    struct str destination = rest.data ? str_split(&rest, ' ') : rest;
    struct str port = rest.data ? str_split(&rest, ' ') : rest;
    h->proxied = true;
    return rest.data && parse_text_address(source, port, family, &h->source) &&
           parse_text_address(destination, rest, family, &h->destination);
}

static enum proxy_result parse_text(struct str in, struct proxy_header *h, size_t *used)
{
    struct str text = in.len > PROXY_LINE_MAX ? str_first(in, PROXY_LINE_MAX) : in;
    ptrdiff_t end = str_find(text, STR("\r\n"));

    if (end < 0)
        return in.len < PROXY_LINE_MAX ? PROXY_MORE : PROXY_BAD;
    *used = (size_t)end + 2;
    return parse_line(str_first(text, (size_t)end), h) ? PROXY_OK : PROXY_BAD;
}

/* ---- version 2 ---- */

/* IP of source and destination, then their ports. */
static void read_addresses(struct cursor *c, int family, struct proxy_header *h)
{
    size_t len = family == AF_INET ? 4 : 16;
    const unsigned char *source = cursor_take(c, len), *destination = cursor_take(c, len);

    h->source.family = h->destination.family = (uint16_t)family;
    h->source.port = cursor_u16(c);
    h->destination.port = cursor_u16(c);
    if (!c->bad) {
        memcpy(h->source.ip, source, len);
        memcpy(h->destination.ip, destination, len);
    }
}

static enum proxy_result parse_binary(struct str in, struct proxy_header *h, size_t *used)
{
    struct cursor head = cursor_of(in.data, in.len);

    if (in.len < HEAD_SIZE)
        return PROXY_MORE;
    cursor_take(&head, signature.len);
    unsigned command = cursor_u8(&head), family = cursor_u8(&head), len = cursor_u16(&head);
    if (command != LOCAL && command != PROXY)
        return PROXY_BAD;
    if (cursor_left(&head) < len)
        return PROXY_MORE;
    *used = HEAD_SIZE + len;
    if (command == LOCAL || (family != TCP4 && family != TCP6))
        return PROXY_OK;                           /* of a family that says nothing here */
    struct cursor body = cursor_of(head.at, len);
    h->proxied = true;
    read_addresses(&body, family == TCP4 ? AF_INET : AF_INET6, h);
    h->tlvs = cursor_str(&body, cursor_left(&body));
    return body.bad ? PROXY_BAD : PROXY_OK;
}

enum proxy_result proxy_protocol_parse(struct str in, struct proxy_header *h, size_t *used)
{
    const struct str text = STR("PROXY ");

    *h = (struct proxy_header){ 0 };
    if (str_starts(in, text))
        return parse_text(in, h, used);
    if (str_starts(in, signature))
        return parse_binary(in, h, used);
    return str_starts(text, in) || str_starts(signature, in) ? PROXY_MORE : PROXY_BAD;
}

void proxy_protocol_put(struct out *o, const struct peer *source, const struct peer *destination)
{
    if (source->family != destination->family || source->family == AF_UNIX) {
        OUT_LITERAL(o, "PROXY UNKNOWN\r\n");
        return;
    }
    out_str(o, source->family == AF_INET6 ? STR("PROXY TCP6 ") : STR("PROXY TCP4 "));
    peer_put_ip(o, source);
    out_char(o, ' ');
    peer_put_ip(o, destination);
    out_printf(o, " %u %u\r\n", source->port, destination->port);
}

struct proxy_protocol *proxy_protocol_new(const struct proxy_header *h)
{
    struct proxy_protocol *p = malloc(sizeof *p + h->tlvs.len);

    if (!p)
        return NULL;
    p->source = h->source;
    p->destination = h->destination;
    p->tlvs_len = h->tlvs.len;
    if (h->tlvs.len)
        memcpy(p->tlvs, h->tlvs.data, h->tlvs.len);
    return p;
}

/* ---- TLVs ---- */

/* The value of the first of a type; data NULL: none. */
static struct str find_tlv(struct str tlvs, unsigned type)
{
    struct cursor c = cursor_of(tlvs.data, tlvs.len);

    while (cursor_left(&c) > 0) {
        unsigned found = cursor_u8(&c);
        struct str value = cursor_str(&c, cursor_u16(&c));
        if (c.bad)
            break;
        if (found == type)
            return value;
    }
    return (struct str){ NULL, 0 };
}

static const struct tlv_name {
    struct str name;
    unsigned type;
} names[] = {
    { STR_INIT("alpn"), 0x01 },  { STR_INIT("authority"), 0x02 }, { STR_INIT("unique_id"), 0x05 },
    { STR_INIT("ssl"), TLV_SSL }, { STR_INIT("netns"), 0x30 },    { { NULL, 0 }, 0 },
}, ssl_names[] = {
    { STR_INIT("version"), 0x21 }, { STR_INIT("cn"), 0x22 },      { STR_INIT("cipher"), 0x23 },
    { STR_INIT("sig_alg"), 0x24 }, { STR_INIT("key_alg"), 0x25 }, { { NULL, 0 }, 0 },
};

/* The type that a name of the list, or a "0x1f", stands for; false: none. */
static bool type_of(struct str name, const struct tlv_name *list, unsigned *type)
{
    for (; list->name.data; list++) {
        if (str_eq(list->name, name)) {
            *type = list->type;
            return true;
        }
    }
    *type = 0;
    for (size_t i = 2; i < name.len && *type <= UINT8_MAX; i++) {
        int digit = char_hex(name.data[i]);
        if (digit < 0)
            return false;
        *type = *type << 4 | (unsigned)digit;
    }
    return str_starts(name, STR("0x")) && name.len > 2 && *type <= UINT8_MAX;
}

struct str proxy_protocol_tlv(const struct proxy_protocol *p, struct str name, struct out *number)
{
    const struct str none = { NULL, 0 };
    struct str tlvs = { p->tlvs, p->tlvs_len };
    unsigned type;

    if (!str_starts(name, STR("ssl_")))
        return type_of(name, names, &type) ? find_tlv(tlvs, type) : none;
    struct str ssl = find_tlv(tlvs, TLV_SSL), inner = str_from(name, 4);
    if (ssl.len < SSL_HEAD_SIZE)
        return none;
    if (str_eq(inner, STR("verify"))) {
        struct cursor c = cursor_of(ssl.data + 1, 4);
        out_uint(number, cursor_u32(&c));
        return out_str_of(number);
    }
    return type_of(inner, ssl_names, &type) ? find_tlv(str_from(ssl, SSL_HEAD_SIZE), type) : none;
}
