/*
 * exchange_log: what the error log is told of an exchange.
 */
#ifndef HTTP_PROXY_EXCHANGE_LOG_H
#define HTTP_PROXY_EXCHANGE_LOG_H

#include "http/proxy/exchange.h"

/* As request_log(), and " while " doing what. */
void exchange_log(struct exchange *x, enum log_level level, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* " while reading upstream", for lines of exchange_log(). */
void exchange_put_doing(const struct exchange *x, struct out *o);
/* ", upstream: "http://127.0.0.1:8080/uri"", for every line of the request; nothing before a peer
 * is known. */
void exchange_put_upstream(struct exchange *x, struct out *o);

#endif
