/*
 * fuzz_health: answers to health checks.  The first byte chooses whether the connection is kept and has
 * ended, and whether HTTP/2 is spoken; what follows is the answer.  What was good or bad of its beginning stays so when more comes.
 */
#include <assert.h>
#include <stdint.h>

#include "http/proxy/health_check.h"
#include "http/proxy/health_http2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_probe probe = { .uri = STR_INIT("/"), .match = &health_match_usual };

    if (size == 0)
        return 0;
    struct health_check c = { .conf = &probe, .keepalive_time = data[0] & 1 };
    struct str answer = { (const char *)data + 1, size - 1 };
    struct health_note note = { 0 };
    const struct health_kind *kind = data[0] & 4 ? &health_http2 : &health_http;
    enum health_verdict whole = kind->judge(&c, answer, data[0] & 2, &note);

    assert(whole != HEALTH_BAD || note.why);
    note = (struct health_note){ 0 };
    enum health_verdict half = kind->judge(&c, str_first(answer, answer.len / 2), false, &note);
    if (half != HEALTH_MORE)
        assert(whole == half || (whole == HEALTH_BAD && answer.len > 65536));
    return 0;
}
