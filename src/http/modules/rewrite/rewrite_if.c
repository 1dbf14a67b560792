/*
 * rewrite_if: the block `if`: its condition, and the block's place in the program around it.
 */
#include <errno.h>

#include "http/core.h"
#include "http/files.h"
#include "http/http.h"
#include "http/modules/rewrite/rewrite_program.h"
#include "http/request.h"

/* ---- the condition's words ---- */

enum { WORDS = 6 };                    /* "(" "$variable" "=" "text" ")" and the line's name */

/* Words first to last of the line, without the brackets around them. */
struct condition {
    struct str words[WORDS];
    unsigned first, last;
};

static bool invalid(struct setting *s, unsigned word)
{
    return setting_error(s, word, "invalid condition \"%.*s\"", STR_ARG(setting_arg(s, word)));
}

static bool take_brackets(struct setting *s, struct condition *c)
{
    unsigned last = s->node->count - 1;

    if (last >= WORDS)
        return invalid(s, WORDS);
    for (unsigned i = 1; i <= last; i++)
        c->words[i] = setting_arg(s, i);
    if (!str_starts(c->words[1], STR("(")))
        return invalid(s, 1);
    c->words[1] = str_from(c->words[1], 1);
    if (!str_ends(c->words[last], STR(")")))
        return invalid(s, last);
    c->words[last].len--;
    c->first = c->words[1].len ? 1 : 2;
    c->last = c->words[last].len ? last : last - 1;
    return c->first <= c->last || invalid(s, 1);
}

/* ---- tests of variables ---- */

struct comparison {
    const char *text;
    enum rewrite_test_kind kind;
    bool negative, caseless;
};

static const struct comparison comparisons[] = {
    { "=", TEST_EQUAL, false, false }, { "!=", TEST_EQUAL, true, false },
    { "~", TEST_MATCH, false, false }, { "~*", TEST_MATCH, false, true },
    { "!~", TEST_MATCH, true, false }, { "!~*", TEST_MATCH, true, true },
    { NULL, TEST_TRUE, false, false },
};

static const struct comparison *comparison_find(struct str text)
{
    const struct comparison *c = comparisons;

    while (c->text && !str_eq(str_of(c->text), text))
        c++;
    return c->text ? c : NULL;
}

static bool parse_variable_test(struct setting *s, const struct condition *c, struct rewrite_test *t)
{
    if (c->first != c->last && c->first + 2 != c->last)
        return invalid(s, c->first);
    t->variable = config_variable(s, c->first, str_from(c->words[c->first], 1));
    if (!t->variable || c->first == c->last)
        return t->variable != NULL;
    const struct comparison *how = comparison_find(c->words[c->first + 1]);
    if (!how)
        return setting_error_hint(s, c->first + 1, STR("expected: =, !=, ~, ~*, !~ or !~*"),
                                  "unexpected \"%.*s\" in condition",
                                  STR_ARG(c->words[c->first + 1]));
    t->kind = how->kind;
    t->negative = how->negative;
    if (t->kind == TEST_EQUAL)
        return template_compile_text(s, c->last, c->words[c->last], config_variables(s), &t->value);
    t->pattern = pattern_compile(s, c->last, c->words[c->last], how->caseless);
    return t->pattern != NULL;
}

/* ---- tests of files ---- */

/* "-f", "!-f"...: false if it is none of them. */
static bool file_test_find(struct str word, struct rewrite_test *t)
{
    static const struct {
        char letter;
        enum rewrite_test_kind kind;
    } letters[] = {
        { 'f', TEST_FILE }, { 'd', TEST_FOLDER }, { 'e', TEST_THERE }, { 'x', TEST_EXECUTABLE },
    };

    t->negative = str_starts(word, STR("!"));
    if (t->negative)
        word = str_from(word, 1);
    for (unsigned i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        if (word.len == 2 && word.data[0] == '-' && word.data[1] == letters[i].letter) {
            t->kind = letters[i].kind;
            return true;
        }
    }
    return false;
}

