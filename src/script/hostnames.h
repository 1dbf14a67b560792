/*
 * hostnames: what a name stands for, of exact names and of wildcards at either end: "example.com",
 * "*.example.com", ".example.com" (both of them) and "mail.*".  Case does not matter.  A look-up reads
 * the name at most three times, however many dots a peer puts into it, and allocates nothing.
 */
#ifndef SCRIPT_HOSTNAMES_H
#define SCRIPT_HOSTNAMES_H

#include "script/table.h"

enum hostnames_added {
    HOSTNAMES_ADDED,
    HOSTNAMES_CONFLICT,    /* the same is there already */
    HOSTNAMES_INVALID,     /* a "*" in another place, "..", NUL */
};

struct hostnames {
    struct table exact;
    struct table heads;    /* of "*.example.com": "example.com", hashed from its end */
    struct table tails;    /* of "mail.*": "mail" */
    size_t longest_head, longest_tail;
};

/* Everything lives in `a`. */
void hostnames_init(struct hostnames *h, struct arena *a);
/* Without `wildcards` the name is taken as it stands.  `value` must not be NULL; `name` is copied. */
enum hostnames_added hostnames_add(struct hostnames *h, struct str name, bool wildcards, void *value);
/* The exact name, or else the longest "*.name", or else the longest "name.*"; NULL: none. */
void *hostnames_find(const struct hostnames *h, struct str name);

#endif
