/*
 * config_variables: see config_variables.h.
 */
#include "script/config_variables.h"

struct variables *config_variables(const struct setting *s)
{
    for (const struct block *b = s->block; b; b = b->parent) {
        if (b->variables)
            return b->variables;
    }
    return NULL;
}

void config_set_variables(struct block *b, struct variables *names)
{
    b->variables = names;
}

bool config_end_variables(struct setting *s)
{
    struct variables *names = s->block->variables;
    const struct variable *var;
    struct setting place = *s;
    unsigned at = 0, word = 0;
    bool good = true;

    while ((var = variables_undefined(names, &at, &place.node, &word)))
        good = setting_error(&place, word, "unknown \"%.*s\" variable", STR_ARG(var->name));
    s->block->variables = NULL;
    return good;
}

const struct variable *config_variable(struct setting *s, unsigned word, struct str name)
{
    struct variables *names = config_variables(s);

    if (!names) {
        setting_error(s, word, "variables can not be used here");
        return NULL;
    }
    return variables_want(names, name, s->node, word);
}

bool config_variable_name(struct setting *s, unsigned word, struct str *name)
{
    struct str text = setting_arg(s, word);

    if (text.len < 2 || text.data[0] != '$')
        return setting_error(s, word, "invalid variable name \"%.*s\"", STR_ARG(text));
    *name = str_from(text, 1);
    return true;
}

bool config_define_variable(struct setting *s, unsigned word, struct variable *var)
{
    struct variables *names = config_variables(s);

    if (!config_variable_name(s, word, &var->name))
        return false;
    if (!names)
        return setting_error(s, word, "variables can not be used here");
    if (!variables_add(names, var))
        return setting_error(s, word, "the duplicate \"%.*s\" variable", STR_ARG(var->name));
    return true;
}
