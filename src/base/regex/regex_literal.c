/*
 * regex_literal: see regex_literal.h.
 */
#include "base/regex/regex_literal.h"

enum { LITERAL_MAX = 255 };

/* How common a byte is in what servers match: paths, host names and header values. */
static size_t commonness(char c)
{
    static const char common[] = "/e.taoinsr-clpd0m1u2 _hgb";   /* the most common first */
    const char *at = memchr(common, c, sizeof common - 1);

    return at ? sizeof common - (size_t)(at - common) : 0;
}

static bool is_letter(char c)
{
    c = char_lower(c);
    return c >= 'a' && c <= 'z';
}

static struct regex_literal literal_of(struct str text, bool nocase, struct arena *a)
{
    struct str copy = arena_str(a, text);
    struct regex_literal l = { .text = copy, .nocase = nocase };

    for (size_t i = 0; i < copy.len; i++) {
        if (nocase && is_letter(copy.data[i]))
            continue;
        if (!l.findable || commonness(copy.data[i]) < commonness(copy.data[l.rare]))
            l.rare = i;
        l.findable = true;
    }
    return l;
}

/* The lower case of a letter, if the set holds that letter in both cases and nothing else; or 0. */
static char letter_of(const struct regex_bytes *set)
{
    struct regex_bytes both;

    for (char c = 'a'; c <= 'z'; c++) {
        both = (struct regex_bytes){ 0 };
        regex_bytes_add(&both, (unsigned char)c);
        regex_bytes_add(&both, (unsigned char)(c - 0x20));
        if (memcmp(both.bits, set->bits, sizeof both.bits) == 0)
            return c;
    }
    return 0;
}

static void lower(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = char_lower(text[i]);
}

struct regex_literal regex_literal_prefix(const struct regex_program *p, struct arena *a)
{
    const struct regex_inst *i = &p->code[p->start];
    char text[LITERAL_MAX], letter = 0;
    size_t len = 0;
    bool conditional = false;   /* whether more than the text is asked for */
    bool nocase = false;

    for (; len < LITERAL_MAX; i = &p->code[i->next]) {
        if (i->op == OP_BYTE) {
            text[len++] = (char)i->byte;
        } else if (i->op == OP_SET && (letter = letter_of(i->set)) != 0) {
            text[len++] = letter;
            nocase = true;
        } else if (i->op == OP_ASSERT) {
            conditional = conditional || (i->assertion != ASSERT_CHARACTER &&
                                          (i->assertion != ASSERT_TEXT_START || len > 0));
        } else if (i->op != OP_SAVE) {
            break;
        }
    }
    if (nocase)
        lower(text, len);
    struct regex_literal l = literal_of((struct str){ text, len }, nocase, a);
    l.is_all = i->op == OP_MATCH && !conditional && !nocase;
    return l;
}

/* A run of characters that follow each other in every match, and the longest such so far. */
struct run {
    char text[LITERAL_MAX];
    size_t len;
    bool nocase;
};

struct runs {
    struct run now, best;
    bool utf8;
};

static void end_run(struct runs *r)
{
    if (r->now.len > r->best.len)
        r->best = r->now;
    r->now.len = 0;
    r->now.nocase = false;
}

static void add_class(struct runs *r, const struct regex_class *class)
{
    const struct regex_range *range = class->ranges.items;
    unsigned count = class->ranges.count;
    bool one = count == 1 && range->first == range->last && (!r->utf8 || range->first <= 0x7F);
    bool both = count == 2 && range[0].first == range[0].last && range[1].first == range[1].last &&
                is_letter((char)range[1].first) && range[0].first == (range[1].first & ~0x20u) &&
                range[1].first <= 0x7F;

    if (r->now.len == LITERAL_MAX || (!one && !both))
        end_run(r);
    if (!one && !both)
        return;
    r->now.text[r->now.len++] = (char)range[count - 1].first;
    r->now.nocase = r->now.nocase || both;
}

static void add_node(struct runs *r, const struct regex_node *n)
{
    switch (n->kind) {
    case NODE_CLASS:
        add_class(r, n->class);
        break;
    case NODE_SEQUENCE: case NODE_CAPTURE: case NODE_ATOMIC:
        for (const struct regex_node *c = n->first; c; c = c->next)
            add_node(r, c);
        break;
    case NODE_REPEAT:
        end_run(r);
        if (n->repeat.min > 0)
            add_node(r, n->first);
        end_run(r);
        break;
    case NODE_ASSERT: case NODE_KEEP: case NODE_LOOK:
        break;   /* what stands to both sides of a condition is still side by side */
    case NODE_CHOICE: case NODE_BACKREF:
        end_run(r);
        break;
    }
}

struct regex_literal regex_literal_within(const struct regex_node *tree, bool utf8,
                                          struct arena *a)
{
    struct runs r = { .utf8 = utf8 };

    add_node(&r, tree);
    end_run(&r);
    if (r.best.nocase)
        lower(r.best.text, r.best.len);
    return literal_of((struct str){ r.best.text, r.best.len }, r.best.nocase, a);
}

bool regex_literal_starts(const struct regex_literal *l, struct str subject)
{
    return l->nocase ? str_starts_nocase(subject, l->text) : str_starts(subject, l->text);
}

size_t regex_literal_find(const struct regex_literal *l, struct str subject, size_t from)
{
    size_t len = l->text.len;

    while (subject.len - from >= len) {
        const char *start = subject.data + from + l->rare;
        const char *at = memchr(start, l->text.data[l->rare], subject.len - from - len + 1);
        if (!at)
            break;
        at -= l->rare;
        from = (size_t)(at - subject.data);
        if (regex_literal_starts(l, str_from(subject, from)))
            return from;
        from++;
    }
    return SIZE_MAX;
}
