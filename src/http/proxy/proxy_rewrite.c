/*
 * proxy_rewrite: see proxy_rewrite.h.  Cookies are taken apart into their attributes and put
 * together again only where one of them changes.
 */
#include "http/proxy/proxy_rewrite.h"

#include "config/types.h"
#include "http/proxy/exchange.h"
#include "http/proxy/proxy_conf.h"
#include "http/proxy/proxy_pass.h"

/* ---- directives ---- */

/* "text", "~pattern" or "~*pattern" at word 1; names are compared in any case in both forms. */
static bool parse_from(struct setting *s, bool names, struct template *text,
                       struct pattern **pattern, enum rewrite_kind *kind)
{
    struct str from = setting_arg(s, 1);
    bool star = str_starts(from, STR("~*"));

    *kind = str_starts(from, STR("~")) ? REWRITE_PATTERN : REWRITE_TEXT;
    if (*kind == REWRITE_TEXT)
        return template_compile(s, 1, config_variables(s), text);
    *pattern = pattern_compile(s, 1, str_from(from, star ? 2 : 1), star || names);
    return *pattern != NULL;
}

static bool parse_rule(struct setting *s, struct rewrites *list, bool may_default, bool names)
{
    struct rewrite rule = { .kind = REWRITE_OFF };
    struct str first = setting_arg(s, 1);

    if (s->node->count == 2) {
        if (may_default && str_eq(first, STR("default")))
            rule.kind = REWRITE_DEFAULT;
        else if (!str_eq(first, STR("off")))
            return setting_error(s, 1, "invalid parameter \"%.*s\"", STR_ARG(first));
    } else if (!parse_from(s, names, &rule.from, &rule.pattern, &rule.kind) ||
               !template_compile(s, 2, config_variables(s), &rule.to))
        return false;
    *ARRAY_PUSH(&list->items, setting_arena(s)) = rule;
    return true;
}

static bool parse_redirect(struct setting *s, void *field)
{
    return parse_rule(s, field, true, false);
}

static bool parse_domain(struct setting *s, void *field)
{
    return parse_rule(s, field, false, true);
}

static bool parse_path(struct setting *s, void *field)
{
    return parse_rule(s, field, false, false);
}

static void print_from(struct out *o, const struct template *text, const struct pattern *pattern)
{
    if (pattern) {
        out_char(o, '~');
        out_str(o, pattern_text(pattern));
    } else
        out_str(o, text->text);
}

static void print_rules(const struct directive *row, const void *field, struct out *o)
{
    const struct rewrites *list = field;

    (void)row;
    for (unsigned i = 0; i < list->items.count; i++) {
        const struct rewrite *rule = &list->items.items[i];
        if (i)
            OUT_LITERAL(o, "; ");
        if (rule->kind <= REWRITE_DEFAULT) {
            out_str(o, rule->kind == REWRITE_OFF ? STR("off") : STR("default"));
            continue;
        }
        print_from(o, &rule->from, rule->pattern);
        out_char(o, ' ');
        out_str(o, rule->to.text);
    }
}

const struct type type_proxy_redirect = {
    "default | off | redirect replacement", "default, off, or what is replaced and by what",
    parse_redirect, print_rules,
};
const struct type type_proxy_cookie_domain = {
    "off | domain replacement", "off, or what is replaced and by what", parse_domain, print_rules,
};
const struct type type_proxy_cookie_path = {
    "off | path replacement", "off, or what is replaced and by what", parse_path, print_rules,
};

static bool is_flag(struct str word)
{
    static const struct str names[] = {
        STR_INIT("secure"), STR_INIT("nosecure"), STR_INIT("httponly"), STR_INIT("nohttponly"),
        STR_INIT("samesite"), STR_INIT("nosamesite"), STR_INIT("samesite=strict"),
        STR_INIT("samesite=lax"), STR_INIT("samesite=none"),
    };

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_eq_nocase(names[i], word))
            return true;
    }
    return false;
}

static bool parse_flags(struct setting *s, void *field)
{
    struct cookie_flags_list *list = field;
    struct cookie_flags rule = { .kind = REWRITE_OFF };

    if (s->node->count == 2 && !str_eq(setting_arg(s, 1), STR("off")))
        return setting_error(s, 1, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, 1)));
    if (s->node->count > 2 && !parse_from(s, true, &rule.cookie, &rule.pattern, &rule.kind))
        return false;
    for (unsigned i = 2; i < s->node->count; i++) {
        struct template *t = ARRAY_PUSH(&rule.flags, setting_arena(s));
        if (!template_compile(s, i, config_variables(s), t))
            return false;
        if (template_is_text(t) && !is_flag(t->text))
            return setting_error(s, i, "invalid parameter \"%.*s\"", STR_ARG(t->text));
    }
    *ARRAY_PUSH(&list->items, setting_arena(s)) = rule;
    return true;
}

