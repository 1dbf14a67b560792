/*
 * phases: the life of a request, top to bottom, as one table (phases.c).
 */
#ifndef HTTP_PHASES_H
#define HTTP_PHASES_H

#include <stdbool.h>
#include <stdint.h>

struct request;

/* What a step says; anything above 0 is an HTTP status that finishes the request (its error page). */
enum step_result {
    STEP_NEXT = 0,         /* on to the next step */
    STEP_WAIT = -1,        /* the same step is called again after request_wake() */
    STEP_RESPOND = -2,     /* r->response is ready to go */
    STEP_AGAIN = -3,       /* r->step was set: walk on from there (internal redirects) */
    STEP_GRANTED = -5,     /* of an access step: `satisfy any` need not ask the others */
    STEP_ABORT = -4,       /* close the connection without an answer (444, a client that has gone) */
};

/* What a step is for, in the order in which they run. */
enum phase {
    PHASE_POST_READ,       /* before anything is chosen: realip */
    PHASE_SERVER_REWRITE,
    PHASE_FIND_LOCATION,
    PHASE_REWRITE,
    PHASE_PREACCESS,       /* limits */
    PHASE_ACCESS,          /* who may: joined by `satisfy` */
    PHASE_PRECONTENT,      /* try_files, mirror */
    PHASE_CONTENT,
};

struct http_step {
    const char *name;
    enum phase phase;
    /* Asked once per location when its configuration is resolved; NULL: always on. */
    bool (*enabled)(void *const *conf);
    int (*run)(struct request *r);
};

/* The steps that a location's requests walk, as bits of the table. */
uint64_t phases_enabled(void *const *conf);
/* Walks the table from r->step on: STEP_WAIT, STEP_RESPOND, STEP_ABORT or a status. */
int phases_run(struct request *r);
/* Sets r->step to the first step of a phase. */
void phases_restart(struct request *r, enum phase phase);

#endif
