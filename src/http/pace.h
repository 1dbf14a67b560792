/*
 * pace: limit_rate, for every wire: how many bytes of a body may go out now.
 */
#ifndef HTTP_PACE_H
#define HTTP_PACE_H

#include "http/request.h"

enum { PACE_PAUSE_MS = 100 };          /* at least: not a call for every few bytes */

/* Bytes that `rate` bytes a second have earned since start_ms: it begins with a second's worth. */
static inline uint64_t pace_earned(uint64_t rate, uint64_t start_ms)
{
    uint64_t ms = clock_ms() - start_ms + 1000;

    return rate / 1000 * ms + rate % 1000 * ms / 1000;
}

/* The values of limit_rate and limit_rate_after for this response, unless something set them before. */
void pace_begin(struct request *r);
/* At most `most`; 0: none, and *resume_ms (of clock_ms()) says when. */
size_t pace_allowance(const struct request *r, size_t most, uint64_t *resume_ms);

#endif
