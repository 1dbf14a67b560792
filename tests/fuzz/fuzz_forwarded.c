/*
 * fuzz_forwarded: any text is followed as a line of X-Forwarded-For, from a peer that is trusted.
 */
#include <stdint.h>
#include <stdlib.h>

#include "script/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str line = { (const char *)data, size };
    struct forwarded f = { .count = 2 };
    struct cidr trusted[2];
    bool stray;

    if (!cidr_parse(STR("10.0.0.0/8"), &trusted[0], &stray) ||
        !cidr_parse(STR("::1"), &trusted[1], &stray))
        abort();
    f.trusted = trusted;
    for (unsigned recursive = 0; recursive < 2; recursive++) {
        struct peer p = { .family = AF_INET, .ip = { 10, 0, 0, 1 } };

        f.recursive = recursive != 0;
        forwarded_follow(&f, line, &p);
        if (p.family != AF_INET && p.family != AF_INET6)
            abort();
    }
    return 0;
}
