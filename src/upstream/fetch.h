/*
 * fetch: one small question to a server by name, and its answer, while the loop goes on with all else.
 * What is said, and when an answer is whole, is behind struct fetch_kind: nothing here knows http.
 */
#ifndef UPSTREAM_FETCH_H
#define UPSTREAM_FETCH_H

#include "base/out.h"
#include "net/resolver.h"

struct fetch;

enum fetch_state { FETCH_WAIT, FETCH_DONE, FETCH_FAILED };

enum { FETCH_ANSWER_MAX = 128 * 1024 };        /* bytes of an answer, head and all */

struct fetch_kind {
    /* Judges all that has come so far; `end`: no more will.  FETCH_DONE: what was wanted is in
     * `content`; FETCH_FAILED: *why is a static text. */
    enum fetch_state (*judge)(struct str in, bool end, struct out *content, const char **why);
};

struct fetch_conf {
    const struct fetch_kind *kind;
    struct str host;                   /* a name, or an address */
    unsigned port;
    struct resolver *resolver;
    uint64_t resolve_timeout;          /* ms, of the name */
    uint64_t timeout;                  /* ms, of all together */
    bool background;                   /* nobody waits: it is given up when the process ends */
};

/* Begins to ask; request and conf are needed for this call alone, but for conf->kind.  wake(owner) is
 * called from the loop, once, when it is over; never so in this call, after which it may be over, too.
 * NULL: memory is short. */
struct fetch *fetch_start(const struct fetch_conf *conf, struct str request, void (*wake)(void *owner),
                          void *owner);
enum fetch_state fetch_state(const struct fetch *f);
/* Of FETCH_DONE; valid until fetch_end(). */
struct str fetch_content(const struct fetch *f);
/* Of FETCH_FAILED: "connect() failed (111: Connection refused)". */
void fetch_put_trouble(const struct fetch *f, struct out *o);
/* At any time; may be NULL. */
void fetch_end(struct fetch *f);

#endif
