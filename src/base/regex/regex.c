/*
 * regex: see regex.h.  Here a pattern is taken through the stages of compiling, and each match sent
 * to the matcher that answers it soonest.
 */
#include "base/regex/regex.h"

#include <stdlib.h>

#include "base/out.h"
#include "base/regex/regex_backtrack.h"
#include "base/regex/regex_dfa.h"
#include "base/regex/regex_emit.h"
#include "base/regex/regex_follow.h"
#include "base/regex/regex_literal.h"
#include "base/regex/regex_parse.h"
#include "base/regex/regex_pike.h"
#include "base/regex/regex_utf8.h"

enum {
    BUDGET = 1000,              /* steps of backtracking before something else is tried; */
    BUDGET_A_BYTE = 16,         /* in addition, for each byte of the subject */
    BUDGET_MAX = 1000000,       /* where nothing else can be: some 10 to 30 ms */
};

struct regex {
    /* What was compiled. */
    struct regex_program *program;
    struct regex_nfa *nfa, *nfa_back;   /* the second to be run from the end, or NULL */
    bool hard_to_start;                 /* an automaton had better say first if there is a match */
    bool back_decides;                  /* if that finds something, there is a match */
    bool end_before_newline;            /* `$`: the subject may have a newline more */
    struct regex_literal prefix, within;
    const struct regex_name *names;
    unsigned name_count;
    /* What matching needs, made when first needed. */
    size_t cache_limit;
    struct regex_dfa *dfa, *dfa_back;
    struct regex_backtrack backtrack;
    struct regex_pike *pike;
    size_t *slots;
};

/* --- compiling --- */

static bool has_assertion(const struct regex_node *n)
{
    if (n->kind == NODE_ASSERT)
        return true;
    for (const struct regex_node *c = n->first; c; c = c->next) {
        if (has_assertion(c))
            return true;
    }
    return false;
}

/* Takes a `$` or `\z` from the end of the tree, and a `^` from its start.  False if there is no
 * such end, or another assertion. */
static bool take_ends(struct regex_node *tree, enum regex_assertion *end)
{
    struct regex_node *last = tree->last;

    if (tree->kind != NODE_SEQUENCE || !last || !last->prev || last->kind != NODE_ASSERT ||
        (last->assertion != ASSERT_FINAL_LINE_END && last->assertion != ASSERT_TEXT_END))
        return false;
    *end = last->assertion;
    tree->last = last->prev;
    tree->last->next = NULL;
    if (tree->first->kind == NODE_ASSERT && tree->first->assertion == ASSERT_TEXT_START &&
        tree->first->next) {
        tree->first = tree->first->next;
        tree->first->prev = NULL;
    }
    return !has_assertion(tree);
}

static unsigned count_bytes(const struct regex_bytes *set)
{
    unsigned count = 0;

    for (unsigned c = 0; c < 256; c++)
        count += regex_bytes_has(set, (unsigned char)c);
    return count;
}

/* Is the end more telling than the start, which takes most bytes, as in `^(.*)/index\.html$`? */
static bool end_tells_more(const struct regex_program *p, const struct regex_program *mirrored)
{
    const struct regex_inst *i = &p->code[p->start];
    unsigned ends = 0;

    while (i->op == OP_SAVE || i->op == OP_ASSERT || i->op == OP_BYTE)
        i = &p->code[i->next];
    for (unsigned c = 0; c < 256; c++)
        ends += mirrored->starts[c];
    return (i->op == OP_SPAN || i->op == OP_SET) && count_bytes(i->set) > 128 && ends <= 64 &&
           !mirrored->starts_at_end;
}

/* What has to end where the subject ends can be matched from there; most subjects then fail within
 * a few bytes. */
static void compile_back(struct regex *re, struct arena *a, struct arena *scratch,
                         struct regex_node *tree, bool utf8)
{
    struct regex_emit_options options = { .utf8 = utf8, .mirrored = true };
    enum regex_assertion end;

    if (!re->program->regular || !take_ends(tree, &end))
        return;
    struct regex_program *p = regex_emit(a, scratch, tree, options);
    if (!p)
        return;
    regex_follow(p, a);
    re->back_decides = re->program->anchor != ANCHOR_START;
    if (!re->back_decides && !end_tells_more(re->program, p))
        return;
    p->anchor = ANCHOR_START;
    p->regular = true;   /* whatever is possessive forwards, this asks for match or no match only */
    re->end_before_newline = end == ASSERT_FINAL_LINE_END;
    re->nfa_back = regex_nfa_new(a, &p, 1);
}

