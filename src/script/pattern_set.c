/*
 * pattern_set: see pattern_set.h.
 */
#include "script/pattern_set.h"

#include "base/regex/regex_set.h"

struct pattern_set {
    struct arena *arena;
    ARRAY(struct pattern *) patterns;
    struct regex_set *automaton;       /* NULL: a single one needs none */
};

struct pattern_set *pattern_set_new(struct arena *a)
{
    struct pattern_set *set = ARENA_NEW(a, struct pattern_set);

    set->arena = a;
    return set;
}

void pattern_set_add(struct pattern_set *set, struct pattern *p)
{
    *ARRAY_PUSH(&set->patterns, set->arena) = p;
}

static void pattern_set_free(void *data)
{
    regex_set_fini(data);
}

void pattern_set_end(struct pattern_set *set, struct generation *g)
{
    struct regex **list = ARENA_NEW_ARRAY(set->arena, struct regex *, set->patterns.count);

    if (set->patterns.count < 2)
        return;
    for (unsigned i = 0; i < set->patterns.count; i++)
        list[i] = pattern_regex(set->patterns.items[i]);
    set->automaton = regex_set_new(set->arena, list, set->patterns.count);
    generation_cleanup(g, pattern_set_free, set->automaton);
}

static enum pattern_result match_in_turn(const struct pattern_set *set, struct script *s,
                                         struct str subject, unsigned *index)
{
    for (unsigned i = 0; i < set->patterns.count; i++) {
        enum pattern_result result = pattern_match(set->patterns.items[i], s, subject);

        if (result != PATTERN_NO_MATCH) {
            *index = i;
            return result;
        }
    }
    return PATTERN_NO_MATCH;
}

enum pattern_result pattern_set_match(const struct pattern_set *set, struct script *s,
                                      struct str subject, unsigned *index)
{
    int first;

    if (!set->automaton)
        return match_in_turn(set, s, subject, index);
    first = regex_set_match(set->automaton, subject);
    if (first == REGEX_SET_NONE)
        return PATTERN_NO_MATCH;
    if (first == REGEX_SET_FAILED)     /* one of them gave up: which one, and is it so? */
        return match_in_turn(set, s, subject, index);
    *index = (unsigned)first;
    if (pattern_groups(set->patterns.items[first]) > 0)
        return pattern_match(set->patterns.items[first], s, subject);
    s->captures = NULL;
    s->capture_count = 0;
    return PATTERN_MATCH;
}
