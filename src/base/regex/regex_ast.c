/*
 * regex_ast: see regex_ast.h.
 */
#include "base/regex/regex_ast.h"

enum { LENGTH_MAX = 65535 };   /* longer ones count as varying: PCRE's limit for look-behind */

struct regex_node *regex_node_new(struct arena *a, enum regex_node_kind kind)
{
    struct regex_node *n = ARENA_NEW(a, struct regex_node);

    n->kind = kind;
    return n;
}

void regex_node_append(struct regex_node *parent, struct regex_node *child)
{
    child->prev = parent->last;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

static void measure_sequence(struct regex_node *n)
{
    n->nullable = true;
    n->length = 0;
    for (struct regex_node *c = n->first; c; c = c->next) {
        n->nullable = n->nullable && c->nullable;
        if (n->length != LENGTH_VARIES)
            n->length = c->length == LENGTH_VARIES ? LENGTH_VARIES : n->length + c->length;
        if (n->length > LENGTH_MAX)
            n->length = LENGTH_VARIES;
    }
}

static void measure_choice(struct regex_node *n)
{
    n->nullable = false;
    n->length = n->first->length;
    for (struct regex_node *c = n->first; c; c = c->next) {
        n->nullable = n->nullable || c->nullable;
        if (c->length != n->length)
            n->length = LENGTH_VARIES;
    }
}

static void measure_repeat(struct regex_node *n)
{
    unsigned min = n->repeat.min;
    int each = n->first->length;

    n->nullable = min == 0 || n->first->nullable;
    if (min != n->repeat.max || each == LENGTH_VARIES || (int64_t)each * min > LENGTH_MAX)
        n->length = LENGTH_VARIES;
    else
        n->length = each * (int)min;
}

void regex_node_measure(struct regex_node *n)
{
    switch (n->kind) {
    case NODE_CLASS:
        n->length = 1;
        break;
    case NODE_SEQUENCE:
        measure_sequence(n);
        break;
    case NODE_CHOICE:
        measure_choice(n);
        break;
    case NODE_REPEAT:
        measure_repeat(n);
        break;
    case NODE_CAPTURE:
    case NODE_ATOMIC:
        n->nullable = n->first->nullable;
        n->length = n->first->length;
        break;
    case NODE_BACKREF:
        n->nullable = true;
        n->length = LENGTH_VARIES;
        break;
    case NODE_LOOK:
    case NODE_ASSERT:
    case NODE_KEEP:
        n->nullable = true;
        break;
    }
}
