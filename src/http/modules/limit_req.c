/*
 * limit_req: a leaky bucket for each value of a key, in a zone that all workers share.  A request counts
 * once in its life, whatever redirects it goes through.
 */
#include "http/modules/limit_req.h"

#include "event/timer.h"
#include "http/core.h"
#include "http/request.h"
#include "http/response.h"
#include "config/zone_words.h"
#include "script/limit_zone.h"

enum { MAX_LIMITS = 16 };              /* of one block */

/* What a zone keeps for a key. */
struct bucket {
    uint64_t last_ms;                  /* when `excess` was true */
    int64_t excess;                    /* requests above the rate, in thousandths */
};

/* A line of limit_req. */
struct limit {
    const struct limit_zone *zone;
    int64_t burst, delay;              /* thousandths; delay: above it requests wait */
};

struct limit_req_conf {
    ARRAY(struct limit) limits;
    unsigned status, log_level;
    bool dry_run;
};

/* What became of a request: $limit_req_status. */
enum outcome { NOT_LIMITED, PASSED, DELAYED, REJECTED, DELAYED_DRY_RUN, REJECTED_DRY_RUN };

struct limit_state {
    struct request *main;
    struct timer timer;                /* its own: the request's may be that of its sending */
    enum outcome outcome;
    uint64_t until_ms;                 /* a delayed request waits until then */
};

static const char tag;

/* ---- directives ---- */

/* "10r/s", "30r/m" in thousandths of a request a second. */
static bool parse_rate(struct str text, unsigned *rate)
{
    unsigned scale = 1, n;

    if (str_ends(text, STR("r/s")))
        scale = 1;
    else if (str_ends(text, STR("r/m")))
        scale = 60;
    else
        return false;
    if (!str_to_uint(str_first(text, text.len - 3), 1000000, &n) || n == 0)
        return false;
    *rate = n * 1000 / scale;
    return *rate > 0;
}

/* limit_req_zone key zone=name:size rate=rate [sync] */
static bool parse_zone(struct setting *s, void *field)
{
    struct str name = { NULL, 0 };
    unsigned rate = 1000, zone_word = 0;
    size_t size = 0;

    (void)field;
    for (unsigned i = 2; i < s->node->count; i++) {
        struct str word = setting_arg(s, i);
        if (str_starts(word, STR("zone="))) {
            if (!zone_words_parse(s, i, str_from(word, 5), &name, &size))
                return false;
            zone_word = i;
        } else if (str_starts(word, STR("rate="))) {
            if (!parse_rate(str_from(word, 5), &rate))
                return setting_error(s, i, "invalid rate \"%.*s\"", STR_ARG(word));
        } else
            return setting_error(s, i, "invalid parameter \"%.*s\"", STR_ARG(word));
    }
    if (!name.data)
        return setting_error(s, 0, "\"limit_req_zone\" must have \"zone\" parameter");
    struct limit_zone *z = limit_zone_define(s, zone_word, name, size, &tag, sizeof(struct bucket));
    if (z)
        z->rate = rate;
    return z != NULL;
}

static const struct type type_zone = {
    "key zone=name:size rate=rate", "a key, zone=name:size and rate=rate", parse_zone,
    NULL,
};

static bool parse_count(struct str text, int64_t *thousandths)
{
    unsigned n;

    if (!str_to_uint(text, 1000000, &n))
        return false;
    *thousandths = (int64_t)n * 1000;
    return true;
}

