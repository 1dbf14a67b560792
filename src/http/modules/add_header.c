/*
 * add_header: ngx_http_headers_module.  Fields are added when a response's head is settled, trailers
 * when its body has ended.
 */
#include "http/modules/add_header.h"

#include "http/core.h"
#include "http/request.h"
#include "http/response.h"

enum inherit { INHERIT_ON, INHERIT_OFF, INHERIT_MERGE };
enum expires { EXPIRES_OFF, EXPIRES_EPOCH, EXPIRES_MAX, EXPIRES_ACCESS, EXPIRES_MODIFIED, EXPIRES_DAILY };

struct added {
    struct str name;
    struct template value;
    bool always;                       /* whatever the status */
};

struct added_list {
    ARRAY(struct added) items;
};

struct expires_conf {
    enum expires mode;
    int64_t seconds;                   /* of ACCESS, MODIFIED (may be negative), DAILY */
    bool modified;                     /* "modified" was said before a value with variables */
    struct template value;             /* with variables: read for each response; empty: none */
};

struct headers_conf {
    struct added_list headers, trailers;
    unsigned headers_inherit, trailers_inherit;
    struct expires_conf expires;
};

/* ---- directives ---- */

static bool parse_added(struct setting *s, void *field)
{
    struct added_list *list = field;
    struct added a = { .name = arena_str(setting_arena(s), setting_arg(s, 1)) };

    if (a.name.len == 0 || !template_safe(a.name))
        return setting_invalid(s, 1);
    if (s->node->count == 4) {
        if (!str_eq(setting_arg(s, 3), STR("always")))
            return setting_error(s, 3, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, 3)));
        a.always = true;
    }
    if (!template_compile(s, 2, config_variables(s), &a.value))
        return false;
    *ARRAY_PUSH(&list->items, setting_arena(s)) = a;
    return true;
}

static void print_added(const struct directive *row, const void *field, struct out *o)
{
    const struct added_list *list = field;

    (void)row;
    for (unsigned i = 0; i < list->items.count; i++) {
        const struct added *a = &list->items.items[i];
        out_printf(o, i ? "; %.*s \"%.*s\"%s" : "%.*s \"%.*s\"%s", STR_ARG(a->name),
                   STR_ARG(a->value.text), a->always ? " always" : "");
    }
}

static const struct type type_added = {
    "name value [always]", "a name, a value, and perhaps always", parse_added, print_added,
};

/* off, epoch, max, a time with a sign perhaps, @time of day.  false: it is none of these. */
static bool read_expires(struct str text, bool modified, struct expires_conf *e)
{
    bool negative = false;
    time_t seconds;

    if (!modified && str_eq(text, STR("epoch")))
        e->mode = EXPIRES_EPOCH;
    else if (!modified && str_eq(text, STR("max")))
        e->mode = EXPIRES_MAX;
    else if (!modified && str_eq(text, STR("off")))
        e->mode = EXPIRES_OFF;
    else {
        bool daily = !modified && str_starts(text, STR("@"));
        if (daily || str_starts(text, STR("+")))
            text = str_from(text, 1);
        else if (str_starts(text, STR("-"))) {
            text = str_from(text, 1);
            negative = true;
        }
        if (!parse_seconds(text, &seconds) || (daily && seconds > 24 * 3600))
            return false;
        e->mode = daily ? EXPIRES_DAILY : modified ? EXPIRES_MODIFIED : EXPIRES_ACCESS;
        e->seconds = negative ? -(int64_t)seconds : (int64_t)seconds;
    }
    return true;
}

static bool parse_expires(struct setting *s, void *field)
{
    struct expires_conf *e = field;
    unsigned last = s->node->count - 1;

    *e = (struct expires_conf){ 0 };
    e->modified = last == 2;
    if (last == 2 && !str_eq(setting_arg(s, 1), STR("modified")))
        return setting_invalid(s, 1);
    if (str_index(setting_arg(s, last), '$') >= 0)
        return template_compile(s, last, config_variables(s), &e->value);
    return read_expires(setting_arg(s, last), e->modified, e) || setting_invalid(s, last);
}

static void print_expires(const struct directive *row, const void *field, struct out *o)
{
    static const char *const names[] = { "off", "epoch", "max", "", "modified ", "@" };
    const struct expires_conf *e = field;

    (void)row;
    if (!template_is_empty(&e->value)) {
        out_printf(o, "%s%.*s", e->modified ? "modified " : "", STR_ARG(e->value.text));
        return;
    }
    out_str(o, str_of(names[e->mode]));
    if (e->mode < EXPIRES_ACCESS)
        return;
    if (e->seconds < 0)
        out_char(o, '-');
    print_time(o, (uint64_t)(e->seconds < 0 ? -e->seconds : e->seconds) * 1000);
}

