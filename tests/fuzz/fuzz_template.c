/*
 * fuzz_template: any text is compiled as a template, and what is good is evaluated, with variables that
 * are found, missing, of a prefix, volatile, and that refer to each other.
 */
#include <stdint.h>
#include <stdlib.h>

#include "script/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool get_text(struct script *s, const struct variable *var, struct value *v)
{
    (void)s;
    *v = (struct value){ .data = var->name.data, .len = (uint32_t)var->name.len,
                         .state = VALUE_FOUND };
    return true;
}

static bool get_nothing(struct script *s, const struct variable *var, struct value *v)
{
    (void)s, (void)var, (void)v;
    return true;
}

static bool get_template(struct script *s, const struct variable *var, struct value *v)
{
    struct str text = template_value((const struct template *)var->data, s);

    *v = (struct value){ .data = text.data, .len = (uint32_t)text.len, .state = VALUE_FOUND };
    return true;
}

static const struct variable list[] = {
    { .name = STR_INIT("a"), .get = get_text },
    { .name = STR_INIT("volatile"), .get = get_text, .flags = VARIABLE_VOLATILE },
    { .name = STR_INIT("nothing"), .get = get_nothing },
    { .name = STR_INIT("arg_"), .get = get_text, .flags = VARIABLE_PREFIX },
    { .name = { NULL, 0 } },
};

static void evaluate(const struct template *t, struct variables *names)
{
    static const struct str captures[] = { STR_INIT("all"), STR_INIT("one"), STR_INIT("two") };
    static const struct log quiet = { .level = LOG_LEVEL_STDERR };
    struct arena arena;
    char space[64];
    struct out o = out_fixed(space, sizeof space);

    arena_init(&arena);

    struct script s = {
        .arena = &arena,
        .names = names,
        .values = ARENA_NEW_ARRAY(&arena, struct value, variables_count(names) + 1),
        .captures = captures,
        .capture_count = 3,
        .log = &quiet,
    };
    struct str value = template_value_nul(t, &s), same = template_value(t, &s);

    if (value.data[value.len] != '\0' || (!s.failed && !str_eq(value, same)) || s.depth != 0)
        abort();
    template_put(t, &s, &o);
    if (!o.overflow && !str_eq(out_str_of(&o), value))
        abort();
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    struct diag diag;

    diag_init(&diag);

    struct tree *tree = tree_parse(STR("fuzz"), STR("text x;"), &diag);
    struct generation *g = generation_new();
    struct config config = { .generation = g, .tree = tree, .diag = &diag };
    struct setting s = { .config = &config, .node = tree->top };
    struct variables *names = variables_new(&g->arena);
    struct template t;
    struct variable self = { .name = STR("self"), .get = get_template, .data = (uintptr_t)&t };

    variables_add_all(names, list);
    variables_add(names, &self);
    if (template_compile_text(&s, 1, text, names, &t))
        evaluate(&t, names);
    arena_fini(&config.scratch);
    generation_unref(g);
    tree_free(tree);
    diag_fini(&diag);
    return 0;
}