static bool parse_test(struct setting *s, struct rewrite_test *t)
{
    struct condition c = { .first = 1 };

    if (!take_brackets(s, &c))
        return false;
    struct str first = c.words[c.first];
    if (first.len > 1 && first.data[0] == '$')
        return parse_variable_test(s, &c, t);
    if (!file_test_find(first, t) || c.first + 1 != c.last)
        return invalid(s, c.first);
    return template_compile_text(s, c.last, c.words[c.last], config_variables(s), &t->value);
}

/* ---- the block ---- */

static bool is_if(const struct node *n)
{
    return n->block && str_eq(n->words[0].text, STR("if"));
}

void rewrite_place_ifs(struct setting *s, struct rewrite_program *p, const struct node *end)
{
    const struct node *n = s->block->node;

    n = p->seen ? p->seen->next : n ? n->children : NULL;
    for (; n && n != end; n = n->next) {
        if (is_if(n)) {
            struct rewrite_step *step = ARRAY_PUSH(&p->steps, setting_arena(s));
            step->op = REWRITE_OP_if;
            step->node = n;
        }
        p->seen = n;
    }
    if (end)
        p->seen = end;
}

/* The step that was made for this block. */
static struct rewrite_step *step_of(struct setting *s)
{
    struct rewrite_conf *c = s->conf;
    unsigned i = 0;

    while (c->program.steps.items[i].node != s->node)
        i++;
    return &c->program.steps.items[i];
}

/* In a location the block is a location of its own, with the outer one's name and content. */
static const struct location *open_location_if(struct setting *s, const struct location *outer)
{
    struct location *l = ARENA_NEW(setting_arena(s), struct location);

    l->kind = LOCATION_UNNAMED;
    l->name = outer->name;
    l->outer = outer;
    struct block *b = config_open(s, IN_LOCATION_IF, l);
    http_settle(l, b);
    if (!l->handler)
        l->handler = outer->handler;
    config_close(s, b);
    return l;
}

static bool has_settings(const struct node *n)
{
    struct module *m;

    for (n = n->children; n; n = n->next) {
        if (modules_find(n->words[0].text, IN_LOCATION_IF, &m) && m != &http_rewrite_module)
            return true;
    }
    return false;
}

/* ---- what an `if` will not do, though a person may think so ---- */

/* Whether requests leave the location at the end of the block. */
static bool leaves(const struct rewrite_program *p)
{
    for (unsigned i = 0; i < p->steps.count; i++) {
        const struct rewrite_step *step = &p->steps.items[i];
        if (step->op == REWRITE_OP_return)
            return true;
        if (step->op == REWRITE_OP_rule && step->rule.last && !step->rule.stay)
            return true;
    }
    return false;
}

static void warn_of_lost_lines(struct setting *s)
{
    if (tree_find(s->block->node->children, STR("try_files")))
        setting_advise(s, 0, "the location's \"try_files\" does not count for requests that this "
                       "\"if\" holds for");
}

/* Two texts for one variable can't both be equal to it. */
static bool exclude_each_other(const struct rewrite_test *a, const struct rewrite_test *b)
{
    return a->kind == TEST_EQUAL && b->kind == TEST_EQUAL && !a->negative && !b->negative &&
           a->variable == b->variable && template_is_text(&a->value) &&
           template_is_text(&b->value) && !str_eq(a->value.text, b->value.text);
}

static void warn_of_lost_blocks(struct setting *s, const struct rewrite_step *step)
{
    const struct rewrite_conf *c = s->conf;

    for (const struct rewrite_step *i = c->program.steps.items; i != step; i++) {
        if (i->op != REWRITE_OP_if || !i->branch.program || !i->branch.settings ||
            leaves(i->branch.program) || exclude_each_other(&i->branch.test, &step->branch.test))
            continue;
        setting_advise(s, 0, "where this \"if\" holds, what the \"if\" in line %u sets does not "
                       "count: only the last one does", i->node->words[0].line);
        return;
    }
}