static const struct type type_expires = {
    "[modified] time | epoch | max | off", "a time, epoch, max or off", parse_expires,
    print_expires,
};

static const struct name_value inherit_names[] = {
    { "on", INHERIT_ON }, { "off", INHERIT_OFF }, { "merge", INHERIT_MERGE }, { NULL, 0 },
};

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION | IN_LOCATION_IF)

static const struct directive rows[] = {
    { "add_header", PLACES, ARGS_RANGE(2, 3), &type_added, FIELD(struct headers_conf, headers),
      .flags = REPEATS, .syntax = "name value [always]",
      .help = "Add a field to responses of success and redirection, or to all. A block with lines "
              "of its own does not take over those of the outer one, unless add_header_inherit "
              "says so." },
    { "add_header_inherit", PLACES, ARGS(1), &type_enum,
      FIELD(struct headers_conf, headers_inherit), .initial = "on", .data = inherit_names,
      .help = "Whether fields of the outer block are taken over where there are none here (on), "
              "never (off), or beside those here (merge)." },
    { "add_trailer", PLACES, ARGS_RANGE(2, 3), &type_added, FIELD(struct headers_conf, trailers),
      .flags = REPEATS, .syntax = "name value [always]",
      .help = "Add a field behind the body of responses." },
    { "add_trailer_inherit", PLACES, ARGS(1), &type_enum,
      FIELD(struct headers_conf, trailers_inherit), .initial = "on", .data = inherit_names,
      .help = "As add_header_inherit, for trailers." },
    { "expires", PLACES, ARGS_RANGE(1, 2), &type_expires, FIELD(struct headers_conf, expires),
      .initial = "off", .syntax = "[modified] time | epoch | max | off",
      .help = "Set Expires and Cache-Control." },
    { 0 },
};

static bool names(const struct added_list *list, struct str name)
{
    for (unsigned i = 0; i < list->items.count; i++) {
        if (str_eq_nocase(list->items.items[i].name, name))
            return true;
    }
    return false;
}

/* Lines here put away those of the outer block, which bites where they set something else. */
static void warn_of_dropped(struct setting *s, const struct added_list *list,
                            const struct added_list *outer, const struct node *line)
{
    struct out o = out_growing(&s->config->scratch, 4096);
    struct setting place = *s;

    for (unsigned i = 0; i < outer->items.count; i++) {
        struct str name = outer->items.items[i].name;
        if (names(list, name))
            continue;
        if (out_len(&o))
            OUT_LITERAL(&o, ", ");
        out_str(&o, name);
    }
    place.node = line;
    if (out_len(&o))
        setting_advise(&place, 0, "\"%.*s\" here drops those of the outer block: %.*s "
                                  "(repeat them, or say \"%.*s_inherit merge\")",
                       STR_ARG(line->words[0].text), (int)out_len(&o), o.start,
                       STR_ARG(line->words[0].text));
}

/* The rules of inheritance that the engine's own (lines here replace those outside) is not. */
static void settle_list(struct setting *s, struct added_list *list, const struct added_list *outer,
                        unsigned inherit, struct str name)
{
    const struct node *own = s->node->children ? tree_find(s->node->children, name) : NULL;

    if (inherit == INHERIT_OFF && !own)
        list->items.count = 0;
    if (inherit == INHERIT_ON && own)
        warn_of_dropped(s, list, outer, own);
    if (inherit != INHERIT_MERGE || !own)
        return;
    for (unsigned i = 0; i < outer->items.count; i++)
        *ARRAY_PUSH(&list->items, setting_arena(s)) = outer->items.items[i];
}

static bool finish(struct setting *s, void *conf)
{
    struct headers_conf *c = conf;
    const struct headers_conf *outer = CONF(s->block->parent->conf, http_headers_module);

    settle_list(s, &c->headers, &outer->headers, c->headers_inherit, STR("add_header"));
    settle_list(s, &c->trailers, &outer->trailers, c->trailers_inherit, STR("add_trailer"));
    return true;
}

/* `inherit off` counts in blocks without a line of this module, too. */
static bool wants_copy(const void *outer)
{
    const struct headers_conf *c = outer;

    return c->headers_inherit == INHERIT_OFF || c->trailers_inherit == INHERIT_OFF;
}

struct module http_headers_module = {
    .name = "ngx_http_headers_module",
    .directives = rows,
    .conf_size = sizeof(struct headers_conf),
    .finish = finish,
    .wants_copy = wants_copy,
};

/* ---- responses ---- */

static const struct headers_conf *conf_of(const struct request *r)
{
    return CONF(r->conf, http_headers_module);
}

