/*
 * template: see template.h.  A compiled template is a row of parts, and a value is made by appending
 * each: lengths are never computed beforehand.
 */
#include "script/template.h"

#include "config/types.h"

enum part_kind {
    PART_TEXT,
    PART_VARIABLE,
    PART_CAPTURE,
};

struct template_part {
    enum part_kind kind;
    unsigned capture;
    const struct variable *variable;
    struct str text;
};

/* What stands behind a "$": a variable's name or a capture's number. */
struct reference {
    struct str name;
    unsigned capture;      /* 0: it is a variable */
};

static bool is_name_char(char c)
{
    return char_is_digit(c) || c == '_' || (char_lower(c) >= 'a' && char_lower(c) <= 'z');
}

/* Reads what follows the "$" at the start of *rest, and moves on behind it. */
static bool read_reference(struct setting *s, unsigned word, struct str whole, struct str *rest,
                           struct reference *r)
{
    struct str at = str_from(*rest, 1);
    bool bracket = at.len > 0 && at.data[0] == '{';
    size_t len = 0;

    *r = (struct reference){ .capture = 0 };
    if (!bracket && at.len > 0 && at.data[0] >= '1' && at.data[0] <= '9') {
        r->capture = (unsigned)(at.data[0] - '0');
        *rest = str_from(at, 1);
        return true;
    }
    if (bracket)
        at = str_from(at, 1);
    while (len < at.len && is_name_char(at.data[len]))
        len++;
    if (bracket && (len == at.len || at.data[len] != '}'))
        return setting_error(s, word, "the closing bracket in \"%.*s\" variable is missing",
                             STR_ARG(whole));
    if (len == 0)
        return setting_error(s, word, "invalid variable name in \"%.*s\"", STR_ARG(whole));
    r->name = str_first(at, len);
    if (len == 1 && at.data[0] >= '1' && at.data[0] <= '9')    /* "${1}0", which nginx does not know */
        r->capture = (unsigned)(at.data[0] - '0');
    *rest = str_from(at, bracket ? len + 1 : len);
    return true;
}

static bool add_reference(struct setting *s, unsigned word, struct str whole, struct str *rest,
                          struct variables *names, struct template_part *part)
{
    struct reference r;

    if (!read_reference(s, word, whole, rest, &r))
        return false;
    if (r.capture) {
        *part = (struct template_part){ .kind = PART_CAPTURE, .capture = r.capture };
        return true;
    }
    if (!names)
        return setting_error(s, word, "variables can not be used here");
    *part = (struct template_part){
        .kind = PART_VARIABLE, .variable = variables_want(names, r.name, s->node, word),
    };
    return true;
}

bool template_compile_text(struct setting *s, unsigned word, struct str text,
                           struct variables *names, struct template *t)
{
    struct arena *a = setting_arena(s);
    ARRAY(struct template_part) parts = { 0 };

    *t = (struct template){ .text = arena_str(a, text) };
    if (str_index(text, '$') < 0)
        return true;
    for (struct str rest = t->text; rest.len > 0;) {
        ptrdiff_t dollar = str_index(rest, '$');
        size_t plain = dollar < 0 ? rest.len : (size_t)dollar;

        if (plain > 0) {
            *ARRAY_PUSH(&parts, a) = (struct template_part){
                .kind = PART_TEXT, .text = str_first(rest, plain),
            };
            rest = str_from(rest, plain);
        } else if (!add_reference(s, word, t->text, &rest, names, ARRAY_PUSH(&parts, a))) {
            return false;
        }
    }
    t->parts = parts.items;
    t->count = parts.count;
    return true;
}

bool template_compile(struct setting *s, unsigned word, struct variables *names, struct template *t)
{
    return template_compile_text(s, word, setting_arg(s, word), names, t);
}

static inline struct str part_value(const struct template_part *p, struct script *s)
{
    switch (p->kind) {
    case PART_VARIABLE:
        return value_str(variable_value(s, p->variable));
    case PART_CAPTURE:
        return p->capture < s->capture_count ? s->captures[p->capture] : STR("");
    case PART_TEXT:
        break;
    }
    return p->text;
}

void template_put(const struct template *t, struct script *s, struct out *o)
{
    if (t->count == 0)
        out_str(o, t->text);
    for (unsigned i = 0; i < t->count; i++)
        out_str(o, part_value(&t->parts[i], s));
}

struct str template_value_nul(const struct template *t, struct script *s)
{
    if (t->count == 0)
        return t->text;

    struct out o = out_growing(s->arena, TEMPLATE_MAX);

    template_put(t, s, &o);
    out_char(&o, '\0');
    if (o.overflow) {
        variable_fail(s, "the value of \"%.*s\" is too long", STR_ARG(t->text));
        return STR("");
    }
    return str_first(out_str_of(&o), out_len(&o) - 1);
}

struct str template_value(const struct template *t, struct script *s)
{
    if (t->count == 1)
        return part_value(&t->parts[0], s);
    return template_value_nul(t, s);
}

bool template_safe(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '\r' || value.data[i] == '\n' || value.data[i] == '\0')
            return false;
    }
    return true;
}

static bool template_parse(struct setting *s, void *field)
{
    return template_compile(s, 1, config_variables(s), field);
}

static void template_print(const struct directive *row, const void *field, struct out *o)
{
    const struct template *t = field;

    (void)row;
    print_word(o, t->text);
}

const struct type type_template = {
    .name = "string",
    .expected = "a text, in which variables such as $host may stand",
    .parse = template_parse,
    .print = template_print,
};
