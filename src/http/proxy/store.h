/*
 * store: proxy_store: a response is written to a file as it passes, and the file gets its name when
 * all of it is there.
 */
#ifndef HTTP_PROXY_STORE_H
#define HTTP_PROXY_STORE_H

#include "http/proxy/exchange.h"

/* Whether responses of this request may be stored. */
bool store_wants(const struct exchange *x);
/* The exchange's response is one that is to be stored: the source that does so; otherwise its
 * own. */
struct source *store_source(struct exchange *x);

extern const struct type type_store;           /* struct store_conf */

#endif
