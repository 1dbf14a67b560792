/*
 * ssi_page: see ssi_page.h.
 */
#include "http/modules/ssi/ssi_page.h"

#include <time.h>

#include "base/regex/regex.h"
#include "http/core.h"

enum { TIME_MAX = 256, VALUE_MAX = 1 << 20 };

struct ssi_page *ssi_page_of(struct request *r)
{
    void **slot = REQUEST_CONTEXT(r, http_ssi_module);

    if (!*slot) {
        struct ssi_page *p = ARENA_NEW(&r->arena, struct ssi_page);
        p->timefmt = STR("%A, %d-%b-%Y %H:%M:%S %Z");
        p->errmsg = STR("[an error occurred while processing the directive]");
        p->shown = true;
        *slot = p;
    }
    return *slot;
}

struct ssi_shared *ssi_shared_of(struct request *r)
{
    return &ssi_page_of(r->main)->shared;
}

/* ---- variables ---- */

struct str ssi_variable(struct request *r, struct str name)
{
    struct ssi_shared *shared = ssi_shared_of(r);

    if (name.len == 1 && char_is_digit(name.data[0]))
        return shared->captures[name.data[0] - '0'];
    for (unsigned i = 0; i < shared->variables.count; i++) {
        if (str_eq_nocase(shared->variables.items[i].name, name))
            return shared->variables.items[i].value;
    }
    struct value v = variable_named(request_script(r), name);
    if (v.state != VALUE_FOUND)
        return (struct str){ NULL, 0 };
    return v.len ? value_str(&v) : STR("");
}

void ssi_set_variable(struct request *r, struct str name, struct str value)
{
    struct ssi_shared *shared = ssi_shared_of(r);
    struct arena *a = &r->main->arena;
    unsigned i = 0;

    while (i < shared->variables.count &&
           !str_eq_nocase(shared->variables.items[i].name, name))
        i++;
    if (i == shared->variables.count)
        ARRAY_PUSH(&shared->variables, a)->name = arena_str(a, name);
    shared->variables.items[i].value = arena_str(a, value);
}

struct ssi_block *ssi_find_block(struct request *r, struct str name)
{
    struct ssi_shared *shared = ssi_shared_of(r);

    for (unsigned i = 0; i < shared->blocks.count; i++) {
        if (str_eq(shared->blocks.items[i]->name, name))
            return shared->blocks.items[i];
    }
    return NULL;
}

/* ---- texts ---- */

static bool is_name(char c)
{
    c = char_lower(c);
    return (c >= 'a' && c <= 'z') || char_is_digit(c) || c == '_';
}

/* "name" or "{name}" behind a "$". */
static bool take_variable(struct str *text, struct str *name)
{
    bool braces = text->len && text->data[0] == '{';
    struct str rest = braces ? str_from(*text, 1) : *text;
    size_t n = 0;

    while (n < rest.len && is_name(rest.data[n]))
        n++;
    *name = str_first(rest, n);
    rest = str_from(rest, n);
    if (n == 0 || (braces && (rest.len == 0 || rest.data[0] != '}')))
        return false;
    *text = braces ? str_from(rest, 1) : rest;
    return true;
}

bool ssi_expand(struct request *r, struct str text, struct str *value)
{
    struct out o = out_growing(&r->arena, VALUE_MAX);
    struct str name, whole = text;

    while (text.len) {
        char c = text.data[0];
        text = str_from(text, 1);
        if (c == '\\' && text.len) {
            out_char(&o, text.data[0]);
            text = str_from(text, 1);
        } else if (c != '$')
            out_char(&o, c);
        else if (take_variable(&text, &name))
            out_str(&o, ssi_variable(r, name));
        else {
            request_log(r, LOG_LEVEL_ERROR, 0, "invalid variable name in \"%.*s\"", STR_ARG(whole));
            return false;
        }
    }
    *value = o.start ? out_str_of(&o) : STR("");
    return !o.overflow;
}

/* ---- conditions ---- */

static void keep_captures(struct request *r, struct regex *re, struct str subject,
                          const size_t *offsets, unsigned count)
{
    struct ssi_shared *shared = ssi_shared_of(r);
    const struct regex_name *names;
    unsigned named = regex_names(re, &names);
    struct str kept = arena_str(&r->main->arena, subject);

    for (unsigned i = 0; i < SSI_CAPTURES; i++) {
        bool set = i < count && offsets[2 * i] != SIZE_MAX;
        shared->captures[i] = set ? (struct str){ kept.data + offsets[2 * i],
                                                  offsets[2 * i + 1] - offsets[2 * i] }
                                  : (struct str){ NULL, 0 };
    }
    for (unsigned i = 0; i < named; i++) {
        unsigned group = names[i].group;
        if (group < SSI_CAPTURES && shared->captures[group].data)
            ssi_set_variable(r, names[i].name, shared->captures[group]);
    }
}

