/*
 * regex_class: see regex_class.h.  Knows the named sets; the syntax of [...] is regex_parse's.
 */
#include "base/regex/regex_class.h"

#include <stdlib.h>

#include "base/regex/regex_fold.h"

/* Ranges in ascending order; {1, 0} ends a list. */
static const struct regex_range digits[] = { { '0', '9' }, { 1, 0 } };
static const struct regex_range words[] = {
    { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' }, { 1, 0 }
};
static const struct regex_range spaces[] = { { '\t', '\r' }, { ' ', ' ' }, { 1, 0 } };
static const struct regex_range horizontals[] = {
    { '\t', '\t' },     { ' ', ' ' },       { 0xA0, 0xA0 },     { 0x1680, 0x1680 },
    { 0x180E, 0x180E }, { 0x2000, 0x200A }, { 0x202F, 0x202F }, { 0x205F, 0x205F },
    { 0x3000, 0x3000 }, { 1, 0 },
};
static const struct regex_range verticals[] = {
    { '\n', '\r' }, { 0x85, 0x85 }, { 0x2028, 0x2029 }, { 1, 0 }
};
static const struct regex_range newlines[] = { { '\n', '\n' }, { 1, 0 } };
static const struct regex_range alphas[] = { { 'A', 'Z' }, { 'a', 'z' }, { 1, 0 } };
static const struct regex_range alnums[] = {
    { '0', '9' }, { 'A', 'Z' }, { 'a', 'z' }, { 1, 0 }
};
static const struct regex_range asciis[] = { { 0, 0x7F }, { 1, 0 } };
static const struct regex_range blanks[] = { { '\t', '\t' }, { ' ', ' ' }, { 1, 0 } };
static const struct regex_range cntrls[] = { { 0, 0x1F }, { 0x7F, 0x7F }, { 1, 0 } };
static const struct regex_range graphs[] = { { '!', '~' }, { 1, 0 } };
static const struct regex_range lowers[] = { { 'a', 'z' }, { 1, 0 } };
static const struct regex_range prints[] = { { ' ', '~' }, { 1, 0 } };
static const struct regex_range puncts[] = {
    { '!', '/' }, { ':', '@' }, { '[', '`' }, { '{', '~' }, { 1, 0 }
};
static const struct regex_range uppers[] = { { 'A', 'Z' }, { 1, 0 } };
static const struct regex_range xdigits[] = {
    { '0', '9' }, { 'A', 'F' }, { 'a', 'f' }, { 1, 0 }
};

static const struct {
    struct str name;
    const struct regex_range *ranges;
} posix[] = {
    { STR_INIT("alnum"), alnums }, { STR_INIT("alpha"), alphas },   { STR_INIT("ascii"), asciis },
    { STR_INIT("blank"), blanks }, { STR_INIT("cntrl"), cntrls },   { STR_INIT("digit"), digits },
    { STR_INIT("graph"), graphs }, { STR_INIT("lower"), lowers },   { STR_INIT("print"), prints },
    { STR_INIT("punct"), puncts }, { STR_INIT("space"), spaces },   { STR_INIT("upper"), uppers },
    { STR_INIT("word"), words },   { STR_INIT("xdigit"), xdigits },
};

void regex_class_add(struct regex_class *c, struct arena *a, uint32_t first, uint32_t last)
{
    *ARRAY_PUSH(&c->ranges, a) = (struct regex_range){ first, last };
}

static void add_ascii_cases(struct regex_class *c, struct arena *a, uint32_t first, uint32_t last)
{
    uint32_t from = first > 'A' ? first : 'A', to = last < 'Z' ? last : 'Z';

    if (from <= to)
        regex_class_add(c, a, from | 0x20, to | 0x20);
    from = first > 'a' ? first : 'a';
    to = last < 'z' ? last : 'z';
    if (from <= to)
        regex_class_add(c, a, from & ~0x20u, to & ~0x20u);
}

void regex_class_add_nocase(struct regex_class *c, struct arena *a, uint32_t first, uint32_t last,
                            bool utf8)
{
    regex_class_add(c, a, first, last);
    add_ascii_cases(c, a, first, last);
    if (!utf8)
        return;
    for (size_t i = 0; i < regex_fold_count; i++) {
        const struct regex_fold *f = &regex_folds[i];
        uint32_t at = f->first;

        if (at < first)
            at += (first - at + f->step - 1) / f->step * f->step;
        for (; at <= f->last && at <= last; at += f->step) {
            uint32_t other = (uint32_t)((int32_t)at + f->delta);
            regex_class_add(c, a, other, other);
        }
    }
}

static void add_list(struct regex_class *c, struct arena *a, const struct regex_range *r,
                     bool negated, uint32_t max)
{
    uint32_t next = 0;

    for (; r->first <= r->last && r->first <= max; r++) {
        if (!negated)
            regex_class_add(c, a, r->first, r->last);
        else if (r->first > next)
            regex_class_add(c, a, next, r->first - 1);
        next = r->last + 1;
    }
    if (negated && next <= max)
        regex_class_add(c, a, next, max);
}

void regex_class_add_escape(struct regex_class *c, struct arena *a, char letter, uint32_t max)
{
    bool negated = letter >= 'A' && letter <= 'Z';

    switch (letter) {
    case 'd': case 'D': add_list(c, a, digits, negated, max); break;
    case 'h': case 'H': add_list(c, a, horizontals, negated, max); break;
    case 's': case 'S': add_list(c, a, spaces, negated, max); break;
    case 'v': case 'V': add_list(c, a, verticals, negated, max); break;
    case 'w': case 'W': add_list(c, a, words, negated, max); break;
    case 'N': add_list(c, a, newlines, negated, max); break;
    }
}

bool regex_class_add_posix(struct regex_class *c, struct arena *a, struct str name, bool negated,
                           uint32_t max)
{
    for (size_t i = 0; i < sizeof posix / sizeof *posix; i++) {
        if (str_eq(posix[i].name, name)) {
            add_list(c, a, posix[i].ranges, negated, max);
            return true;
        }
    }
    return false;
}

static int order_ranges(const void *left, const void *right)
{
    const struct regex_range *l = left, *r = right;

    return l->first < r->first ? -1 : l->first > r->first;
}

void regex_class_sort(struct regex_class *c)
{
    struct regex_range *r = c->ranges.items;
    unsigned kept = 0;

    if (c->ranges.count == 0)
        return;
    qsort(r, c->ranges.count, sizeof *r, order_ranges);
    for (unsigned i = 1; i < c->ranges.count; i++) {
        if (r[i].first > r[kept].last + 1)
            r[++kept] = r[i];
        else if (r[i].last > r[kept].last)
            r[kept].last = r[i].last;
    }
    c->ranges.count = kept + 1;
}

void regex_class_negate(struct regex_class *c, struct arena *a, uint32_t max)
{
    struct regex_class whole = *c;
    uint32_t next = 0;

    regex_class_sort(&whole);
    *c = (struct regex_class){ 0 };
    for (unsigned i = 0; i < whole.ranges.count; i++) {
        const struct regex_range *r = &whole.ranges.items[i];
        if (r->first > next)
            regex_class_add(c, a, next, r->first - 1);
        next = r->last + 1;
    }
    if (next <= max)
        regex_class_add(c, a, next, max);
}