/* The prefix tells where a match may begin; another text, if it has two bytes or more, whether
 * there can be a match at all. */
static void find_literals(struct regex *re, struct arena *a, const struct regex_node *tree)
{
    struct regex_literal within = regex_literal_within(tree, re->program->utf8, a);

    re->prefix = regex_literal_prefix(re->program, a);
    if (within.text.len > 1 && within.findable && !str_eq(within.text, re->prefix.text))
        re->within = within;
    re->hard_to_start = re->program->anchor == ANCHOR_NONE && re->program->first_byte < 0 &&
                        !re->prefix.findable;
}

static void copy_names(struct regex *re, struct arena *a, const struct regex_parser *p)
{
    struct regex_name *names = ARENA_NEW_ARRAY(a, struct regex_name, p->names.count);

    for (unsigned i = 0; i < p->names.count; i++) {
        names[i].name = arena_str(a, p->names.items[i].name);
        names[i].group = p->names.items[i].group;
    }
    re->names = names;
    re->name_count = p->names.count;
}

static struct regex *compile(struct arena *a, struct arena *scratch, struct str pattern,
                             unsigned flags, struct regex_error *error)
{
    struct regex_parser parser;
    struct regex_node *tree = regex_parse(&parser, scratch, pattern, flags, error);

    if (!tree)
        return NULL;
    struct regex_emit_options options = {
        .groups = parser.groups,
        .has_backrefs = parser.references.count > 0,
        .utf8 = parser.utf8,
    };
    struct regex_program *program = regex_emit(a, scratch, tree, options);
    if (!program) {
        regex_parse_fail(&parser, parser.end,
                         "the pattern is too large once its repetitions are written out");
        return NULL;
    }
    regex_follow(program, a);
    struct regex *re = ARENA_NEW(a, struct regex);
    re->program = program;
    re->nfa = regex_nfa_new(a, &program, 1);
    re->cache_limit = REGEX_DFA_LIMIT;
    re->slots = ARENA_NEW_ARRAY(a, size_t, program->slots);
    find_literals(re, a, tree);
    copy_names(re, a, &parser);
    compile_back(re, a, scratch, tree, parser.utf8);
    return re;
}

struct regex *regex_compile(struct arena *a, struct str pattern, unsigned flags,
                            struct regex_error *error)
{
    struct arena scratch;

    arena_init(&scratch);
    struct regex *re = compile(a, &scratch, pattern, flags, error);
    arena_fini(&scratch);
    return re;
}

static void forget_automata(struct regex *re)
{
    regex_dfa_free(re->dfa);
    regex_dfa_free(re->dfa_back);
    re->dfa = re->dfa_back = NULL;
}

void regex_fini(struct regex *re)
{
    forget_automata(re);
    regex_backtrack_fini(&re->backtrack);
    regex_pike_free(re->pike);
    re->pike = NULL;
}

void regex_cache_limit(struct regex *re, size_t bytes)
{
    re->cache_limit = bytes;
    forget_automata(re);
}

unsigned regex_captures(const struct regex *re)
{
    return re->program->groups;
}

unsigned regex_names(const struct regex *re, const struct regex_name **names)
{
    *names = re->names;
    return re->name_count;
}

struct regex_program *regex_program(const struct regex *re)
{
    return re->program;
}

/* --- matching --- */

static bool may_start_at_start(const struct regex *re, struct str subject)
{
    const struct regex_program *p = re->program;

    if (subject.len == 0 ? !p->starts_at_end : !p->starts[(unsigned char)subject.data[0]])
        return false;
    return re->prefix.text.len == 0 || regex_literal_starts(&re->prefix, subject);
}

/* Where a match can begin, by the texts that it must contain; false if nowhere. */
static bool find_start(const struct regex *re, struct str subject, size_t *from)
{
    *from = 0;
    if (re->program->anchor == ANCHOR_START) {
        if (!may_start_at_start(re, subject))
            return false;
    } else if (re->prefix.findable) {
        *from = regex_literal_find(&re->prefix, subject, 0);
        if (*from == SIZE_MAX)
            return false;
    }
    return re->within.text.len == 0 ||
           regex_literal_find(&re->within, subject, *from) != SIZE_MAX;
}

