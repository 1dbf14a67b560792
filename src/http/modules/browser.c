/*
 * browser: see browser.h.
 */
#include "http/modules/browser.h"

#include <stdlib.h>

#include "config/types.h"
#include "http/http.h"
#include "http/request.h"

/* How a browser tells its version, in the order in which they are looked for: Opera may call itself MSIE
 * as well. */
struct kind {
    const char *name;
    size_t skip;                       /* bytes of the field that the text can't be in */
    struct str text;
    size_t version;                    /* from the text's start to the version */
};

static const struct kind kinds[] = {
    { "opera", 0, STR_INIT("Opera"), sizeof "Opera " - 1 },
    { "msie", sizeof "Mozilla/4.0 (compatible; " - 1, STR_INIT("MSIE "), sizeof "MSIE " - 1 },
    { "gecko", sizeof "Mozilla/5.0 (" - 1, STR_INIT("rv:"), sizeof "rv:" - 1 },
    { "safari", sizeof "Mozilla/5.0 (" - 1, STR_INIT("Safari/"), sizeof "Safari/" - 1 },
    { "konqueror", sizeof "Mozilla/5.0 (compatible; " - 1, STR_INIT("Konqueror/"),
      sizeof "Konqueror/" - 1 },
};

enum { KINDS = sizeof kinds / sizeof kinds[0], OPERA = 0 };

struct modern {
    unsigned kind;
    uint64_t version;                  /* the least; 4.1.2.3 is 4 01 02 03, times a million at most */
};

struct modern_list {
    ARRAY(struct modern) list;
    bool unlisted;                     /* browsers that no line is about are modern */
};

struct ancient_list {
    ARRAY(struct str) list;
    bool netscape4;
};

struct browser_conf {
    struct modern_list modern;
    struct ancient_list ancient;
    struct str modern_value, ancient_value;
};

/* ---- versions ---- */

enum { VERSION_SCALE = 1000000 };      /* of the first number; each next one counts a hundredth */

/* Reads numbers with dots between them.  The rest that is none of that stays in *s. */
static uint64_t read_version(struct str *s)
{
    uint64_t version = 0, number = 0, scale = VERSION_SCALE;

    for (; s->len > 0; *s = str_from(*s, 1)) {
        char c = s->data[0];
        if (char_is_digit(c)) {
            number = number < VERSION_SCALE ? number * 10 + (uint64_t)(c - '0') : number;
        } else if (c == '.') {
            version += number * scale;
            number = 0;
            scale /= 100;
        } else
            break;
    }
    return version + number * scale;
}

/* ---- the directives ---- */

static bool parse_modern(struct setting *s, void *field)
{
    struct modern_list *m = field;
    struct str name = setting_arg(s, 1);
    unsigned kind = 0;

    if (s->node->count == 2) {
        if (!str_eq(name, STR("unlisted")))
            return setting_invalid(s, 1);
        m->unlisted = true;
        return true;
    }
    while (kind < KINDS && !str_eq(name, str_of(kinds[kind].name)))
        kind++;
    if (kind == KINDS)
        return setting_error_hint(s, 1, STR("known: msie, gecko, opera, safari, konqueror"),
                                  "unknown browser name \"%.*s\"", STR_ARG(name));
    struct str text = setting_arg(s, 2);
    uint64_t version = read_version(&text);
    if (text.len > 0 || setting_arg(s, 2).len == 0)
        return setting_error(s, 2, "invalid browser version \"%.*s\"", STR_ARG(setting_arg(s, 2)));
    *ARRAY_PUSH(&m->list, setting_arena(s)) = (struct modern){ kind, version };
    return true;
}

static void print_modern(const struct directive *row, const void *field, struct out *o)
{
    const struct modern_list *m = field;

    (void)row;
    for (unsigned i = 0; i < m->list.count; i++)
        out_printf(o, i ? "; %s" : "%s", kinds[m->list.items[i].kind].name);
    if (m->unlisted)
        out_str(o, m->list.count ? STR("; unlisted") : STR("unlisted"));
}

static bool parse_ancient(struct setting *s, void *field)
{
    struct ancient_list *a = field;

    for (unsigned i = 1; i < s->node->count; i++) {
        struct str text = setting_arg(s, i);
        if (str_eq(text, STR("netscape4")))
            a->netscape4 = true;
        else
            *ARRAY_PUSH(&a->list, setting_arena(s)) = arena_str(setting_arena(s), text);
    }
    return true;
}

static void print_ancient(const struct directive *row, const void *field, struct out *o)
{
    const struct ancient_list *a = field;

    (void)row;
    for (unsigned i = 0; i < a->list.count; i++) {
        if (i > 0)
            out_char(o, ' ');
        print_word(o, a->list.items[i]);
    }
    if (a->netscape4)
        out_str(o, a->list.count ? STR(" netscape4") : STR("netscape4"));
}