bool rewrite_open_if(struct setting *s)
{
    struct rewrite_step *step = step_of(s);
    struct rewrite_if *branch = &step->branch;
    struct location *outer = s->block->object;
    void **conf;

    if (!parse_test(s, &branch->test))
        return false;
    if (s->block->context == IN_LOCATION) {
        branch->location = open_location_if(s, outer);
        conf = branch->location->conf;
    } else
        conf = config_block(s, IN_SERVER_IF, outer)->conf;
    branch->program = &((const struct rewrite_conf *)CONF(conf, http_rewrite_module))->program;
    branch->settings = has_settings(s->node);
    if (!branch->location || leaves(branch->program))
        return true;
    warn_of_lost_lines(s);
    warn_of_lost_blocks(s, step);
    return true;
}

/* ---- a request ---- */

enum holds { HOLDS_NOT, HOLDS, HOLDS_WAIT, HOLDS_FAILED };

static enum holds holds_file(struct rewrite_run *run, const struct rewrite_test *t)
{
    struct str path = rewrite_value(run, &t->value);
    struct request *r = run->r;
    struct file *f;

    if (r->script.failed)
        return HOLDS_FAILED;
    if (files_stat(r, path, &f) == FILES_WAIT)
        return HOLDS_WAIT;
    if (f->kind == FILE_ABSENT && f->error != ENOENT && f->error != ENOTDIR &&
        f->error != ENAMETOOLONG)
        request_log(r, LOG_LEVEL_ERROR, f->error, "%s \"%.*s\" failed", f->failed, STR_ARG(path));
    bool regular = f->kind == FILE_REGULAR, folder = f->kind == FILE_DIRECTORY;
    bool is = t->kind == TEST_FILE     ? regular
              : t->kind == TEST_FOLDER ? folder
              : t->kind == TEST_THERE  ? regular || folder
                                       : f->kind != FILE_ABSENT && (f->mode & S_IXUSR) != 0;
    file_release(f);
    return is ? HOLDS : HOLDS_NOT;
}

static enum holds holds(struct rewrite_run *run, const struct rewrite_test *t)
{
    struct script *s = request_script(run->r);

    if (!t->variable)
        return holds_file(run, t);
    struct str value = value_str(variable_value(s, t->variable));
    switch (t->kind) {
    case TEST_EQUAL:
        return str_eq(value, rewrite_value(run, &t->value)) ? HOLDS : HOLDS_NOT;
    case TEST_MATCH:
        switch (rewrite_match(run, t->pattern, value)) {
        case PATTERN_MATCH:
            return HOLDS;
        case PATTERN_NO_MATCH:
            return HOLDS_NOT;
        case PATTERN_FAILED:
            break;
        }
        return HOLDS_FAILED;
    default:
        return value.len && !str_eq(value, STR("0")) ? HOLDS : HOLDS_NOT;
    }
}

/* Another "if" of the same place held before, and said what answers: that would be lost now. */
static bool loses_handler(const struct request *r, const struct location *next)
{
    const struct location *now = r->location;

    if (!now || !now->outer || now->outer != next->outer || !now->handler ||
        now->handler == next->handler)
        return false;
    request_log(r, LOG_LEVEL_ERROR, 0, "two \"if\" hold, and what the first says of the answer "
                "does not count in the second");
    return true;
}

int rewrite_op_if(struct rewrite_run *run, const struct rewrite_step *step)
{
    const struct rewrite_if *branch = &step->branch;
    enum holds result = holds(run, &branch->test);

    if (result == HOLDS_WAIT)
        return STEP_WAIT;
    if (result == HOLDS_FAILED || run->r->script.failed)
        return STATUS_INTERNAL_SERVER_ERROR;
    if ((result == HOLDS) == branch->test.negative)
        return STEP_NEXT;
    if (branch->location && loses_handler(run->r, branch->location))
        return STATUS_INTERNAL_SERVER_ERROR;
    if (branch->location)
        request_set_location(run->r, branch->location);
    run->frames[run->depth].program = branch->program;
    run->frames[run->depth].next = 0;
    run->depth++;
    return STEP_NEXT;
}