static bool parse_limit_word(struct setting *s, unsigned i, struct limit *l, bool *nodelay)
{
    struct str word = setting_arg(s, i);

    if (str_starts(word, STR("zone=")))
        return (l->zone = limit_zone_find(s, i, str_from(word, 5), &tag)) != NULL;
    if (str_starts(word, STR("burst=")))
        return (parse_count(str_from(word, 6), &l->burst) && l->burst > 0) ||
               setting_error(s, i, "invalid burst value \"%.*s\"", STR_ARG(word));
    if (str_starts(word, STR("delay=")))
        return (parse_count(str_from(word, 6), &l->delay) && l->delay > 0) ||
               setting_error(s, i, "invalid delay value \"%.*s\"", STR_ARG(word));
    if (str_eq(word, STR("nodelay")))
        return *nodelay = true;
    return setting_error(s, i, "invalid parameter \"%.*s\"", STR_ARG(word));
}

/* limit_req zone=name [burst=number] [nodelay | delay=number] */
static bool parse_limit(struct setting *s, void *field)
{
    struct limit_req_conf *c = s->conf;
    struct limit l = { 0 };
    bool nodelay = false;

    (void)field;
    for (unsigned i = 1; i < s->node->count; i++) {
        if (!parse_limit_word(s, i, &l, &nodelay))
            return false;
    }
    if (!l.zone)
        return setting_error(s, 0, "\"limit_req\" must have \"zone\" parameter");
    for (unsigned i = 0; i < c->limits.count; i++) {
        if (c->limits.items[i].zone == l.zone)
            return setting_error(s, 0, "\"limit_req\" directive is duplicate");
    }
    if (c->limits.count == MAX_LIMITS)
        return setting_error(s, 0, "at most %d limits may be in one block", MAX_LIMITS);
    if (nodelay)
        l.delay = INT64_MAX / 2;
    *ARRAY_PUSH(&c->limits, setting_arena(s)) = l;
    return true;
}

static void print_limit(const struct directive *row, const void *field, struct out *o)
{
    const struct limit_req_conf *c = field;

    (void)row;
    for (unsigned i = 0; i < c->limits.count; i++) {
        const struct limit *l = &c->limits.items[i];
        out_printf(o, i ? "; zone=%.*s" : "zone=%.*s", STR_ARG(l->zone->name));
        if (l->burst)
            out_printf(o, " burst=%lld", (long long)(l->burst / 1000));
        if (l->delay > l->burst)
            OUT_LITERAL(o, " nodelay");
        else if (l->delay)
            out_printf(o, " delay=%lld", (long long)(l->delay / 1000));
    }
}

static const struct type type_limit = {
    "zone=name [burst=number] [nodelay | delay=number]", "zone=name, and perhaps burst= and delay=",
    parse_limit, print_limit,
};

static const struct name_value levels[] = {
    { "info", LOG_LEVEL_INFO }, { "notice", LOG_LEVEL_NOTICE }, { "warn", LOG_LEVEL_WARN },
    { "error", LOG_LEVEL_ERROR }, { NULL, 0 },
};
static const struct number_range statuses = { 400, 599 };

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "limit_req_zone", IN_HTTP, ARGS_RANGE(3, 4), &type_zone, .flags = REPEATS,
      .syntax = "key zone=name:size rate=rate",
      .help = "A shared zone that counts requests for each value of a key, and the rate that is "
              "allowed. $binary_remote_addr is the usual key; $binary_remote_addr_64 takes all IPv6 "
              "addresses of one /64 network, which a single client may have, for one." },
    { "limit_req", PLACES, ARGS_RANGE(1, 3), &type_limit, FIELD(struct limit_req_conf, limits),
      .flags = REPEATS, .syntax = "zone=name [burst=number] [nodelay | delay=number]",
      .help = "Hold requests to a zone's rate; a burst above it waits its turn, more is refused, "
              "with a Retry-After that says when to come again." },
    { "limit_req_status", PLACES, ARGS(1), &type_number, FIELD(struct limit_req_conf, status),
      .initial = "503", .data = &statuses, .help = "The status of refused requests." },
    { "limit_req_log_level", PLACES, ARGS(1), &type_enum, FIELD(struct limit_req_conf, log_level),
      .initial = "error", .data = levels,
      .help = "The level at which refusals are logged; delays are logged one lower." },
    { "limit_req_dry_run", PLACES, ARGS(1), &type_flag, FIELD(struct limit_req_conf, dry_run),
      .initial = "off", .help = "Count and log, but let every request pass." },
    { 0 },
};