static bool make(struct regex_dfa **d, const struct regex_nfa *nfa, size_t limit)
{
    if (!*d)
        *d = regex_dfa_new(nfa, limit);
    return *d;
}

/* What the automaton says: a match or none, or REGEX_LIMIT if it can't tell. */
static enum regex_result ask(struct regex *re, struct str subject, size_t from)
{
    struct regex_dfa_answer answer;

    if (!make(&re->dfa, re->nfa, re->cache_limit))
        return REGEX_LIMIT;
    regex_dfa_run(re->dfa, subject, from, &answer);
    if (answer.best == 0)
        return REGEX_MATCH;
    return answer.perhaps_count > 0 ? REGEX_LIMIT : REGEX_NO_MATCH;
}

/* The same of the one that begins at the end. */
static enum regex_result ask_back(struct regex *re, struct str subject)
{
    if (!make(&re->dfa_back, re->nfa_back, re->cache_limit))
        return REGEX_LIMIT;
    bool found = regex_dfa_run_back(re->dfa_back, subject);
    if (!found && re->end_before_newline && str_ends(subject, STR("\n")))
        found = regex_dfa_run_back(re->dfa_back, str_first(subject, subject.len - 1));
    if (!found)
        return REGEX_NO_MATCH;
    return re->back_decides ? REGEX_MATCH : REGEX_LIMIT;
}

/* Matches what takes more steps of backtracking than the small budget allows. */
static enum regex_result match_slowly(struct regex *re, struct str subject, bool only,
                                      size_t from)
{
    enum regex_result result = ask(re, subject, from);

    if (result == REGEX_NO_MATCH || (result == REGEX_MATCH && only))
        return result;
    if (re->program->regular && !re->pike)
        re->pike = regex_pike_new(re->program);
    if (!re->pike)
        return regex_backtrack(&re->backtrack, re->program, subject, from, re->slots, BUDGET_MAX);
    return regex_pike_match(re->pike, subject, re->slots) ? REGEX_MATCH : REGEX_NO_MATCH;
}

static void copy_offsets(const struct regex *re, size_t *offsets, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const size_t *slot = &re->slots[2 * i];
        bool set = i <= re->program->groups && slot[0] != SIZE_MAX && slot[1] != SIZE_MAX;
        offsets[2 * i] = set ? slot[0] : SIZE_MAX;
        offsets[2 * i + 1] = set ? slot[1] : SIZE_MAX;
    }
}

/* What can be said quickly; REGEX_LIMIT if it takes more than that, or captures are wanted of a
 * match. */
static enum regex_result match_quickly(struct regex *re, struct str subject, bool only,
                                       size_t *from)
{
    bool anchored = re->program->anchor == ANCHOR_START;
    bool worth = re->program->regular && (only ? !anchored : re->hard_to_start);
    enum regex_result result = REGEX_LIMIT;

    if (only && re->nfa_back && re->back_decides && (result = ask_back(re, subject)) != REGEX_LIMIT)
        return result;
    if (!find_start(re, subject, from))
        return REGEX_NO_MATCH;
    if (only && re->prefix.is_all)
        return REGEX_MATCH;
    if (re->nfa_back && (worth || anchored))
        result = ask_back(re, subject);
    else if (worth)
        result = ask(re, subject, *from);
    return result == REGEX_MATCH && !only ? REGEX_LIMIT : result;
}

enum regex_result regex_match(struct regex *re, struct str subject, size_t *offsets,
                              unsigned count)
{
    size_t from, budget = BUDGET + BUDGET_A_BYTE * subject.len;

    if (re->program->utf8 && !regex_utf8_valid(subject))
        return REGEX_BAD_UTF8;
    enum regex_result result = match_quickly(re, subject, count == 0, &from);
    if (result != REGEX_LIMIT)
        return result;
    result = regex_backtrack(&re->backtrack, re->program, subject, from, re->slots, budget);
    if (result == REGEX_LIMIT)
        result = match_slowly(re, subject, count == 0, from);
    if (result == REGEX_MATCH)
        copy_offsets(re, offsets, count);
    return result;
}
