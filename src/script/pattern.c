/*
 * pattern: see pattern.h.
 */
#include "script/pattern.h"

#include "base/regex/regex.h"

struct pattern_name {
    const struct variable *variable;
    unsigned group;
};

struct pattern {
    struct regex *regex;
    struct str text;
    unsigned groups;
    const struct pattern_name *names;
    unsigned name_count;
};

enum { GROUPS_ON_STACK = 16 };

static void pattern_free(void *data)
{
    struct pattern *p = data;

    regex_fini(p->regex);
}

/* The variables of the named groups; a variable of that name that is there is set instead. */
static bool pattern_use_names(struct setting *s, unsigned word, struct pattern *p)
{
    struct variables *names = config_variables(s);
    const struct regex_name *list;
    unsigned count = regex_names(p->regex, &list);
    struct pattern_name *used = ARENA_NEW_ARRAY(setting_arena(s), struct pattern_name, count);

    if (count > 0 && !names)
        return setting_error(s, word, "variables can not be used here");
    for (unsigned i = 0; i < count; i++) {
        struct variable var = {
            .name = list[i].name, .flags = VARIABLE_CHANGEABLE | VARIABLE_WEAK,
        };

        if (!variables_add(names, &var))
            return setting_error(s, word, "the duplicate \"%.*s\" variable", STR_ARG(var.name));
        used[i].variable = variables_use(names, list[i].name);
        used[i].group = list[i].group;
    }
    p->names = used;
    p->name_count = count;
    return true;
}

struct pattern *pattern_compile(struct setting *s, unsigned word, struct str text, bool caseless)
{
    struct arena *a = setting_arena(s);
    struct pattern *p = ARENA_NEW(a, struct pattern);
    struct regex_error error;

    p->text = arena_str(a, text);
    p->regex = regex_compile(a, p->text, caseless ? REGEX_CASELESS : 0, &error);
    if (!p->regex) {
        struct str rest = str_from(text, error.offset < text.len ? error.offset : text.len);

        setting_error(s, word, "regular expression \"%.*s\" is wrong: %s%s%.*s%s", STR_ARG(text),
                      error.text, rest.len ? " at \"" : "", STR_ARG(rest), rest.len ? "\"" : "");
        return NULL;
    }
    generation_cleanup(s->config->generation, pattern_free, p);
    p->groups = regex_captures(p->regex);
    return pattern_use_names(s, word, p) ? p : NULL;
}

struct str pattern_text(const struct pattern *p)
{
    return p->text;
}

unsigned pattern_groups(const struct pattern *p)
{
    return p->groups;
}

struct regex *pattern_regex(const struct pattern *p)
{
    return p->regex;
}

static enum pattern_result pattern_fail(const struct pattern *p, struct script *s,
                                        enum regex_result why)
{
    variable_fail(s, "regular expression \"%.*s\": %s", STR_ARG(p->text),
                  why == REGEX_LIMIT ? "matching took too many steps" : "the text is not UTF-8");
    return PATTERN_FAILED;
}

/* Keeps the groups in the script. */
static void pattern_keep(const struct pattern *p, struct script *s, struct str subject,
                         const size_t *offsets)
{
    struct str *captures = ARENA_NEW_ARRAY(s->arena, struct str, p->groups + 1);

    for (unsigned i = 0; i <= p->groups; i++) {
        size_t start = offsets[2 * i], end = offsets[2 * i + 1];

        captures[i] = start == SIZE_MAX ? STR("")
                                        : (struct str){ subject.data + start, end - start };
    }
    s->captures = captures;
    s->capture_count = p->groups + 1;
    for (unsigned i = 0; i < p->name_count; i++)
        variable_assign(s, p->names[i].variable, captures[p->names[i].group]);
}

enum pattern_result pattern_match(const struct pattern *p, struct script *s, struct str subject)
{
    unsigned count = p->groups ? p->groups + 1 : 0;
    size_t few[2 * GROUPS_ON_STACK], *offsets = few;
    enum regex_result result;

    if (count > GROUPS_ON_STACK)
        offsets = arena_alloc(s->arena, sizeof *offsets * 2 * count);
    result = regex_match(p->regex, subject, offsets, count);
    if (result == REGEX_NO_MATCH)
        return PATTERN_NO_MATCH;
    if (result != REGEX_MATCH)
        return pattern_fail(p, s, result);
    if (count > 0) {
        pattern_keep(p, s, subject, offsets);
    } else {
        s->captures = NULL;
        s->capture_count = 0;
    }
    return PATTERN_MATCH;
}