/* ---- variables ---- */

static bool get_status(struct script *s, const struct variable *var, struct value *v)
{
    static const struct str names[] = {
        [PASSED] = STR_INIT("PASSED"), [DELAYED] = STR_INIT("DELAYED"),
        [REJECTED] = STR_INIT("REJECTED"), [DELAYED_DRY_RUN] = STR_INIT("DELAYED_DRY_RUN"),
        [REJECTED_DRY_RUN] = STR_INIT("REJECTED_DRY_RUN"),
    };
    struct request *r = s->object;
    const struct limit_state *x = r->main->limit_req;

    (void)var;
    v->state = x && x->outcome != NOT_LIMITED ? VALUE_FOUND : VALUE_NOT_FOUND;
    if (v->state == VALUE_FOUND) {
        v->data = names[x->outcome].data;
        v->len = (uint32_t)names[x->outcome].len;
    }
    return true;
}

static const struct variable variables[] = {
    { .name = STR_INIT("limit_req_status"), .get = get_status, .flags = VARIABLE_VOLATILE },
    { .name = { NULL, 0 } },
};

static const struct http_module extra = { .variables = variables };

static bool finish(struct setting *s, void *conf)
{
    (void)conf;
    return limit_zone_all_defined(s, &tag);
}

struct module http_limit_req_module = {
    .name = "ngx_http_limit_req_module",
    .directives = rows,
    .conf_size = sizeof(struct limit_req_conf),
    .finish = finish,
    .extra = &extra,
};

/* ---- requests ---- */

/* A bucket's excess as of now, with one more request. */
static int64_t fill(const struct limit_zone *z, const struct bucket *b, uint64_t now)
{
    uint64_t passed = now > b->last_ms ? now - b->last_ms : 0;
    uint64_t leaked = passed > (uint64_t)1 << 40 ? INT64_MAX / 2 : passed * z->rate / 1000;
    int64_t excess = b->excess - (int64_t)leaked + 1000;

    return excess < 0 ? 0 : excess;
}

/*
 * The excess of one limit for a key, which is counted only with `count`: the last of several limits
 * decides for all.  -1: the request is above the burst.
 */
static int64_t look(const struct limit *l, struct str key, uint64_t now, bool count)
{
    struct zone *zone = l->zone->spec->zone;
    int64_t excess = 0;

    zone_lock(zone);
    struct bucket *b = zone_table_find(zone, key);
    if (b)
        excess = fill(l->zone, b, now);
    if (excess > l->burst) {
        excess = -1 - excess;
    } else if (count) {
        if (!b)
            b = zone_table_add(zone, key, NULL);
        if (b)
            *b = (struct bucket){ now, excess };
    }
    zone_unlock(zone);
    return excess;
}

static void tell(struct request *r, const struct limit_req_conf *c, bool rejected, int64_t excess,
                 const struct limit *l)
{
    bool lower = !rejected && c->log_level < LOG_LEVEL_INFO;
    enum log_level level = (enum log_level)c->log_level + lower;

    request_log(r, level, 0, "%s%s, excess: %lld.%03lld by zone \"%.*s\"",
                rejected ? "limiting requests" : "delaying request", c->dry_run ? ", dry run" : "",
                (long long)(excess / 1000), (long long)(excess % 1000), STR_ARG(l->zone->name));
}

/* Milliseconds that the excess of a limit makes a request wait. */
static uint64_t wait_of(const struct limit *l, int64_t excess)
{
    return excess > l->delay ? (uint64_t)(excess - l->delay) * 1000 / l->zone->rate : 0;
}

