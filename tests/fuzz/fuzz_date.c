/*
 * fuzz_date: dates of HTTP.  What is taken for a date, written as an IMF-fixdate, reads as the same
 * time; what is not leaves no trace.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char space[HTTP_DATE_LEN];
    struct out o = out_fixed(space, sizeof space);

    clock_cached.seconds = 1795251600;   /* 21 November 2026: years of two digits depend on it */
    time_t when = clock_parse_http_date((struct str){ (const char *)data, size });
    if (when == -1)
        return 0;
    if (when < 0 || size < 24 || size > 33)   /* asctime's form, and a Wednesday's of RFC 850 */
        abort();
    clock_put_http_date(&o, when);
    if (o.overflow || out_len(&o) != HTTP_DATE_LEN)
        abort();
    /* A leap second at the end of the last year is all that has no date of its own. */
    if (clock_parse_http_date(out_str_of(&o)) != when && when != INT64_C(253402300800))
        abort();
    return 0;
}
