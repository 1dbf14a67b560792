/*
 * limit_conn: see limit_conn.h.
 */
#include "http/modules/limit_conn.h"

#include "http/core.h"
#include "http/request.h"
#include "script/conn_count.h"

struct limit_conn_conf {
    struct conn_limits limits;
    unsigned status, log_level;
    bool dry_run;
};

enum outcome { NOT_LIMITED, PASSED, REJECTED, REJECTED_DRY_RUN };

struct limit_state {
    enum outcome outcome;              /* $limit_conn_status */
    struct conn_held held;
};

static const struct name_value levels[] = {
    { "info", LOG_LEVEL_INFO }, { "notice", LOG_LEVEL_NOTICE }, { "warn", LOG_LEVEL_WARN },
    { "error", LOG_LEVEL_ERROR }, { NULL, 0 },
};
static const struct number_range statuses = { 400, 599 };

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "limit_conn_zone", IN_HTTP, ARGS(2), &type_conn_limit_zone, .flags = REPEATS,
      .syntax = "key zone=name:size",
      .help = "A shared zone that counts requests under way for each value of a key, such as "
              "$binary_remote_addr, or $binary_remote_addr_64, which takes all IPv6 addresses of one "
              "/64 network for one client." },
    { "limit_conn", PLACES, ARGS(2), &type_conn_limit, FIELD(struct limit_conn_conf, limits),
      .flags = REPEATS, .syntax = "zone number",
      .help = "The most requests that may be under way for one value of a zone's key." },
    { "limit_conn_status", PLACES, ARGS(1), &type_number, FIELD(struct limit_conn_conf, status),
      .initial = "503", .data = &statuses, .help = "The status of refused requests." },
    { "limit_conn_log_level", PLACES, ARGS(1), &type_enum,
      FIELD(struct limit_conn_conf, log_level), .initial = "error", .data = levels,
      .help = "The level at which refusals are logged." },
    { "limit_conn_dry_run", PLACES, ARGS(1), &type_flag, FIELD(struct limit_conn_conf, dry_run),
      .initial = "off", .help = "Count and log, but let every request pass." },
    { 0 },
};

static bool get_status(struct script *s, const struct variable *var, struct value *v)
{
    static const struct str names[] = {
        [PASSED] = STR_INIT("PASSED"), [REJECTED] = STR_INIT("REJECTED"),
        [REJECTED_DRY_RUN] = STR_INIT("REJECTED_DRY_RUN"),
    };
    const struct request *r = s->object;
    const struct limit_state *x = r->main->limit_conn;

    (void)var;
    v->state = x && x->outcome != NOT_LIMITED ? VALUE_FOUND : VALUE_NOT_FOUND;
    if (v->state == VALUE_FOUND) {
        v->data = names[x->outcome].data;
        v->len = (uint32_t)names[x->outcome].len;
    }
    return true;
}

static const struct variable variables[] = {
    { .name = STR_INIT("limit_conn_status"), .get = get_status, .flags = VARIABLE_VOLATILE },
    { .name = { NULL, 0 } },
};

static const struct http_module extra = { .variables = variables };

static bool finish(struct setting *s, void *conf)
{
    (void)conf;
    return conn_count_all_defined(s);
}

struct module http_limit_conn_module = {
    .name = "ngx_http_limit_conn_module",
    .directives = rows,
    .conf_size = sizeof(struct limit_conn_conf),
    .finish = finish,
    .extra = &extra,
};

static void give_back(void *data)
{
    conn_count_give_back(&((struct limit_state *)data)->held);
}

static int run(struct request *r)
{
    const struct limit_conn_conf *c = CONF(r->conf, http_limit_conn_module);
    struct limit_state *x = r->main->limit_conn;

    if (x)                                     /* counted before, by way of a redirect */
        return STEP_NEXT;
    x = r->main->limit_conn = ARENA_NEW(&r->main->arena, struct limit_state);
    const struct conn_limit *reached = conn_count_take(&c->limits, request_script(r), &x->held);
    if (!reached) {
        x->outcome = PASSED;
        request_cleanup(r->main, give_back, x);
        return STEP_NEXT;
    }
    x->outcome = c->dry_run ? REJECTED_DRY_RUN : REJECTED;
    request_log(r, (enum log_level)c->log_level, 0, "limiting connections%s by zone \"%.*s\"",
                c->dry_run ? ", dry run," : "", STR_ARG(reached->zone->name));
    return c->dry_run ? STEP_NEXT : (int)c->status;
}

static bool enabled(void *const *conf)
{
    const struct limit_conn_conf *c = CONF(conf, http_limit_conn_module);

    return c->limits.limits.count > 0;
}

const struct http_step limit_conn_step = { "limit_conn", PHASE_PREACCESS, enabled, run };
