/*
 * health: active checks: every so often the servers of a group are asked whether they are well, by
 * one worker for all of them; the answers are in the group's zone.  What is asked, and which
 * answers are good, is behind struct health_kind: nothing here knows http.
 */
#ifndef UPSTREAM_HEALTH_H
#define UPSTREAM_HEALTH_H

#include "event/timer.h"
#include "upstream/link.h"
#include "upstream/upstream.h"

struct health_check;

enum health_verdict {
    HEALTH_MORE,           /* it can't be said so far */
    HEALTH_GOOD,
    HEALTH_BAD,
};

/* Of an answer: why it is bad; and whether the connection may serve the next probe, nothing
 * being left. */
struct health_note {
    const char *why;
    bool reusable;
    const struct upstream_peer *peer;  /* whose answer it is: given by who asks */
};

struct health_kind {
    /* Appends what is to be sent.  NULL: that there is a connection is all that is wanted. */
    void (*build)(const struct health_check *c, const struct upstream_peer *peer, struct out *o);
    /* Judges all that has come so far; `end`: no more will. */
    enum health_verdict (*judge)(const struct health_check *c, struct str in, bool end,
                                 struct health_note *note);
};

extern const struct health_kind health_tcp;

/* One line `health_check`. */
struct health_check {
    const struct health_kind *kind;
    const void *conf;                  /* the kind's own */
    struct upstream *group;
    uint64_t interval, jitter;         /* ms */
    uint64_t keepalive_time;           /* ms that a connection serves; 0: a single probe */
    uint64_t connect_timeout, send_timeout, read_timeout;      /* ms */
    unsigned fails, passes;
    unsigned port;                     /* 0: that of the server */
    bool mandatory, persistent;
    const struct tls_peer *tls;        /* NULL: in clear */
    bool bound;                        /* connections come from `local` */
    struct address local;
    struct str name;                   /* in logs: of the block match, or empty */
    /* health.c's: */
    unsigned number;                   /* among those of the group */
    struct timer timer;
    struct list running;               /* among those of the process */
    struct list probes;
};

enum { HEALTH_ANSWER_MAX = 320 * 1024 };       /* bytes of an answer that are looked at */

/*
 * Has the group's servers checked from the time on when the generation is used in a worker.  The
 * check lives as long as the generation.  false after setting_error(): the group has no zone, or
 * too many checks.
 */
bool health_add(struct setting *s, struct health_check *c);
/* For an engine's finish(): where a generation comes into use, the checks of those before end,
 * whether or not it has any itself. */
void health_begin(struct generation *g);

/* PEER_UNHEALTHY and PEER_UNCHECKED as the state's `failing` and `unchecked` say. */
void health_set_bars(struct upstream_peer_state *state);

/* ---- for health.c and tests ---- */

/* With the lock held: what a probe of check `c` found.  true: the peer's health has changed by
 * it. */
bool health_count(const struct health_check *c, struct upstream_peer_state *state, bool good);

#endif