/* The statuses that fields without `always` go with. */
static bool is_usual(unsigned status)
{
    switch (status) {
    case STATUS_OK:
    case STATUS_CREATED:
    case STATUS_NO_CONTENT:
    case STATUS_PARTIAL_CONTENT:
    case STATUS_MOVED_PERMANENTLY:
    case STATUS_FOUND:
    case STATUS_SEE_OTHER:
    case STATUS_NOT_MODIFIED:
    case STATUS_TEMPORARY_REDIRECT:
    case STATUS_PERMANENT_REDIRECT:
        return true;
    default:
        return false;
    }
}

static void hide_fields(struct request *r, struct str name)
{
    struct headers *h = &r->response.headers;

    for (unsigned i = 0; i < h->list.count; i++) {
        if (str_eq_nocase(h->list.items[i].name, name))
            h->list.items[i].hidden = true;
    }
}

/* Fields that the response has a place of its own for are set, or taken away by an empty value. */
static void add_field(struct request *r, struct str name, struct str value)
{
    struct response *res = &r->response;

    if (str_eq_nocase(name, STR("Last-Modified"))) {
        response_unprepare(r);
        res->last_modified = -1;
        res->modified_text = template_safe(value) ? value : (struct str){ NULL, 0 };
    } else if (str_eq_nocase(name, STR("ETag"))) {
        response_unprepare(r);
        res->etag = template_safe(value) ? value : (struct str){ NULL, 0 };
    } else if (value.len)
        response_header(r, name, value);
}

static void add_fields(struct request *r, const struct added_list *list)
{
    bool usual = is_usual(r->response.status);

    for (unsigned i = 0; i < list->items.count; i++) {
        const struct added *a = &list->items.items[i];
        if (usual || a->always)
            add_field(r, a->name, template_value(&a->value, request_script(r)));
    }
}

/* When the body is at its end. */
static void make_trailers(struct request *r)
{
    const struct added_list *list = &conf_of(r)->trailers;
    bool usual = is_usual(r->response.status);

    for (unsigned i = 0; i < list->items.count; i++) {
        const struct added *a = &list->items.items[i];
        if (!usual && !a->always)
            continue;
        struct str value = template_value(&a->value, request_script(r));
        if (value.len && template_safe(value))
            headers_add(&r->response.trailers, &r->arena, a->name, value);
    }
}

/* Seconds from the start of today, local time, to `seconds` of it, or of tomorrow. */
static int64_t until_time_of_day(int64_t seconds)
{
    time_t now = clock_seconds();
    struct tm t;

    localtime_r(&now, &t);
    int64_t passed = t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec;
    return seconds > passed ? seconds - passed : seconds + 86400 - passed;
}

static void put_expires(struct request *r, time_t when, struct str control)
{
    struct out o = out_growing(&r->arena, 64);

    clock_put_http_date(&o, when);
    hide_fields(r, STR("Expires"));
    hide_fields(r, STR("Cache-Control"));
    response_header(r, STR("Expires"), out_str_of(&o));
    response_header(r, STR("Cache-Control"), control);
}

static void set_expires(struct request *r, const struct expires_conf *e)
{
    int64_t now = clock_seconds(), age = e->seconds;

    switch (e->mode) {
    case EXPIRES_OFF:
        return;
    case EXPIRES_EPOCH:
        put_expires(r, 1, STR("no-cache"));
        return;
    case EXPIRES_MAX:
        put_expires(r, 2145916555, STR("max-age=315360000"));
        return;
    case EXPIRES_DAILY:
        age = until_time_of_day(e->seconds);
        break;
    case EXPIRES_MODIFIED:                     /* 0, and what has no such time, count from now */
        if (e->seconds && response_modified(r) >= 0)
            age += response_modified(r) - now;
        break;
    case EXPIRES_ACCESS:
        break;
    }
    if (age < 0 || e->seconds < 0)
        put_expires(r, (time_t)(now + age), STR("no-cache"));
    else
        put_expires(r, (time_t)(now + age),
                    arena_printf(&r->arena, "max-age=%lld", (long long)age));
}

static void apply_expires(struct request *r, const struct expires_conf *e)
{
    struct expires_conf read = { 0 };

    if (!is_usual(r->response.status))
        return;
    if (template_is_empty(&e->value)) {
        set_expires(r, e);
        return;
    }
    if (read_expires(template_value(&e->value, request_script(r)), e->modified, &read))
        set_expires(r, &read);
}

static bool enabled(void *const *conf)
{
    const struct headers_conf *c = CONF(conf, http_headers_module);

    return c->headers.items.count || c->trailers.items.count || c->expires.mode != EXPIRES_OFF ||
           !template_is_empty(&c->expires.value);
}

static int apply(struct request *r)
{
    const struct headers_conf *c = conf_of(r);

    apply_expires(r, &c->expires);
    add_fields(r, &c->headers);
    if (c->trailers.items.count) {
        response_unprepare(r);
        r->response.make_trailers = make_trailers;
    }
    return 0;
}

const struct http_filter add_header_filter = {
    .name = "headers", .enabled = enabled, .main_only = true, .apply = apply,
};