static bool match(struct request *r, struct str subject, struct str pattern, bool *value)
{
    size_t offsets[2 * SSI_CAPTURES];
    struct regex_error error;
    struct regex *re = regex_compile(&r->arena, arena_str(&r->arena, pattern), 0, &error);

    if (!re) {
        request_log(r, LOG_LEVEL_ERROR, 0, "regular expression \"%.*s\" is wrong: %s",
                    STR_ARG(pattern), error.text);
        return false;
    }
    unsigned count = regex_captures(re) + 1;
    if (count > SSI_CAPTURES)
        count = SSI_CAPTURES;
    enum regex_result result = regex_match(re, subject, offsets, count);
    *value = result == REGEX_MATCH;
    if (*value)
        keep_captures(r, re, subject, offsets, count);
    regex_fini(re);
    return result == REGEX_MATCH || result == REGEX_NO_MATCH;
}

bool ssi_evaluate(struct request *r, struct str text, bool *value)
{
    struct ssi_expression e;
    struct str left, right;
    bool equal;

    if (!ssi_parse_expression(text, &e)) {
        request_log(r, LOG_LEVEL_ERROR, 0, "invalid regular expression in \"%.*s\"", STR_ARG(text));
        return false;
    }
    if (!ssi_expand(r, e.left, &left))
        return false;
    if (e.operator == SSI_TRUE) {
        *value = left.len > 0;
        return true;
    }
    if (e.regex) {
        if (!match(r, left, e.right, &equal))
            return false;
    } else {
        if (!ssi_expand(r, e.right, &right))
            return false;
        equal = str_eq(left, right);
    }
    *value = equal == (e.operator == SSI_EQUAL);
    return true;
}

bool ssi_is_condition(struct str name)
{
    return str_eq(name, STR("if")) || str_eq(name, STR("elif")) || str_eq(name, STR("else")) ||
           str_eq(name, STR("endif"));
}

static bool misplaced(struct request *r, struct str name)
{
    request_log(r, LOG_LEVEL_ERROR, 0, "invalid context of SSI command: \"%.*s\"", STR_ARG(name));
    return false;
}

/* The expression of an `if` or `elif`, where it counts at all. */
static bool branch(struct request *r, const struct ssi_command *c, struct ssi_if *i)
{
    struct ssi_page *p = ssi_page_of(r);
    const struct str *text = ssi_param(c, "expr");

    p->shown = false;
    if (!i->outer || i->taken)
        return true;
    if (!text) {
        request_log(r, LOG_LEVEL_ERROR, 0, "mandatory \"expr\" parameter is absent in \"%.*s\" SSI "
                    "command", STR_ARG(c->name));
        return false;
    }
    if (!ssi_evaluate(r, *text, &p->shown))
        return false;
    i->taken = p->shown;
    return true;
}

static bool open_if(struct request *r, const struct ssi_command *c)
{
    struct ssi_page *p = ssi_page_of(r);

    if (p->depth == SSI_NESTED_IFS)
        return misplaced(r, c->name);
    struct ssi_if *i = &p->ifs[p->depth++];
    *i = (struct ssi_if){ .outer = p->shown };
    return branch(r, c, i);
}

bool ssi_condition(struct request *r, const struct ssi_command *c)
{
    struct ssi_page *p = ssi_page_of(r);
    struct ssi_if *i = p->depth ? &p->ifs[p->depth - 1] : NULL;

    if (str_eq(c->name, STR("if")))
        return open_if(r, c);
    if (!i || (i->ended && !str_eq(c->name, STR("endif"))))
        return misplaced(r, c->name);
    if (str_eq(c->name, STR("elif")))
        return branch(r, c, i);
    if (str_eq(c->name, STR("else"))) {
        i->ended = true;
        p->shown = i->outer && !i->taken;
        return true;
    }
    p->shown = i->outer;
    p->depth--;
    return true;
}

/* ---- times ---- */

struct str ssi_time(struct request *r, bool gmt)
{
    struct str format = ssi_page_of(r)->timefmt;
    time_t now = clock_seconds();
    char text[TIME_MAX];
    struct tm t;

    if (str_eq(format, STR("%s")))
        return arena_printf(&r->arena, "%lld", (long long)now);
    if (gmt)
        gmtime_r(&now, &t);
    else
        localtime_r(&now, &t);
    /* The format is the page's own: strftime writes within its bounds whatever it says. */
    size_t n = strftime(text, sizeof text, arena_str(&r->arena, format).data, &t);
    return arena_str(&r->arena, (struct str){ text, n });
}
