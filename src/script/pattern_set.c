/*
 * pattern_set: see pattern_set.h.
 */
#include "script/pattern_set.h"

struct pattern_set {
    struct arena *arena;
    ARRAY(struct pattern *) patterns;
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

bool pattern_set_end(struct pattern_set *set, struct setting *s)
{
    (void)set;
    (void)s;
    return true;
}

enum pattern_result pattern_set_match(const struct pattern_set *set, struct script *s,
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
