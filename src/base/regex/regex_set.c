/*
 * regex_set: see regex_set.h.  One automaton for all patterns answers for those that are regular;
 * those that are not, it only rules out, and what is left of them is matched one by one.
 */
#include "base/regex/regex_set.h"

#include "base/regex/regex_dfa.h"
#include "base/regex/regex_utf8.h"

struct regex_set {
    struct regex *const *patterns;
    unsigned count;
    bool utf8;                /* some pattern wants valid UTF-8 */
    struct regex_nfa *nfa;
    struct regex_dfa *dfa;    /* made when first needed */
    size_t cache_limit;
};

struct regex_set *regex_set_new(struct arena *a, struct regex *const *patterns, unsigned count)
{
    struct regex_set *set = ARENA_NEW(a, struct regex_set);
    struct regex **copy = ARENA_NEW_ARRAY(a, struct regex *, count);
    struct regex_program **programs = ARENA_NEW_ARRAY(a, struct regex_program *, count);

    for (unsigned i = 0; i < count; i++) {
        copy[i] = patterns[i];
        programs[i] = regex_program(patterns[i]);
        set->utf8 = set->utf8 || programs[i]->utf8;
    }
    set->patterns = copy;
    set->count = count;
    set->nfa = regex_nfa_new(a, programs, count);
    set->cache_limit = REGEX_DFA_LIMIT;
    return set;
}

void regex_set_fini(struct regex_set *set)
{
    regex_dfa_free(set->dfa);
    set->dfa = NULL;
}

void regex_set_cache_limit(struct regex_set *set, size_t bytes)
{
    regex_set_fini(set);
    set->cache_limit = bytes;
}

/* Tries pattern i alone; true if that settles the matter. */
static bool try_pattern(struct regex_set *set, unsigned i, struct str subject, int *answer)
{
    enum regex_result result = regex_match(set->patterns[i], subject, NULL, 0);

    if (result == REGEX_NO_MATCH)
        return false;
    *answer = result == REGEX_MATCH ? (int)i : REGEX_SET_FAILED;
    return true;
}

static int match_each(struct regex_set *set, struct str subject)
{
    int answer = REGEX_SET_NONE;

    for (unsigned i = 0; i < set->count; i++) {
        if (try_pattern(set, i, subject, &answer))
            break;
    }
    return answer;
}

int regex_set_match(struct regex_set *set, struct str subject)
{
    struct regex_dfa_answer found;
    int answer;

    if (set->utf8 && !regex_utf8_valid(subject))
        return match_each(set, subject);
    if (!set->dfa && !(set->dfa = regex_dfa_new(set->nfa, set->cache_limit)))
        return match_each(set, subject);
    regex_dfa_run(set->dfa, subject, 0, &found);
    for (unsigned i = 0; i < found.perhaps_count; i++) {
        if (try_pattern(set, found.perhaps[i], subject, &answer))
            return answer;
    }
    return found.best == REGEX_NFA_NONE ? REGEX_SET_NONE : (int)found.best;
}
