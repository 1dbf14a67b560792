/*
 * sticky: see sticky.h.  A peer is known by its route or a digest of its address, so that a cookie or a
 * session means the same peer in all workers and after a reload.  The cookie's words are sticky_cookie.c's.
 */
#include "upstream/sticky.h"

#include "base/clock.h"
#include "base/zone_table.h"
#include "config/types.h"
#include "config/zone_words.h"
#include "script/config_variables.h"
#include "upstream/balance.h"
#include "upstream/sticky_cookie.h"

enum { DEFAULT_TIMEOUT = 600000 };     /* ms: ten minutes */

/* The first that has a value counts. */
struct sticky_variables {
    ARRAY(const struct variable *) list;
};

struct sticky {
    struct sticky_variables lookup, create;
    const struct sticky_cookie *cookie;
    struct zone_spec *zone;            /* of sessions */
    uint64_t timeout;                  /* ms that one lives without being used */
    bool at_header;                    /* it is learnt when the head has come, not at the end */
};

/* In the zone, by the session's name. */
struct session {
    uint64_t used_ms;
    unsigned len;
    char peer[UPSTREAM_SID_MAX];
};

static const struct sticky *conf_of(const struct pick *p)
{
    return p->group->affinity_conf;
}

static struct str first_value(const struct sticky_variables *variables, struct pick *p)
{
    for (unsigned i = 0; i < variables->list.count; i++) {
        struct str text = value_str(variable_value(p->script, variables->list.items[i]));
        if (text.len)
            return arena_str(p->script->arena, text);
    }
    return (struct str){ NULL, 0 };
}

/* ---- cookie and route ---- */

static void start_named(struct pick *p)
{
    p->bound = first_value(&conf_of(p)->lookup, p);
}

static struct str cookie(struct pick *p)
{
    if (str_eq(p->bound, p->peer->sid))
        return STR("");
    return sticky_cookie_value(conf_of(p)->cookie, p->peer->sid, p->script);
}

static const struct affinity by_cookie = { .start = start_named, .cookie = cookie };
static const struct affinity by_route = { .start = start_named };

/* ---- learn ---- */

/* The session of that name, with the zone's lock held; NULL: there is none, or its time is over. */
static struct session *find(const struct sticky *conf, struct str name)
{
    struct zone *z = conf->zone->zone;
    struct session *s = name.len ? zone_table_find(z, name) : NULL;

    if (s && clock_ms() - s->used_ms > conf->timeout) {
        zone_table_remove(z, s);
        return NULL;
    }
    return s;
}

static void start_learnt(struct pick *p)
{
    const struct sticky *conf = conf_of(p);
    struct zone *z = conf->zone->zone;

    p->session = first_value(&conf->lookup, p);
    if (!z || !p->session.len)
        return;
    zone_lock(z);
    struct session *s = find(conf, p->session);
    if (s)
        p->bound = arena_str(p->script->arena, (struct str){ s->peer, s->len });
    zone_unlock(z);
}

/* Makes or moves the session `name`; an old one or two go for it. */
static void put(const struct sticky *conf, struct str name, struct str peer)
{
    struct zone *z = conf->zone->zone;
    struct session *s = zone_table_find(z, name);

    for (unsigned i = 0; !s && i < 2; i++) {
        struct session *oldest = zone_table_oldest(z);
        if (oldest && clock_ms() - oldest->used_ms > conf->timeout)
            zone_table_remove(z, oldest);
    }
    if (!s)
        s = zone_table_add(z, name, NULL);
    if (!s)
        return;
    s->used_ms = clock_ms();
    s->len = (unsigned)peer.len;
    memcpy(s->peer, peer.data, peer.len);
}

/* What the peer said makes a session; where it said nothing, the one that led to it lives on. */
static void learn(struct pick *p)
{
    const struct sticky *conf = conf_of(p);
    struct zone *z = conf->zone->zone;
    struct str name = first_value(&conf->create, p);

    if (!z)
        return;
    zone_lock(z);
    if (name.len && name.len <= ZONE_TABLE_MAX_KEY)
        put(conf, name, p->peer->sid);
    else if (!name.len) {
        struct session *s = find(conf, p->session);
        if (s && str_eq((struct str){ s->peer, s->len }, p->peer->sid))
            s->used_ms = clock_ms();
    }
    zone_unlock(z);
}

static void learn_at_header(struct pick *p)
{
    if (conf_of(p)->at_header)
        learn(p);
}

static const struct affinity by_session = {
    .start = start_learnt, .answered = learn_at_header, .done = learn,
};

static bool init_zone(struct zone *z, void *data)
{
    (void)data;
    return zone_table_init(z, sizeof(struct session));
}

/* ---- the directive ---- */

static bool invalid(struct setting *s, unsigned word)
{
    return setting_error(s, word, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, word)));
}

static bool add_variable(struct setting *s, unsigned word, struct str name, struct sticky_variables *to)
{
    const struct variable *var = config_variable(s, word, name);

    if (var)
        *ARRAY_PUSH(&to->list, setting_arena(s)) = var;
    return var != NULL;
}

