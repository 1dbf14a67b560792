/*
 * pace: see pace.h.
 */
#include "http/pace.h"

#include "http/core.h"

void pace_begin(struct request *r)
{
    const struct core_conf *conf = core_conf(r->conf);
    size_t size;

    if (r->flags.limit_rate_set)
        return;
    r->flags.limit_rate_set = true;
    if (!template_is_empty(&conf->limit_rate) &&
        parse_size(template_value(&conf->limit_rate, request_script(r)), &size))
        r->limit_rate = size;
    if (!template_is_empty(&conf->limit_rate_after) &&
        parse_size(template_value(&conf->limit_rate_after, request_script(r)), &size))
        r->limit_rate_after = size;
}

size_t pace_allowance(const struct request *r, size_t most, uint64_t *resume_ms)
{
    *resume_ms = 0;
    if (r->limit_rate == 0)
        return most;
    uint64_t body = r->sent > r->head_bytes ? r->sent - r->head_bytes : 0;
    uint64_t earned = r->limit_rate_after + pace_earned(r->limit_rate, r->start_ms);
    if (body >= earned) {
        *resume_ms = clock_ms() + (body - earned) * 1000 / r->limit_rate + PACE_PAUSE_MS;
        return 0;
    }
    return earned - body < most ? (size_t)(earned - body) : most;
}
