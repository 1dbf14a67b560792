/*
 * resolver_rows: the directives `resolver` and `resolver_timeout`, for http, stream and mail alike.
 */
#ifndef UPSTREAM_RESOLVER_ROWS_H
#define UPSTREAM_RESOLVER_ROWS_H

#include "config/types.h"
#include "net/resolver.h"

struct block;

struct resolver_words {
    struct resolver *engine;           /* NULL: none is given; the machine's counts then */
    struct str text;                   /* as written */
};

struct resolver_rows {
    struct resolver_words resolver;
    uint64_t timeout;                  /* ms */
};

extern const struct type type_resolver;        /* struct resolver_words */

/* The two rows of a module whose struct is a struct resolver_rows. */
#define RESOLVER_ROWS(contexts)                                                                    \
    { "resolver", (contexts), ARGS_RANGE(1, ARGS_ANY), &type_resolver,                             \
      FIELD(struct resolver_rows, resolver),                                                       \
      .syntax = "address ... [valid=time] [ipv4=on|off] [ipv6=on|off] [status_zone=zone]",         \
      .help = "Name servers that names are asked of at run time. Without it those of resolv.conf " \
              "are asked. status_zone= is accepted." },                                            \
    { "resolver_timeout", (contexts), ARGS(1), &type_time, FIELD(struct resolver_rows, timeout),   \
      .initial = "30s", .help = "How long a name may take to be resolved." }

extern struct module http_resolver_module;

/* What counts in an `upstream` block. */
const struct resolver_rows *resolver_rows_of(const struct block *b);
/* The engine that names are asked of: with one more reference.  NULL: no memory. */
struct resolver *resolver_rows_engine(const struct resolver_rows *rows);

#endif
