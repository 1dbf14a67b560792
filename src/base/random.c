/*
 * random: see random.h.
 */
#include "base/random.h"

#include <string.h>

#include "base/os.h"

static unsigned char block[256];
static size_t left;

void random_after_fork(void)
{
    left = 0;
}

void random_bytes(void *space, size_t size)
{
    unsigned char *to = space;

    while (size > 0) {
        if (left == 0) {
            os_entropy(block, sizeof block);
            left = sizeof block;
        }
        size_t n = size < left ? size : left;
        memcpy(to, block + sizeof block - left, n);
        memset(block + sizeof block - left, 0, n);     /* what was given out can't be given again */
        left -= n;
        to += n;
        size -= n;
    }
}

uint32_t random_below(uint32_t limit)
{
    uint64_t n;

    random_bytes(&n, sizeof n);
    return (uint32_t)(n % limit);
}
