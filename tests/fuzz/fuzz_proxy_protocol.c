/*
 * fuzz_proxy_protocol: PROXY headers of both versions, and the TLVs of the second.  A header is the
 * same whatever follows it, and no beginning of it is taken for a bad one.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "net/proxy_protocol.h"

static void look_at_tlvs(const struct proxy_header *h)
{
    static const struct str names[] = {
        STR_INIT("alpn"), STR_INIT("ssl"), STR_INIT("0x02"), STR_INIT("ssl_verify"),
        STR_INIT("ssl_cn"), STR_INIT("ssl_0x25"), STR_INIT("nothing"),
    };
    struct proxy_protocol *p = proxy_protocol_new(h);

    for (unsigned i = 0; p && i < sizeof names / sizeof names[0]; i++) {
        char space[16];
        struct out number = out_fixed(space, sizeof space);
        struct str value = proxy_protocol_tlv(p, names[i], &number);
        assert(!number.overflow && (value.data || value.len == 0));
        assert(value.len <= h->tlvs.len || value.data == space);
    }
    free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = { (const char *)data, size };
    struct proxy_header h, shorter;
    size_t used, less;

    if (proxy_protocol_parse(in, &h, &used) != PROXY_OK)
        return 0;
    assert(used > 0 && used <= size);
    assert(proxy_protocol_parse(str_first(in, used), &shorter, &less) == PROXY_OK && less == used);
    for (size_t n = 0; n < used; n += 1 + n / 64)
        assert(proxy_protocol_parse(str_first(in, n), &shorter, &less) == PROXY_MORE);
    if (h.proxied)
        look_at_tlvs(&h);
    return 0;
}
