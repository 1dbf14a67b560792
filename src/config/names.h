/*
 * names: host names in a configuration.  The master asks for their addresses, each once, and the
 * answers travel to the workers in the bundle: a worker that takes up a configuration waits for
 * nobody, and has the addresses that the others have.
 */
#ifndef CONFIG_NAMES_H
#define CONFIG_NAMES_H

#include "base/syslog.h"
#include "net/address.h"

struct setting;

struct names_found {
    struct address *items;             /* each with the port that was asked for */
    unsigned count;
    struct str problem;                /* why there are none */
};

/* All addresses of a host, until the tree has been resolved.  false: found->problem. */
bool names_find(struct setting *s, struct str host, unsigned port, struct names_found *found);
/* The first of them, for syslog_parse(). */
struct syslog_names names_for_syslog(struct setting *s);

#endif
