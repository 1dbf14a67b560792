/*
 * pace: limit_rate, for every wire: how many bytes of a body may go out now.
 */
#ifndef HTTP_PACE_H
#define HTTP_PACE_H

#include "http/request.h"

/* The values of limit_rate and limit_rate_after for this response, unless something set them before. */
void pace_begin(struct request *r);
/* At most `most`; 0: none, and *resume_ms (of clock_ms()) says when. */
size_t pace_allowance(const struct request *r, size_t most, uint64_t *resume_ms);

#endif