static void print_flags(const struct directive *row, const void *field, struct out *o)
{
    const struct cookie_flags_list *list = field;

    (void)row;
    for (unsigned i = 0; i < list->items.count; i++) {
        const struct cookie_flags *rule = &list->items.items[i];
        if (i)
            OUT_LITERAL(o, "; ");
        if (rule->kind == REWRITE_OFF)
            OUT_LITERAL(o, "off");
        else
            print_from(o, &rule->cookie, rule->pattern);
        for (unsigned n = 0; n < rule->flags.count; n++) {
            out_char(o, ' ');
            out_str(o, rule->flags.items[n].text);
        }
    }
}

const struct type type_proxy_cookie_flags = {
    "off | cookie [flag ...]", "off, or a cookie and flags", parse_flags, print_flags,
};

/* ---- addresses ---- */

static const struct proxy_conf *conf_of(const struct exchange *x)
{
    return x->wire_conf;
}

static struct script *script_of(const struct exchange *x)
{
    return request_script(x->request);
}

/* A rule that stands for no directive: what proxy_pass put there is taken away again. */
static bool apply_default(const struct exchange *x, struct str value, struct out *o)
{
    const struct proxy_pass *pass = conf_of(x)->pass;
    struct str from = pass->url.text, to = pass->location->name;

    if (!template_is_text(&pass->url) || !str_starts(value, from))
        return false;
    value = str_from(value, from.len);
    if (!pass->target.uri.len) {
        if (value.len == 0 || value.data[0] != '/')
            return false;
        to = STR("");
    }
    out_str(o, to);
    out_str(o, value);
    return true;
}

/* A rule's work on the start of a value.  false: it does not fit. */
static bool apply(const struct exchange *x, const struct rewrite *rule, struct str value,
                  struct out *o)
{
    struct str from;

    switch (rule->kind) {
    case REWRITE_OFF:
        return false;
    case REWRITE_DEFAULT:
        return apply_default(x, value, o);
    case REWRITE_PATTERN:
        if (pattern_match(rule->pattern, script_of(x), value) != PATTERN_MATCH)
            return false;
        template_put(&rule->to, script_of(x), o);
        return true;
    case REWRITE_TEXT:
        from = template_value(&rule->from, script_of(x));
        if (!str_starts(value, from))
            return false;
        template_put(&rule->to, script_of(x), o);
        out_str(o, str_from(value, from.len));
        return true;
    }
    return false;
}

static struct out space_for(const struct exchange *x)
{
    return out_growing(&x->request->arena, TEMPLATE_MAX);
}

/* The first rule that fits an address; data NULL: none does. */
static struct str rewrite_address(const struct exchange *x, struct str value)
{
    static const struct rewrite usual = { .kind = REWRITE_DEFAULT };
    const struct rewrites *rules = &conf_of(x)->redirects;
    struct out o = space_for(x);

    if (rules->items.count == 0)
        return apply(x, &usual, value, &o) ? out_str_of(&o) : (struct str){ NULL, 0 };
    for (unsigned i = 0; i < rules->items.count; i++) {
        if (apply(x, &rules->items.items[i], value, &o))
            return out_str_of(&o);
    }
    return (struct str){ NULL, 0 };
}

static struct str rewrite_location(struct exchange *x, struct str value)
{
    struct str other = rewrite_address(x, value);

    if (!other.data || !template_safe(other))
        return value;
    x->request->response.location = other;     /* a path is made absolute as it is sent */
    return (struct str){ NULL, 0 };
}

/* "7; url=http://..." */
static struct str rewrite_refresh(struct exchange *x, struct str value)
{
    ptrdiff_t url = str_find_nocase(value, STR("url="));
    size_t start = (size_t)url + sizeof "url=" - 1;
    struct str other = url < 0 ? (struct str){ NULL, 0 }
                               : rewrite_address(x, str_from(value, start));

    if (!other.data || !template_safe(other))
        return value;
    return arena_concat(&x->request->arena, str_first(value, start), other);
}

/* ---- cookies ---- */

enum { ATTRIBUTES_MAX = 16 };

struct cookie {
    struct str attributes[ATTRIBUTES_MAX];     /* the first is "name=value" */
    unsigned count;
    bool changed;
};

/* false: more attributes than a cookie has. */
static bool take_apart(struct str value, struct cookie *c)
{
    *c = (struct cookie){ 0 };
    while (value.data) {
        if (c->count == ATTRIBUTES_MAX)
            return false;
        c->attributes[c->count++] = str_trim(str_split(&value, ';'));
    }
    return true;
}

/* Whether an attribute has that name, and what stands behind "=". */
static bool is_attribute(struct str attribute, struct str name, struct str *value)
{
    struct str rest = attribute;

    if (!str_eq_nocase(str_trim(str_split(&rest, '=')), name))
        return false;
    *value = rest.data ? str_trim(rest) : STR("");
    return true;
}

static struct str without_dot(struct str s)
{
    return s.len && s.data[0] == '.' ? str_from(s, 1) : s;
}

/* Domains are compared whole, in any case, a dot in front left aside. */
static bool apply_domain(const struct exchange *x, const struct rewrite *rule, struct str value,
                         struct out *o)
{
    struct script *s = script_of(x);
    bool dot = value.len && value.data[0] == '.';

