/*
 * rewrite_rule: the directive `rewrite`: its line, and what it does to a request.
 */
#include "config/types.h"
#include "http/escape.h"
#include "http/modules/rewrite/rewrite_program.h"
#include "http/request.h"
#include "http/response.h"

/* ---- the line ---- */

static bool parse_flag_word(struct setting *s, struct rewrite_rule *rule)
{
    struct str flag = setting_arg(s, 3);

    if (str_eq(flag, STR("redirect")))
        rule->status = STATUS_FOUND;
    else if (str_eq(flag, STR("permanent")))
        rule->status = STATUS_MOVED_PERMANENTLY;
    else if (str_eq(flag, STR("break")))
        rule->stay = true;
    else if (!str_eq(flag, STR("last")))
        return setting_error_hint(s, 3, STR("expected: last, break, redirect or permanent"),
                                  "invalid parameter \"%.*s\"", STR_ARG(flag));
    rule->last = true;
    return true;
}

/* The replacement: an address stays whole, a path ends at its first "?". */
static bool parse_replacement(struct setting *s, struct rewrite_rule *rule, struct str text)
{
    struct variables *names = config_variables(s);
    ptrdiff_t query = str_index(text, '?');

    rule->has_args = query >= 0;
    if (rule->status || query < 0)
        return template_compile_text(s, 2, text, names, &rule->uri);
    return template_compile_text(s, 2, str_first(text, (size_t)query), names, &rule->uri) &&
           template_compile_text(s, 2, str_from(text, (size_t)query + 1), names, &rule->args);
}

bool rewrite_parse_rule(struct setting *s, void *field)
{
    struct rewrite_rule rule = { .keep_args = true };
    struct str text = setting_arg(s, 2);

    (void)field;
    if (text.len == 0)
        return setting_error(s, 2, "empty replacement");
    if (text.data[text.len - 1] == '?') {
        rule.keep_args = false;
        text.len--;
    }
    if (rewrite_is_url(text)) {
        rule.status = STATUS_FOUND;
        rule.last = true;
    }
    if (s->node->count == 4 && !parse_flag_word(s, &rule))
        return false;
    rule.pattern = pattern_compile(s, 1, setting_arg(s, 1), false);
    if (!rule.pattern || !parse_replacement(s, &rule, text))
        return false;
    rewrite_step_add(s, REWRITE_OP_rule)->rule = rule;
    return true;
}

/* ---- a request ---- */

/*
 * Takes the encoding off an address up to its "?", as far as that is safe: characters above "%" that
 * can be seen.  A "%" without digits behind it is dropped.
 */
static void unescape_address(struct out *o, struct str s)
{
    size_t i = 0;

    while (i < s.len) {
        char c = s.data[i++];
        if (c == '?') {
            out_char(o, c);
            break;
        }
        if (c != '%' || i == s.len) {
            if (c != '%')
                out_char(o, c);
            continue;
        }
        int high = char_hex(s.data[i]), low = i + 1 < s.len ? char_hex(s.data[i + 1]) : -1;
        if (high < 0) {                        /* the "%" is dropped */
            out_char(o, s.data[i++]);
            continue;
        }
        int code = high * 16 + low;
        i += 2;
        if (low < 0)                           /* and so are "%" and one digit */
            continue;
        if (code > '%' && code < 0x7f) {
            out_char(o, (char)code);
            if (code == '?')
                break;
        } else
            out_bytes(o, s.data + i - 3, 3);
    }
    out_str(o, str_from(s, i < s.len ? i : s.len));
}

/* The request's arguments behind those that the replacement gave. */
static void add_args(struct out *o, const struct request *r, const struct rewrite_rule *rule,
                     char separator)
{
    if (!rule->keep_args || r->args.len == 0)
        return;
    out_char(o, separator);
    out_str(o, r->args);
}

static int redirect(struct rewrite_run *run, const struct rewrite_rule *rule)
{
    struct request *r = run->r;
    struct str address = rewrite_escaped_value(r, &rule->uri);
    struct out o = out_growing(&r->arena, TEMPLATE_MAX);

    if (r->script.failed)
        return STATUS_INTERNAL_SERVER_ERROR;
    unescape_address(&o, address);
    add_args(&o, r, rule, rule->has_args ? '&' : '?');
    if (o.overflow)
        return STATUS_INTERNAL_SERVER_ERROR;
    address = out_str_of(&o);
    if (run->log)
        request_log(r, LOG_LEVEL_NOTICE, 0, "rewritten redirect: \"%.*s\"", STR_ARG(address));
    return response_redirect(r, rule->status, address);
}

/* The new arguments: false if they can't be put together. */
static bool change_args(struct request *r, const struct rewrite_rule *rule)
{
    struct out o = out_growing(&r->arena, TEMPLATE_MAX);

    if (!rule->has_args) {
        if (!rule->keep_args)
            r->args = STR("");
        return true;
    }
    out_str(&o, rewrite_escaped_value(r, &rule->args));
    add_args(&o, r, rule, '&');
    r->args = out_str_of(&o);
    return !o.overflow;
}

int rewrite_op_rule(struct rewrite_run *run, const struct rewrite_step *step)
{
    const struct rewrite_rule *rule = &step->rule;
    struct request *r = run->r;

    switch (rewrite_match(run, rule->pattern, r->uri)) {
    case PATTERN_NO_MATCH:
        return STEP_NEXT;
    case PATTERN_FAILED:
        return STATUS_INTERNAL_SERVER_ERROR;
    case PATTERN_MATCH:
        break;
    }
    if (rule->status)
        return redirect(run, rule);
    struct str uri = template_value_nul(&rule->uri, request_script(r));
    if (!change_args(r, rule) || r->script.failed)
        return STATUS_INTERNAL_SERVER_ERROR;
    if (run->log)
        request_log(r, LOG_LEVEL_NOTICE, 0, "rewritten data: \"%.*s\", args: \"%.*s\"",
                    STR_ARG(uri), STR_ARG(r->args));
    if (uri.len == 0) {
        request_log(r, LOG_LEVEL_ERROR, 0, "the rewritten URI has a zero length");
        return STATUS_INTERNAL_SERVER_ERROR;
    }
    r->uri = uri;
    r->flags.internal = true;
    r->flags.rewritten = true;
    r->flags.uri_changed = !rule->stay;
    r->flags.path_settled |= rule->stay;
    run->escape = false;
    return rule->last ? REWRITE_END : STEP_NEXT;
}
