/*
 * fuzz_range: the value of Range.  The first byte is the body's length, the second the most ranges
 * allowed.  Ranges that are accepted lie inside the body, and all together are no longer than it.
 */
#include <assert.h>
#include <stdint.h>

#include "http/modules/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct ranges ranges;

    if (size < 2)
        return 0;
    int64_t length = data[0], total = 0;
    unsigned max = data[1];
    arena_init(&a);
    struct str value = { (const char *)data + 2, size - 2 };
    if (range_parse(value, length, max, &a, &ranges) == RANGE_OK) {
        assert(ranges.list.count > 0 && ranges.list.count <= max);
        for (unsigned i = 0; i < ranges.list.count; i++) {
            const struct range *range = &ranges.list.items[i];
            assert(range->first >= 0 && range->first < range->end && range->end <= length);
            total += range->end - range->first;
        }
        assert(total <= length);
    }
    arena_fini(&a);
    return 0;
}