/* "$name". */
static bool take_variable(struct setting *s, unsigned word, struct str text, struct sticky_variables *to)
{
    if (text.len < 2 || text.data[0] != '$')
        return setting_error(s, word, "invalid variable name \"%.*s\"", STR_ARG(text));
    return add_variable(s, word, str_from(text, 1), to);
}

static bool parse_cookie(struct setting *s, struct sticky *conf)
{
    struct sticky_cookie *c = ARENA_NEW(setting_arena(s), struct sticky_cookie);
    struct str name = setting_arg(s, 2);

    conf->cookie = c;
    return sticky_cookie_parse(s, c) &&
           add_variable(s, 2, arena_concat(setting_arena(s), STR("cookie_"), name), &conf->lookup);
}

static bool parse_route(struct setting *s, struct sticky *conf)
{
    for (unsigned i = 2; i < s->node->count; i++) {
        if (!take_variable(s, i, setting_arg(s, i), &conf->lookup))
            return false;
    }
    return true;
}

static bool parse_zone(struct setting *s, unsigned word, struct str text, struct sticky *conf)
{
    static const char tag;
    struct str name;
    size_t size;

    if (!zone_words_parse(s, word, text, &name, &size))
        return false;
    conf->zone = zone_words_define(s, word, name, size, &tag);
    if (conf->zone && conf->zone->data)
        return setting_error(s, word, "zone \"%.*s\" has the sessions of another upstream already",
                             STR_ARG(name));
    if (conf->zone) {
        conf->zone->init = init_zone;
        conf->zone->data = conf;
    }
    return conf->zone != NULL;
}

static bool parse_learn_word(struct setting *s, unsigned i, struct sticky *conf)
{
    struct str word = setting_arg(s, i);

    if (str_starts(word, STR("create=")))
        return take_variable(s, i, str_from(word, 7), &conf->create);
    if (str_starts(word, STR("lookup=")))
        return take_variable(s, i, str_from(word, 7), &conf->lookup);
    if (str_starts(word, STR("zone=")))
        return parse_zone(s, i, str_from(word, 5), conf);
    if (str_starts(word, STR("timeout=")))
        return (parse_time(str_from(word, 8), &conf->timeout) && conf->timeout) || invalid(s, i);
    if (str_eq(word, STR("sync")))
        return setting_error_hint(s, i, STR("sessions are shared by the workers of one machine: leave "
                                            "it out"),
                                  "parameter \"sync\" needs a cluster, which is not supported");
    conf->at_header |= str_eq(word, STR("header"));
    return str_eq(word, STR("header")) || invalid(s, i);
}

static bool parse_learn(struct setting *s, struct sticky *conf)
{
    conf->timeout = DEFAULT_TIMEOUT;
    for (unsigned i = 2; i < s->node->count; i++) {
        if (!parse_learn_word(s, i, conf))
            return false;
    }
    const char *missing = !conf->create.list.count ? "create" : !conf->lookup.list.count ? "lookup"
                          : !conf->zone            ? "zone"   : NULL;
    return !missing || setting_error(s, 0, "\"sticky learn\" must have \"%s\" parameter", missing);
}

static bool parse(struct setting *s, void *field)
{
    static const struct {
        struct str word;
        bool (*parse)(struct setting *s, struct sticky *conf);
        const struct affinity *affinity;
    } methods[] = {
        { STR_INIT("cookie"), parse_cookie, &by_cookie },
        { STR_INIT("route"), parse_route, &by_route },
        { STR_INIT("learn"), parse_learn, &by_session },
    };
    struct upstream *u = s->block->object;

    (void)field;
    for (unsigned i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (!str_eq(setting_arg(s, 1), methods[i].word))
            continue;
        struct sticky *conf = ARENA_NEW(setting_arena(s), struct sticky);
        u->affinity = methods[i].affinity;
        u->affinity_conf = conf;
        return methods[i].parse(s, conf);
    }
    return setting_error_hint(s, 1, STR("one of cookie, route, learn"), "unknown sticky method \"%.*s\"",
                              STR_ARG(setting_arg(s, 1)));
}

static const struct type type = {
    "method parameters", "cookie, route or learn, and its parameters", parse, NULL,
};

static const struct directive rows[] = {
    { "sticky", IN_UPSTREAM, ARGS_RANGE(2, ARGS_ANY), &type,
      .syntax = "cookie name [expires=time] [domain=domain] [httponly] [samesite=strict|lax|none|$variable] "
                "[secure] [path=path] | route $variable ... | learn create=$variable lookup=$variable "
                "zone=name:size [timeout=time] [header]",
      .help = "Let requests of a client go to the server that answered its first one: by a cookie of "
              "Weir's, by the route that a variable names, or by sessions learnt from the server." },
    { 0 },
};

struct module http_upstream_sticky_module = {
    .name = "ngx_http_upstream_sticky_module", .directives = rows,
};
