/*
 * access: see access.h.
 */
#include "http/modules/access.h"

#include "config/access_rules.h"
#include "http/core.h"
#include "http/request.h"

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION | IN_LIMIT_EXCEPT)

struct access_conf {
    struct access_rules rules;
};

static const struct directive rows[] = {
    { "allow", PLACES, ARGS(1), &type_access_rule, FIELD(struct access_conf, rules),
      .flags = REPEATS, .data = &access_allow, .syntax = "address | CIDR | unix: | all",
      .help = "Let clients of an address or network in. The first line that fits decides." },
    { "deny", PLACES, ARGS(1), &type_access_rule, FIELD(struct access_conf, rules),
      .flags = REPEATS, .data = &access_deny, .syntax = "address | CIDR | unix: | all",
      .help = "Keep clients of an address or network out. The first line that fits decides." },
    { 0 },
};

struct module http_access_module = {
    .name = "ngx_http_access_module",
    .directives = rows,
    .conf_size = sizeof(struct access_conf),
};

static const struct access_conf *conf_of(void *const *conf)
{
    return CONF(conf, http_access_module);
}

static bool enabled(void *const *conf)
{
    return conf_of(conf)->rules.rules.count > 0;
}

static int run(struct request *r)
{
    switch (access_rules_check(&conf_of(r->conf)->rules, &r->peer)) {
    case ACCESS_UNDECIDED:
        return STEP_NEXT;
    case ACCESS_ALLOWED:
        return STEP_GRANTED;
    case ACCESS_DENIED:
        break;
    }
    if (core_conf(r->conf)->satisfy == SATISFY_ALL)
        request_log(r, LOG_LEVEL_ERROR, 0, "access forbidden by rule");
    return STATUS_FORBIDDEN;
}

const struct http_step access_step = { "access", PHASE_ACCESS, enabled, run };
