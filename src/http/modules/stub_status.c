/*
 * stub_status: see stub_status.h.  The numbers are those of all workers together.
 */
#include "http/modules/stub_status.h"

#include <inttypes.h>

#include "base/stats.h"
#include "http/http.h"
#include "http/request.h"
#include "http/response.h"

static uint64_t active(void)
{
    return stats_sum(STAT_READING) + stats_sum(STAT_WRITING) + stats_sum(STAT_WAITING);
}

static int handler(struct request *r)
{
    if (r->method != METHOD_GET && r->method != METHOD_HEAD)
        return STATUS_NOT_ALLOWED;
    struct str text = arena_printf(
        &r->arena,
        "Active connections: %" PRIu64 " \nserver accepts handled requests\n %" PRIu64 " %" PRIu64
        " %" PRIu64 " \nReading: %" PRIu64 " Writing: %" PRIu64 " Waiting: %" PRIu64 " \n",
        active(), stats_sum(STAT_ACCEPTED), stats_sum(STAT_HANDLED), stats_sum(STAT_REQUESTS),
        stats_sum(STAT_READING), stats_sum(STAT_WRITING), stats_sum(STAT_WAITING));
    return response_text(r, STATUS_OK, STR("text/plain"), text);
}

/* var->data: what is counted, or STATS for all connections. */
static bool get(struct script *s, const struct variable *var, struct value *v)
{
    uint64_t n = var->data == STATS ? active() : stats_sum((enum stat)var->data);

    return value_give(v, arena_printf(s->arena, "%" PRIu64, n));
}

static const struct variable variables[] = {
    { .name = STR_INIT("connections_active"), .get = get, .data = STATS,
      .flags = VARIABLE_VOLATILE },
    { .name = STR_INIT("connections_reading"), .get = get, .data = STAT_READING,
      .flags = VARIABLE_VOLATILE },
    { .name = STR_INIT("connections_writing"), .get = get, .data = STAT_WRITING,
      .flags = VARIABLE_VOLATILE },
    { .name = STR_INIT("connections_waiting"), .get = get, .data = STAT_WAITING,
      .flags = VARIABLE_VOLATILE },
    { .name = { NULL, 0 } },
};

static bool parse(struct setting *s, void *field)
{
    struct location *l = s->block->object;

    (void)field;
    l->handler = handler;
    return true;
}

static const struct type type_stub_status = { "", "no argument", parse, NULL };

static const struct directive rows[] = {
    { "stub_status", IN_SERVER | IN_LOCATION, ARGS_RANGE(0, 1), &type_stub_status, .syntax = "",
      .help = "Answer with the numbers of connections and requests." },
    { 0 },
};

static const struct http_module http_module = { .variables = variables };

struct module http_stub_status_module = {
    .name = "ngx_http_stub_status_module", .directives = rows, .extra = &http_module,
};
