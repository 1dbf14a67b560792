/*
 * clock: the time as the loop last read it.  One reading serves a whole turn; the texts of the
 * current second are made once per second, by hand, so that no locale gets into a header.
 *
 * Not for use by more than one thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <time.h>

#include "base/out.h"

struct clock {
    uint64_t ms;           /* monotonic milliseconds, from an arbitrary start; never 0 once read */
    time_t seconds;        /* the calendar's, since 1970 */
    unsigned msec;         /* and its milliseconds */
};

/* Read through the functions below; written by clock_update() alone (and by tests). */
extern struct clock clock_cached;

/* Reads the system's clocks (no system call where there is a vDSO); texts are made anew when the
 * second has changed. */
void clock_update(void);
/* The same, but leaves the cached time alone until `ms` milliseconds have gone by. */
void clock_update_every(unsigned ms);

static inline uint64_t clock_ms(void)
{
    return clock_cached.ms;
}

static inline time_t clock_seconds(void)
{
    return clock_cached.seconds;
}

static inline unsigned clock_msec(void)
{
    return clock_cached.msec;
}

/* Texts of the current second; valid until the next clock_update(). */
struct str clock_http_date(void);   /* Sun, 06 Nov 1994 08:49:37 GMT, RFC 9110 section 5.6.7 */
struct str clock_log_time(void);    /* 1994/11/06 08:49:37, local, of the error log */
struct str clock_local(void);       /* 06/Nov/1994:08:49:37 +0000, $time_local */
struct str clock_iso8601(void);     /* 1994-11-06T08:49:37+00:00, $time_iso8601 */
struct str clock_syslog(void);      /* Nov  6 08:49:37, local, RFC 3164 */

enum { HTTP_DATE_LEN = 29 };
/* Appends any time as an IMF-fixdate; what lies outside the years 1970 to 9999 is drawn to their
 * nearer end. */
void clock_put_http_date(struct out *o, time_t when);
/* Wdy, DD-Mon-YY HH:MM:SS GMT, as the first cookies had it; four digits of years that need them. */
void clock_put_cookie_date(struct out *o, time_t when);
/* All three forms of RFC 9110 section 5.6.7, strictly, in their case; -1 for what is not a
 * date.  That the name of the day fits is not asked; times before 1970 count as 0. */
time_t clock_parse_http_date(struct str s);

#endif