static const struct type type_modern = {
    "browser version | unlisted",
    "unlisted, or msie, gecko, opera, safari or konqueror and a version", parse_modern,
    print_modern,
};
static const struct type type_ancient = {
    "string ...", "parts of User-Agent fields", parse_ancient, print_ancient,
};

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "modern_browser", PLACES, ARGS_RANGE(1, 2), &type_modern, FIELD(struct browser_conf, modern),
      .flags = REPEATS, .syntax = "browser version | unlisted",
      .help = "A browser (msie, gecko, opera, safari, konqueror) that is modern from this version on; "
              "unlisted: so are those that nothing is said of." },
    { "ancient_browser", PLACES, ARGS_RANGE(1, ARGS_ANY), &type_ancient,
      FIELD(struct browser_conf, ancient), .flags = REPEATS, .syntax = "string ...",
      .help = "Browsers whose User-Agent has one of these texts in it are ancient; netscape4 stands "
              "for the old Mozilla." },
    { "modern_browser_value", PLACES, ARGS(1), &type_str, FIELD(struct browser_conf, modern_value),
      .initial = "1", .syntax = "string", .help = "What $modern_browser is for a modern browser." },
    { "ancient_browser_value", PLACES, ARGS(1), &type_str, FIELD(struct browser_conf, ancient_value),
      .initial = "1", .syntax = "string", .help = "What $ancient_browser is for an ancient one." },
    { 0 },
};

static int by_kind(const void *a, const void *b)
{
    const struct modern *m = a, *n = b;

    return m->kind < n->kind ? -1 : m->kind > n->kind;
}

/* Opera is looked for in any case, so that it does not pass for what it claims to be; of no version is
 * it modern then. */
static void settle_modern(struct setting *s, struct modern_list *m)
{
    bool opera = false;

    for (unsigned i = 0; i < m->list.count; i++)
        opera |= m->list.items[i].kind == OPERA;
    if (m->list.count == 0 || opera)
        return;
    *ARRAY_PUSH(&m->list, setting_arena(s)) = (struct modern){ OPERA, UINT64_MAX };
}

/* ---- a request ---- */

static bool is_ancient_text(const struct ancient_list *a, struct str agent)
{
    if (a->netscape4 && agent.len > sizeof "Mozilla/4.72 " - 1 &&
        str_starts(agent, STR("Mozilla/")) && agent.data[8] > '0' && agent.data[8] < '5')
        return true;
    for (unsigned i = 0; i < a->list.count; i++) {
        if (str_find(agent, a->list.items[i]) >= 0)
            return true;
    }
    return false;
}

/* Where the version of that kind of browser begins; data NULL: it is none. */
static struct str find_kind(struct str agent, const struct kind *k)
{
    struct str rest = k->skip < agent.len ? str_from(agent, k->skip) : STR("");
    ptrdiff_t at = str_find(rest, k->text);

    if (at < 0 || (size_t)at + k->version >= rest.len)
        return (struct str){ NULL, 0 };
    return str_from(rest, (size_t)at + k->version);
}

static bool is_modern(const struct request *r)
{
    const struct browser_conf *c = CONF(r->conf, http_browser_module);
    struct str agent = headers_value(&r->headers, HEADER_USER_AGENT);

    if (!agent.data)
        return c->modern.unlisted;
    for (unsigned i = 0; i < c->modern.list.count; i++) {
        const struct modern *m = &c->modern.list.items[i];
        struct str version = find_kind(agent, &kinds[m->kind]);
        if (version.data)
            return read_version(&version) >= m->version;
    }
    return c->modern.unlisted && !is_ancient_text(&c->ancient, agent);
}

static bool get_modern(struct script *s, const struct variable *var, struct value *v)
{
    const struct request *r = s->object;
    const struct browser_conf *c = CONF(r->conf, http_browser_module);

    (void)var;
    return value_give(v, is_modern(r) ? c->modern_value : STR(""));
}

static bool get_ancient(struct script *s, const struct variable *var, struct value *v)
{
    const struct request *r = s->object;
    const struct browser_conf *c = CONF(r->conf, http_browser_module);

    (void)var;
    return value_give(v, is_modern(r) ? STR("") : c->ancient_value);
}

static bool get_msie(struct script *s, const struct variable *var, struct value *v)
{
    const struct request *r = s->object;
    struct str agent = headers_value(&r->headers, HEADER_USER_AGENT);

    (void)var;
    return value_give(v, agent.data && str_find(agent, STR("MSIE ")) >= 0 ? STR("1") : STR(""));
}

static const struct variable variables[] = {
    { .name = STR_INIT("msie"), .get = get_msie },
    { .name = STR_INIT("modern_browser"), .get = get_modern, .flags = VARIABLE_VOLATILE },
    { .name = STR_INIT("ancient_browser"), .get = get_ancient, .flags = VARIABLE_VOLATILE },
    { .name = { NULL, 0 } },
};

static const struct http_module http_module = { .variables = variables };

static bool finish(struct setting *s, void *conf)
{
    struct browser_conf *c = conf;

    settle_modern(s, &c->modern);
    if (c->modern.list.count)
        qsort(c->modern.list.items, c->modern.list.count, sizeof(struct modern), by_kind);
    return true;
}

struct module http_browser_module = {
    .name = "ngx_http_browser_module",
    .directives = rows,
    .conf_size = sizeof(struct browser_conf),
    .finish = finish,
    .extra = &http_module,
};
