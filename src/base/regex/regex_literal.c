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

static struct regex_literal literal_of(struct str text, struct arena *a)
{
    struct regex_literal l = { .text = arena_str(a, text) };

    for (size_t i = 1; i < text.len; i++) {
        if (commonness(text.data[i]) < commonness(text.data[l.rare]))
            l.rare = i;
    }
    return l;
}

struct regex_literal regex_literal_prefix(const struct regex_program *p, struct arena *a)
{
    const struct regex_inst *i = &p->code[p->start];
    char text[LITERAL_MAX];
    size_t len = 0;
    bool conditional = false;   /* whether more than the text is asked for */

    while (len < LITERAL_MAX && (i->op == OP_BYTE || i->op == OP_SAVE || i->op == OP_ASSERT)) {
        if (i->op == OP_BYTE)
            text[len++] = (char)i->byte;
        if (i->op == OP_ASSERT && i->assertion != ASSERT_CHARACTER &&
            (i->assertion != ASSERT_TEXT_START || len > 0))
            conditional = true;
        i = &p->code[i->next];
    }
    struct regex_literal l = literal_of((struct str){ text, len }, a);
    l.is_all = i->op == OP_MATCH && !conditional;
    return l;
}

/* A run of characters that follow each other in every match, and the longest such so far. */
struct runs {
    char now[LITERAL_MAX], best[LITERAL_MAX];
    size_t now_len, best_len;
    bool utf8;
};

static void end_run(struct runs *r)
{
    if (r->now_len > r->best_len) {
        memcpy(r->best, r->now, r->now_len);
        r->best_len = r->now_len;
    }
    r->now_len = 0;
}

static void add_class(struct runs *r, const struct regex_class *class)
{
    const struct regex_range *only = class->ranges.items;

    if (class->ranges.count != 1 || only->first != only->last || (r->utf8 && only->first > 0x7F)) {
        end_run(r);
        return;
    }
    if (r->now_len == LITERAL_MAX)
        end_run(r);
    r->now[r->now_len++] = (char)only->first;
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
    return literal_of((struct str){ r.best, r.best_len }, a);
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
        if (memcmp(at, l->text.data, len) == 0)
            return from;
        from++;
    }
    return SIZE_MAX;
}
