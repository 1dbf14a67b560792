/*
 * health_match: see health_match.h.
 */
#include "http/proxy/health_match.h"

#include "base/regex/regex.h"
#include "http/proxy/http1_parse.h"
#include "script/conditions.h"
#include "script/pattern.h"
#include "upstream/upstream.h"

struct status_range {
    unsigned first, last;
};

/* A line of the block. */
struct condition {
    bool is_not;                       /* what is said must not be so */
    struct status_range *ranges;       /* of status */
    unsigned count;
    struct str field, value;           /* of header; value.data NULL: that it is there counts */
    struct pattern *pattern;           /* of header and body; NULL: none */
};

struct health_match {
    struct str name;
    bool defined;
    ARRAY(struct condition) statuses, headers, bodies;
    ARRAY(struct template) required;
};

static struct status_range usual_range = { 200, 399 };
static struct condition usual_status = { .ranges = &usual_range, .count = 1 };

const struct health_match health_match_usual = { .statuses = { &usual_status, 1, 1 } };

/* ---- blocks ---- */

static struct health_match *find(struct setting *s, struct health_matches *all, struct str name)
{
    struct arena *a = setting_arena(s);

    for (unsigned i = 0; i < all->list.count; i++) {
        if (str_eq(all->list.items[i]->name, name))
            return all->list.items[i];
    }
    struct health_match *m = ARENA_NEW(a, struct health_match);
    m->name = arena_str(a, name);
    *ARRAY_PUSH(&all->list, a) = m;
    return m;
}

const struct health_match *health_match_use(struct setting *s, unsigned word, struct str name,
                                            struct health_matches *all)
{
    const struct block *b = s->block;

    while (b && b->context != IN_HTTP)
        b = b->parent;
    for (const struct node *n = b && b->node ? b->node->children : NULL; n; n = n->next) {
        if (n->count == 2 && str_eq(n->words[0].text, STR("match")) &&
            str_eq(n->words[1].text, name))
            return find(s, all, name);
    }
    setting_error(s, word, "match \"%.*s\" is not defined", STR_ARG(name));
    return NULL;
}

bool health_match_open(struct setting *s, struct health_matches *all)
{
    struct health_match *m = find(s, all, setting_arg(s, 1));

    if (m->defined)
        return setting_error(s, 1, "duplicate match \"%.*s\"", STR_ARG(m->name));
    m->defined = true;
    config_block(s, IN_OTHER, m);
    return true;
}

/* ---- lines ---- */

/* "200" or "200-399". */
static bool read_range(struct str text, struct status_range *r)
{
    struct str rest = text, first = str_split(&rest, '-');

    if (!str_to_uint(first, 999, &r->first) || r->first < 100)
        return false;
    r->last = r->first;
    return !rest.data || (str_to_uint(rest, 999, &r->last) && r->last >= r->first);
}

static bool parse_status(struct setting *s, void *field)
{
    struct health_match *m = s->block->object;
    struct condition *c = ARRAY_PUSH(&m->statuses, setting_arena(s));
    unsigned i = 1;

    (void)field;
    c->is_not = str_eq(setting_arg(s, 1), STR("!"));
    i += c->is_not;
    if (i == s->node->count)
        return setting_error(s, 1, "no status is given");
    c->ranges = ARENA_NEW_ARRAY(setting_arena(s), struct status_range, s->node->count);
    for (; i < s->node->count; i++) {
        if (!read_range(setting_arg(s, i), &c->ranges[c->count++]))
            return setting_error(s, i, "invalid status \"%.*s\"", STR_ARG(setting_arg(s, i)));
    }
    return true;
}

/* "= value", "!= value", "~ pattern" or "!~ pattern" in words i and i + 1. */
static bool read_comparison(struct setting *s, unsigned i, bool texts, struct condition *c)
{
    struct str how = setting_arg(s, i), what = setting_arg(s, i + 1);

    c->is_not = how.len == 2 && how.data[0] == '!';
    if (c->is_not)
        how = str_from(how, 1);
    if (str_eq(how, STR("~"))) {
        c->pattern = pattern_compile(s, i + 1, what, false);
        return c->pattern != NULL;
    }
    if (!texts || !str_eq(how, STR("=")))
        return setting_error(s, i, "invalid comparison \"%.*s\"", STR_ARG(setting_arg(s, i)));
    c->value = arena_str(setting_arena(s), what);
    return true;
}

