/*
 * phases: the life of a request, top to bottom.  This table is the one place where the order is
 * written; a step that is off in a location is never visited there.
 */
#include "http/phases.h"

#include "http/core.h"
#include "http/request.h"
#include "http/trace.h"
#include "http/modules/access.h"
#include "http/modules/auth_basic.h"
#include "http/modules/auth_request.h"
#include "http/modules/autoindex.h"
#include "http/modules/gzip_static.h"
#include "http/modules/index.h"
#include "http/modules/mirror.h"
#include "http/modules/realip.h"
#include "http/modules/limit_req.h"
#include "http/modules/limit_conn.h"
#include "http/modules/random_index.h"
#include "http/modules/rewrite/rewrite.h"
#include "http/modules/ssl/ssl.h"
#include "http/modules/static.h"
#include "http/modules/try_files.h"
#include "modules_enabled.h"

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
    if (r->method == METHOD_CONNECT && !r->location->connects)
        return STATUS_NOT_ALLOWED;
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

/* auth_delay: a refusal for want of credentials comes late, so that guessing takes long. */
static int hold_back(struct request *r, int status)
{
    uint64_t delay = core_conf(r->conf)->auth_delay;

    if (status != STATUS_UNAUTHORIZED || delay == 0 || r->parent || r->trace)
        return status;
    if (r->held_ms == 0) {
        r->held_ms = clock_ms() + delay;
        request_wait_ms(r, delay);
        return STEP_WAIT;
    }
    if (clock_ms() < r->held_ms)
        return request_wait(r);
    r->held_ms = 0;
    r->timed_out = false;
    return status;
}

/* None of the access steps let the request pass, and `satisfy any` wanted one. */
static int refuse_unsatisfied(struct request *r)
{
    if (r->access_status == STATUS_FORBIDDEN)
        request_log(r, LOG_LEVEL_ERROR, 0, "access forbidden by rule");
    return r->access_status ? hold_back(r, (int)r->access_status) : STEP_NEXT;
}

static bool satisfies_any(void *const *conf)
{
    return core_conf(conf)->satisfy == SATISFY_ANY;
}

static const struct http_step satisfy_step = {
    "satisfy", PHASE_PRECONTENT, satisfies_any, refuse_unsatisfied,
};

static const struct http_step *const steps[] = {
    IF_MODULE_ssl(&ssl_step,)
    IF_MODULE_realip(&realip_step,)
    IF_MODULE_rewrite(&rewrite_server_step,)
    &find_location_step,
    &internal_step,
    IF_MODULE_rewrite(&rewrite_location_step,)
    IF_MODULE_realip(&realip_location_step,)
    IF_MODULE_limit_conn(&limit_conn_step,)
    IF_MODULE_limit_req(&limit_req_step,)
    IF_MODULE_access(&access_step,)
    IF_MODULE_auth_basic(&auth_basic_step,)
    IF_MODULE_auth_request(&auth_request_step,)
    &satisfy_step,
    &try_files_step,
    IF_MODULE_mirror(&mirror_step,)
    &handler_step,
    IF_MODULE_random_index(&random_index_step,)
    &index_step,
    IF_MODULE_autoindex(&autoindex_step,)
    IF_MODULE_gzip_static(&gzip_static_step,)
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

/* On to behind the access steps: one of them was enough. */
static int grant(struct request *r)
{
    r->access_status = 0;
    for (unsigned i = 0; i < r->response.headers.list.count; i++) {
        struct header *f = &r->response.headers.list.items[i];
        f->hidden = f->hidden || str_eq_nocase(f->name, STR("WWW-Authenticate")) ||
                    str_eq_nocase(f->name, STR("Proxy-Authenticate"));
    }
    phases_restart(r, PHASE_PRECONTENT);
    return STEP_AGAIN;
}

static int run_step(struct request *r, const struct http_step *step)
{
    return r->trace ? r->trace->step(r, step) : step->run(r);
}

/* What an access step's answer means: `satisfy` joins them.  Subrequests are not asked. */
static int run_access_step(struct request *r, const struct http_step *step)
{
    bool any = core_conf(r->conf)->satisfy == SATISFY_ANY;

    if (r->held_ms)                            /* the step has spoken */
        return hold_back(r, STATUS_UNAUTHORIZED);
    int result = r->parent ? STEP_NEXT : run_step(r, step);
    if (result == STEP_GRANTED)
        return any ? grant(r) : STEP_NEXT;
    if (any && (result == STATUS_FORBIDDEN || result == STATUS_UNAUTHORIZED)) {
        if (r->access_status != STATUS_UNAUTHORIZED)
            r->access_status = (unsigned)result;
        return STEP_NEXT;
    }
    return hold_back(r, result);
}

int phases_run(struct request *r)
{
    while (r->step < STEPS) {
        const struct http_step *step = steps[r->step];
        if (!(r->steps >> r->step & 1)) {
            r->step++;
            continue;
        }
        int result = step->phase == PHASE_ACCESS ? run_access_step(r, step) : run_step(r, step);
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
