/*
 * fuzz_dns: replies of name servers.  The first byte chooses the type that is asked for; what follows is
 * the message.  What comes out is within its bounds, and every name of it can be asked for.
 */
#include <assert.h>
#include <stdint.h>

#include "net/dns.h"

static void check_name(const struct dns_name *n)
{
    char text[4 * DNS_NAME_MAX];
    struct out o = out_fixed(text, sizeof text);
    struct cursor c = cursor_of(n->wire, n->len);
    unsigned len;

    dns_name_put(&o, n);
    assert(!o.overflow);
    while ((len = cursor_u8(&c)) > 0)
        cursor_take(&c, len);
    assert(!c.bad && cursor_left(&c) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_SRV, DNS_PTR };
    struct arena arena;
    struct dns_name name;
    struct dns_reply reply;

    if (size < 3 || !dns_name_parse(&name, STR("a.b")))
        return 0;
    enum dns_type type = types[data[0] % 4];
    struct str message = { (const char *)data + 1, size - 1 };
    uint16_t id = (uint16_t)(data[1] << 8 | data[2]);

    arena_init(&arena);
    if (dns_read_reply(message, id, &name, type, &arena, &reply) == DNS_REPLY) {
        assert(reply.count <= DNS_MAX_RECORDS);
        if (reply.alias.len)
            check_name(&reply.alias);
        for (unsigned i = 0; i < reply.count; i++) {
            assert(reply.records[i].type == type);
            if (reply.records[i].target)
                check_name(reply.records[i].target);
        }
    }
    arena_fini(&arena);
    return 0;
}
