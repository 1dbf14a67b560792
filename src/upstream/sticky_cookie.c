/*
 * sticky_cookie: see sticky_cookie.h.
 */
#include "upstream/sticky_cookie.h"

#include "base/clock.h"
#include "config/types.h"

enum { COOKIE_MAX = 65536, EXPIRES_MAX = -1, MAX_AGE = 315360000 };

static bool parse_expires(struct str text, int64_t *expires)
{
    time_t seconds;

    if (str_eq(text, STR("max"))) {
        *expires = EXPIRES_MAX;
        return true;
    }
    if (!parse_seconds(text, &seconds) || seconds == 0)
        return false;
    *expires = seconds;
    return true;
}

/* A text, or variables that are looked at when the cookie is set. */
static bool parse_samesite(struct setting *s, unsigned i, struct str text, struct template *to)
{
    static const struct name_value names[] = { { "strict", 0 }, { "lax", 0 }, { "none", 0 }, { 0 } };
    unsigned value;

    return str_index(text, '$') >= 0 || parse_enum(text, names, &value)
               ? template_compile_text(s, i, text, config_variables(s), to)
               : setting_error(s, i, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, i)));
}

static bool parse_word(struct setting *s, unsigned i, struct sticky_cookie *c)
{
    struct str word = setting_arg(s, i);
    bool good = true;

    if (str_starts(word, STR("domain=")))
        return template_compile_text(s, i, str_from(word, 7), config_variables(s), &c->domain);
    if (str_starts(word, STR("samesite=")))
        return parse_samesite(s, i, str_from(word, 9), &c->samesite);
    if (str_starts(word, STR("expires=")))
        good = parse_expires(str_from(word, 8), &c->expires);
    else if (str_starts(word, STR("path=")))
        c->path = arena_str(setting_arena(s), str_from(word, 5));
    else if (str_eq(word, STR("httponly")))
        c->httponly = true;
    else if (str_eq(word, STR("secure")))
        c->secure = true;
    else
        good = false;
    return good || setting_error(s, i, "invalid parameter \"%.*s\"", STR_ARG(word));
}

bool sticky_cookie_parse(struct setting *s, struct sticky_cookie *c)
{
    c->name = arena_str(setting_arena(s), setting_arg(s, 2));
    for (unsigned i = 0; i < c->name.len; i++) {
        if ((unsigned char)c->name.data[i] <= ' ' || strchr("()<>@,;:\\\"/[]?={}\x7f", c->name.data[i]))
            return setting_error(s, 2, "\"%.*s\" is no name for a cookie", STR_ARG(c->name));
    }
    if (c->name.len == 0)
        return setting_error(s, 2, "empty cookie name");
    for (unsigned i = 3; i < s->node->count; i++) {
        if (!parse_word(s, i, c))
            return false;
    }
    return true;
}

static void put_expires(struct out *o, int64_t expires)
{
    OUT_LITERAL(o, "; expires=");
    if (expires == EXPIRES_MAX) {
        OUT_LITERAL(o, "Thu, 31-Dec-37 23:55:55 GMT");
        expires = MAX_AGE;
    } else
        clock_put_cookie_date(o, clock_seconds() + (time_t)expires);
    out_printf(o, "; max-age=%lld", (long long)expires);
}

/* What has no value is left out, and so is one that would end the attribute before its time. */
static void put_attribute(struct out *o, struct str name, struct str value)
{
    if (!value.len || !template_safe(value) || str_index(value, ';') >= 0)
        return;
    out_str(o, name);
    out_str(o, value);
}

struct str sticky_cookie_value(const struct sticky_cookie *c, struct str peer, struct script *script)
{
    struct out o = out_growing(script->arena, COOKIE_MAX);

    out_str(&o, c->name);
    out_char(&o, '=');
    out_str(&o, peer);
    if (c->expires)
        put_expires(&o, c->expires);
    put_attribute(&o, STR("; domain="), template_value(&c->domain, script));
    if (c->httponly)
        OUT_LITERAL(&o, "; httponly");
    put_attribute(&o, STR("; samesite="), template_value(&c->samesite, script));
    if (c->secure)
        OUT_LITERAL(&o, "; secure");
    put_attribute(&o, STR("; path="), c->path);
    return out_str_of(&o);
}