    value = without_dot(value);
    if (rule->kind == REWRITE_TEXT) {
        if (!str_eq_nocase(value, without_dot(template_value(&rule->from, s))))
            return false;
    } else if (rule->kind != REWRITE_PATTERN ||
               pattern_match(rule->pattern, s, value) != PATTERN_MATCH)
        return false;
    if (dot)
        out_char(o, '.');
    out_str(o, without_dot(template_value(&rule->to, s)));
    return true;
}

typedef bool apply_rule(const struct exchange *x, const struct rewrite *rule, struct str value,
                        struct out *o);

static void rewrite_attributes(const struct exchange *x, struct cookie *c, struct str name,
                               const struct rewrites *rules, apply_rule *fits)
{
    for (unsigned i = 1; i < c->count; i++) {
        struct str value;
        if (!is_attribute(c->attributes[i], name, &value))
            continue;
        for (unsigned n = 0; n < rules->items.count; n++) {
            struct out o = space_for(x);
            out_str(&o, str_first(c->attributes[i], name.len));
            out_char(&o, '=');
            if (!fits(x, &rules->items.items[n], value, &o))
                continue;
            c->attributes[i] = out_str_of(&o);
            c->changed = true;
            break;
        }
    }
}

static void remove_attribute(struct cookie *c, struct str name)
{
    unsigned left = 1;
    struct str value;

    for (unsigned i = 1; i < c->count; i++) {
        if (!is_attribute(c->attributes[i], name, &value))
            c->attributes[left++] = c->attributes[i];
    }
    c->changed = true;
    c->count = left;
}

static void set_flag(struct cookie *c, struct str flag)
{
    static const struct {
        struct str word, name;         /* what is written, the attribute */
        struct str text;               /* how it is sent; empty: not */
    } flags[] = {
        { STR_INIT("secure"), STR_INIT("secure"), STR_INIT("Secure") },
        { STR_INIT("nosecure"), STR_INIT("secure"), STR_INIT("") },
        { STR_INIT("httponly"), STR_INIT("httponly"), STR_INIT("HttpOnly") },
        { STR_INIT("nohttponly"), STR_INIT("httponly"), STR_INIT("") },
        { STR_INIT("samesite"), STR_INIT("samesite"), STR_INIT("SameSite") },
        { STR_INIT("samesite=strict"), STR_INIT("samesite"), STR_INIT("SameSite=Strict") },
        { STR_INIT("samesite=lax"), STR_INIT("samesite"), STR_INIT("SameSite=Lax") },
        { STR_INIT("samesite=none"), STR_INIT("samesite"), STR_INIT("SameSite=None") },
        { STR_INIT("nosamesite"), STR_INIT("samesite"), STR_INIT("") },
    };

    for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (!str_eq_nocase(flags[i].word, flag))
            continue;
        remove_attribute(c, flags[i].name);
        if (flags[i].text.len && c->count < ATTRIBUTES_MAX)
            c->attributes[c->count++] = flags[i].text;
    }
}

static void set_flags(const struct exchange *x, struct cookie *c)
{
    const struct cookie_flags_list *list = &conf_of(x)->cookie_flags;
    struct str rest = c->attributes[0], name = str_trim(str_split(&rest, '='));
    struct script *s = script_of(x);

    for (unsigned i = 0; i < list->items.count; i++) {
        const struct cookie_flags *rule = &list->items.items[i];
        if (rule->kind == REWRITE_OFF)
            return;
        bool fits = rule->kind == REWRITE_PATTERN
                        ? pattern_match(rule->pattern, s, name) == PATTERN_MATCH
                        : str_eq_nocase(template_value(&rule->cookie, s), name);
        if (!fits)
            continue;
        for (unsigned n = 0; n < rule->flags.count; n++)
            set_flag(c, template_value(&rule->flags.items[n], s));
        return;
    }
}

static struct str rewrite_cookie(const struct exchange *x, struct str value)
{
    const struct proxy_conf *conf = conf_of(x);
    struct out o = space_for(x);
    struct cookie c;

    if (conf->cookie_domains.items.count + conf->cookie_paths.items.count +
            conf->cookie_flags.items.count == 0 || !take_apart(value, &c))
        return value;
    rewrite_attributes(x, &c, STR("domain"), &conf->cookie_domains, apply_domain);
    rewrite_attributes(x, &c, STR("path"), &conf->cookie_paths, apply);
    set_flags(x, &c);
    if (!c.changed)
        return value;
    for (unsigned i = 0; i < c.count; i++) {
        if (i)
            OUT_LITERAL(&o, "; ");
        out_str(&o, c.attributes[i]);
    }
    return template_safe(out_str_of(&o)) ? out_str_of(&o) : value;
}

struct str proxy_rewrite_field(struct exchange *x, const struct header *f)
{
    switch (f->id) {
    case HEADER_LOCATION:
        return rewrite_location(x, f->value);
    case HEADER_REFRESH:
        return rewrite_refresh(x, f->value);
    case HEADER_SET_COOKIE:
        return rewrite_cookie(x, f->value);
    default:
        return f->value;
    }
}
