/*
 * regex_bracket: see regex_bracket.h.
 */
#include "base/regex/regex_bracket.h"

#include "base/regex/regex_escape.h"

/* What stands in a class: a character, which may begin or end a range, or a set. */
struct item {
    bool is_set;
    uint32_t code;
};

static bool unterminated(struct regex_parser *p)
{
    return regex_parse_fail(p, p->at, "missing ] at the end of a class");
}

/* Moves past \Q, \E and, in (?xx), spaces and tabs. */
static void skip_nothings(struct regex_parser *p)
{
    while (p->at < p->end) {
        if (p->quoting) {
            if (!regex_parse_skip(p, STR("\\E")))
                return;
            p->quoting = false;
        } else if (regex_parse_skip(p, STR("\\Q"))) {
            p->quoting = true;
        } else if ((p->modes & MODE_EXTENDED_MORE) && (*p->at == ' ' || *p->at == '\t')) {
            p->at++;
        } else if (!regex_parse_skip(p, STR("\\E"))) {
            return;
        }
    }
}

bool regex_bracket_is_posix(const struct regex_parser *p)
{
    if (p->at == p->end || (*p->at != ':' && *p->at != '.' && *p->at != '='))
        return false;
    for (const unsigned char *c = p->at + 1; c + 1 < p->end; c++) {
        if (*c == '\\' && (c[1] == ']' || c[1] == '\\'))
            c++;
        else if ((*c == '[' && c[1] == *p->at) || *c == ']')
            return false;
        else if (*c == *p->at && c[1] == ']')
            return true;
    }
    return false;
}

static bool read_posix(struct regex_parser *p, struct regex_class *class)
{
    const unsigned char *from = p->at;

    if (*p->at++ != ':')
        return regex_parse_fail(p, from, "POSIX collating elements are not supported");
    bool negated = regex_parse_skip(p, STR("^"));
    const unsigned char *name = p->at;
    while (*p->at != ':' || p->at[1] != ']')
        p->at++;
    struct str s = str_range((const char *)name, (const char *)p->at);
    p->at += 2;
    if ((p->modes & MODE_CASELESS) && (str_eq(s, STR("lower")) || str_eq(s, STR("upper"))))
        s = STR("alpha");
    if (!regex_class_add_posix(class, p->arena, s, negated, regex_parse_max(p)))
        return regex_parse_fail(p, name, "unknown POSIX class name");
    return true;
}

static bool read_item(struct regex_parser *p, struct regex_class *class, struct item *item)
{
    struct regex_escape e;

    *item = (struct item){ 0 };
    if (p->at == p->end)
        return unterminated(p);
    if (p->quoting || *p->at != '\\') {
        if (*p->at == '[' && !p->quoting) {
            p->at++;
            if (regex_bracket_is_posix(p)) {
                item->is_set = true;
                return read_posix(p, class);
            }
            p->at--;
        }
        item->code = regex_parse_char(p);
        return true;
    }
    p->at++;
    if (!regex_escape_read(p, true, &e))
        return false;
    item->is_set = e.kind == ESCAPE_CLASS;
    item->code = e.value;
    if (item->is_set)
        regex_class_add_escape(class, p->arena, e.letter, regex_parse_max(p));
    return true;
}

static void add_chars(struct regex_parser *p, struct regex_class *class, uint32_t first,
                      uint32_t last)
{
    if (p->modes & MODE_CASELESS)
        regex_class_add_nocase(class, p->arena, first, last, p->utf8);
    else
        regex_class_add(class, p->arena, first, last);
}

/* Does a hyphen stand here that has something to its right? */
static bool skip_hyphen(struct regex_parser *p)
{
    const unsigned char *from = p->at;
    bool quoting = p->quoting;

    if (quoting || !regex_parse_skip(p, STR("-")))
        return false;
    skip_nothings(p);
    if (p->at < p->end && (p->quoting || *p->at != ']'))
        return true;
    p->at = from;
    p->quoting = quoting;
    return false;
}

static bool read_range(struct regex_parser *p, struct regex_class *class)
{
    const unsigned char *from = p->at;
    struct item low, high;

    if (!read_item(p, class, &low))
        return false;
    skip_nothings(p);
    if (low.is_set)
        return true;   /* a hyphen that follows is an item of its own, as in [\w-.] */
    if (!skip_hyphen(p)) {
        add_chars(p, class, low.code, low.code);
        return true;
    }
    if (!read_item(p, class, &high))
        return false;
    if (high.is_set) {
        add_chars(p, class, low.code, low.code);
        add_chars(p, class, '-', '-');
    } else if (low.code > high.code) {
        return regex_parse_fail(p, from, "range out of order in a class");
    } else {
        add_chars(p, class, low.code, high.code);
    }
    return true;
}

static bool read_items(struct regex_parser *p, struct regex_class *class)
{
    for (bool first = true;; first = false) {
        skip_nothings(p);
        if (p->at == p->end)
            return unterminated(p);
        if (!first && !p->quoting && *p->at == ']')
            break;
        if (!read_range(p, class))
            return false;
    }
    p->at++;
    return true;
}

struct regex_class *regex_bracket_read(struct regex_parser *p)
{
    struct regex_class *class = ARENA_NEW(p->arena, struct regex_class);
    bool negated;

    skip_nothings(p);
    negated = !p->quoting && regex_parse_skip(p, STR("^"));
    if (!read_items(p, class))
        return NULL;
    if (negated)
        regex_class_negate(class, p->arena, regex_parse_max(p));
    return class;
}