/* Seconds after which the request would be let in, for Retry-After. */
static void advise(struct request *r, const struct limit *l, int64_t excess)
{
    uint64_t wait = (uint64_t)(excess - l->burst) / l->zone->rate + 1;

    response_header(r, STR("Retry-After"),
                    arena_printf(&r->arena, "%llu", (unsigned long long)wait));
}

static int reject(struct request *r, const struct limit_req_conf *c, struct limit_state *x,
                  const struct limit *l, int64_t excess)
{
    tell(r, c, true, excess, l);
    x->outcome = c->dry_run ? REJECTED_DRY_RUN : REJECTED;
    if (c->dry_run)
        return STEP_NEXT;
    advise(r, l, excess);
    return (int)c->status;
}

static int delay(struct request *r, const struct limit_req_conf *c, struct limit_state *x,
                 const struct limit *l, int64_t excess, uint64_t wait)
{
    tell(r, c, false, excess, l);
    x->outcome = c->dry_run ? DELAYED_DRY_RUN : DELAYED;
    if (c->dry_run)
        return STEP_NEXT;
    x->until_ms = clock_ms() + wait;
    timer_set(&x->timer, wait);
    return STEP_WAIT;
}

static void on_turn(struct timer *t)
{
    request_wake(CONTAINER(t, struct limit_state, timer)->main);
}

static void forget(void *data)
{
    timer_cancel(&((struct limit_state *)data)->timer);
}

static struct limit_state *new_state(struct request *main)
{
    struct limit_state *x = ARENA_NEW(&main->arena, struct limit_state);

    x->main = main;
    timer_init(&x->timer, on_turn);
    request_cleanup(main, forget, x);
    return x;
}

/* All limits are asked before any counts the request; the longest wait counts. */
static int limit(struct request *r, const struct limit_req_conf *c, struct limit_state *x)
{
    struct str keys[MAX_LIMITS];
    const struct limit *slowest = NULL;
    uint64_t now = clock_ms(), wait = 0;
    int64_t slowest_excess = 0;
    unsigned count = c->limits.count;

    for (unsigned i = 0; i < count; i++) {
        const struct limit *l = &c->limits.items[i];
        if (!limit_zone_key(l->zone, request_script(r), &keys[i])) {
            keys[i].data = NULL;
            continue;
        }
        int64_t excess = look(l, keys[i], now, false);
        if (excess < 0)
            return reject(r, c, x, l, -1 - excess);
    }
    for (unsigned i = 0; i < count; i++) {
        const struct limit *l = &c->limits.items[i];
        if (!keys[i].data)
            continue;
        int64_t excess = look(l, keys[i], now, true);
        if (excess < 0)                        /* another worker was quicker */
            return reject(r, c, x, l, -1 - excess);
        x->outcome = x->outcome == NOT_LIMITED ? PASSED : x->outcome;
        uint64_t its_wait = wait_of(l, excess);
        if (its_wait > wait) {
            wait = its_wait;
            slowest = l;
            slowest_excess = excess;
        }
    }
    return slowest ? delay(r, c, x, slowest, slowest_excess, wait) : STEP_NEXT;
}

static int run(struct request *r)
{
    const struct limit_req_conf *c = CONF(r->conf, http_limit_req_module);
    struct limit_state *x = r->main->limit_req;

    if (x && x->until_ms) {                    /* its turn may have come */
        if (clock_ms() < x->until_ms)
            return request_wait(r);
        x->until_ms = 0;
        return STEP_NEXT;
    }
    if (x && x->outcome != NOT_LIMITED)
        return STEP_NEXT;
    if (!x)
        x = r->main->limit_req = new_state(r->main);
    return limit(r, c, x);
}

static bool enabled(void *const *conf)
{
    const struct limit_req_conf *c = CONF(conf, http_limit_req_module);

    return c->limits.count > 0;
}

const struct http_step limit_req_step = { "limit_req", PHASE_PREACCESS, enabled, run };
