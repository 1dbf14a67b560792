/*
 * conditions: see conditions.h.
 */
#include "script/conditions.h"

#include "config/types.h"

bool condition_is_true(const struct template *t, struct script *s)
{
    struct str value = template_value(t, s);

    return value.len > 0 && !str_eq(value, STR("0"));
}

bool conditions_any(const struct conditions *c, struct script *s)
{
    for (unsigned i = 0; i < c->list.count; i++) {
        if (condition_is_true(&c->list.items[i], s))
            return true;
    }
    return false;
}

bool conditions_all(const struct conditions *c, struct script *s)
{
    for (unsigned i = 0; i < c->list.count; i++) {
        if (!condition_is_true(&c->list.items[i], s))
            return false;
    }
    return true;
}

static bool parse_conditions(struct setting *s, void *field)
{
    struct conditions *c = field;

    *c = (struct conditions){ 0 };
    for (unsigned i = 1; i < s->node->count; i++) {
        struct template *t = ARRAY_PUSH(&c->list, setting_arena(s));
        if (!template_compile(s, i, config_variables(s), t))
            return false;
    }
    return true;
}

static void print_conditions(const struct directive *row, const void *field, struct out *o)
{
    const struct conditions *c = field;

    (void)row;
    for (unsigned i = 0; i < c->list.count; i++) {
        if (i)
            out_char(o, ' ');
        print_word(o, c->list.items[i].text);
    }
}

const struct type type_conditions = {
    "string ...", "texts that are true unless they are empty or 0", parse_conditions,
    print_conditions,
};