static bool parse_header(struct setting *s, void *field)
{
    struct health_match *m = s->block->object;
    struct condition *c = ARRAY_PUSH(&m->headers, setting_arena(s));
    unsigned count = s->node->count;

    (void)field;
    if (count == 3 && str_eq(setting_arg(s, 1), STR("!"))) {
        c->is_not = true;
        c->field = arena_str(setting_arena(s), setting_arg(s, 2));
        return true;
    }
    c->field = arena_str(setting_arena(s), setting_arg(s, 1));
    if (count == 3)
        return setting_error(s, 2, "a comparison wants a value");
    return count == 2 || read_comparison(s, 2, true, c);
}

static bool parse_body(struct setting *s, void *field)
{
    struct health_match *m = s->block->object;

    (void)field;
    return read_comparison(s, 1, false, ARRAY_PUSH(&m->bodies, setting_arena(s)));
}

static bool parse_require(struct setting *s, void *field)
{
    struct health_match *m = s->block->object;
    bool good = true;

    (void)field;
    for (unsigned i = 1; good && i < s->node->count; i++) {
        struct str word = setting_arg(s, i);
        if (word.len < 2 || word.data[0] != '$')
            return setting_error(s, i, "invalid variable name \"%.*s\"", STR_ARG(word));
        good = template_compile(s, i, config_variables(s), ARRAY_PUSH(&m->required, setting_arena(s)));
    }
    return good;
}

const struct type type_match_status = {
    "[!] code ...", "codes and ranges such as 200-399, and perhaps ! before them", parse_status,
    NULL,
};
const struct type type_match_header = {
    "[!] name | name = | != | ~ | !~ value", "a field, and perhaps what its value must be",
    parse_header, NULL,
};
const struct type type_match_body = {
    "~ | !~ pattern", "~ or !~, and a regular expression", parse_body, NULL,
};
const struct type type_match_require = {
    "$variable ...", "variables", parse_require, NULL,
};

/* ---- responses ---- */

static bool matches(const struct condition *c, struct str text)
{
    return regex_match(pattern_regex(c->pattern), text, NULL, 0) == REGEX_MATCH;
}

static bool has_status(const struct condition *c, unsigned status)
{
    for (unsigned i = 0; i < c->count; i++) {
        if (status >= c->ranges[i].first && status <= c->ranges[i].last)
            return true;
    }
    return false;
}

/* Of several fields of the name one that fits is enough; for a value that must be another it must be there,
 * too. */
static bool is_good_field(const struct condition *c, struct str fields)
{
    struct str line, name, value;
    bool there = false, fits = false, compares = c->pattern || c->value.data;

    while (http1_next_line(&fields, &line) &&
           http1_parse_field(line, &name, &value) == HTTP1_FIELD) {
        if (!str_eq_nocase(name, c->field))
            continue;
        there = true;
        fits |= c->pattern ? matches(c, value) : !compares || str_eq(value, c->value);
    }
    return c->is_not ? !fits && (there || !compares) : fits;
}

bool health_match_requires(const struct health_match *m)
{
    return m->required.count > 0;
}

bool health_match_required(const struct health_match *m, struct script *s)
{
    for (unsigned i = 0; i < m->required.count; i++) {
        if (!condition_is_true(&m->required.items[i], s))
            return false;
    }
    return true;
}

bool health_match_wants_body(const struct health_match *m)
{
    return m->bodies.count > 0;
}

const char *health_match_head(const struct health_match *m, unsigned status, struct str fields)
{
    for (unsigned i = 0; i < m->statuses.count; i++) {
        if (has_status(&m->statuses.items[i], status) == m->statuses.items[i].is_not)
            return "checking status code";
    }
    for (unsigned i = 0; i < m->headers.count; i++) {
        if (!is_good_field(&m->headers.items[i], fields))
            return "checking response header";
    }
    return NULL;
}

const char *health_match_body(const struct health_match *m, struct str body)
{
    for (unsigned i = 0; i < m->bodies.count; i++) {
        if (matches(&m->bodies.items[i], body) == m->bodies.items[i].is_not)
            return "checking response body";
    }
    return NULL;
}
