/*
 * phases: the life of a request, top to bottom.  This table is the one place where the order is
 * written; a step that is off in a location is never visited there.
 */
#include "http/phases.h"

#include "http/core.h"
#include "http/request.h"
#include "http/modules/autoindex.h"
#include "http/modules/index.h"
#include "http/modules/rewrite.h"
#include "http/modules/static.h"
#include "http/modules/try_files.h"

static int check_internal(struct request *r)
{
    return r->location && r->location->internal && !r->flags.internal ? STATUS_NOT_FOUND : STEP_NEXT;
}

static bool is_internal(void *const *conf)
{
    return core_conf(conf)->internal;
}

/* A location that a module has given its own handler (proxy_pass and its like). */
static int run_handler(struct request *r)
{
    return r->location->handler ? r->location->handler(r) : STEP_NEXT;
}

static const struct http_step find_location_step = {
    "find_location", PHASE_FIND_LOCATION, NULL, location_find,
};
static const struct http_step internal_step = {
    "internal", PHASE_FIND_LOCATION, is_internal, check_internal,
};
static const struct http_step handler_step = {
    "handler", PHASE_CONTENT, NULL, run_handler,
};

static const struct http_step *const steps[] = {
    &rewrite_server_step,
    &find_location_step,
    &internal_step,
    &rewrite_location_step,
    &try_files_step,
    &handler_step,
    &index_step,
    &autoindex_step,
    &static_step,
};

enum { STEPS = sizeof steps / sizeof steps[0] };

uint64_t phases_enabled(void *const *conf)
{
    uint64_t enabled = 0;

    for (unsigned i = 0; i < STEPS; i++) {
        if (!steps[i]->enabled || steps[i]->enabled(conf))
            enabled |= (uint64_t)1 << i;
    }
    return enabled;
}

int phases_run(struct request *r)
{
    while (r->step < STEPS) {
        if (!(r->steps >> r->step & 1)) {
            r->step++;
            continue;
        }
        int result = steps[r->step]->run(r);
        if (result == STEP_NEXT)
            r->step++;
        else if (result != STEP_AGAIN)
            return result;
    }
    return STATUS_NOT_FOUND;
}

void phases_restart(struct request *r, enum phase phase)
{
    for (r->step = 0; r->step < STEPS && steps[r->step]->phase < phase; r->step++)
        ;
}
