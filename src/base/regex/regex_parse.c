/*
 * regex_parse: see regex_parse.h.  Recursion is bounded by DEPTH_MAX; memory and time are linear in
 * the pattern, but for classes that are written caseless.
 */
#include "base/regex/regex_parse.h"

#include "base/out.h"
#include "base/regex/regex_bracket.h"
#include "base/regex/regex_escape.h"
#include "base/regex/regex_utf8.h"

enum {
    PATTERN_MAX = 65536,   /* bytes */
    DEPTH_MAX = 250,       /* groups within groups, as in PCRE */
    GROUPS_MAX = 1000,
    NAME_MAX_LENGTH = 32,
    COUNT_MAX = 65535,     /* in {n,m} */
};

static struct regex_node *parse_choice(struct regex_parser *p, bool reset);

bool regex_parse_fail(struct regex_parser *p, const unsigned char *where, const char *text)
{
    if (!p->failed) {
        struct out o = out_fixed(p->error->text, sizeof p->error->text - 1);
        out_str(&o, str_of(text));
        *o.at = '\0';
        p->error->offset = (size_t)(where - p->start);
        p->failed = true;
    }
    return false;
}

static struct regex_node *fail(struct regex_parser *p, const unsigned char *where, const char *text)
{
    regex_parse_fail(p, where, text);
    return NULL;
}

uint32_t regex_parse_max(const struct regex_parser *p)
{
    return p->utf8 ? CODE_POINT_MAX : 0xFF;
}

uint32_t regex_parse_char(struct regex_parser *p)
{
    return p->utf8 ? regex_utf8_decode(&p->at) : *p->at++;
}

bool regex_parse_skip(struct regex_parser *p, struct str text)
{
    struct str rest = str_range((const char *)p->at, (const char *)p->end);

    if (!str_starts(rest, text))
        return false;
    p->at += text.len;
    return true;
}

static bool is_name_char(unsigned char c)
{
    return c == '_' || char_is_digit((char)c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool regex_parse_name(struct regex_parser *p, unsigned char terminator, struct str *name)
{
    const unsigned char *from = p->at;

    if (from < p->end && char_is_digit((char)*from))
        return regex_parse_fail(p, from, "a group's name must not start with a digit");
    while (p->at < p->end && is_name_char(*p->at))
        p->at++;
    *name = str_range((const char *)from, (const char *)p->at);
    if (p->at == p->end || *p->at != terminator)
        return regex_parse_fail(p, p->at, "a group's name lacks its end, or has a character "
                                          "other than letters, digits and _");
    if (name->len == 0)
        return regex_parse_fail(p, p->at, "a group's name is empty");
    if (name->len > NAME_MAX_LENGTH)
        return regex_parse_fail(p, p->at, "a group's name has more than 32 characters");
    p->at++;
    return true;
}

/* --- leaves --- */

static struct regex_node *leaf(struct regex_parser *p, enum regex_node_kind kind)
{
    struct regex_node *n = regex_node_new(p->arena, kind);

    regex_node_measure(n);
    return n;
}

static struct regex_node *class_node(struct regex_parser *p, struct regex_class *class)
{
    struct regex_node *n = leaf(p, NODE_CLASS);

    regex_class_sort(class);
    n->class = class;
    return n;
}

static struct regex_node *char_node(struct regex_parser *p, uint32_t code)
{
    struct regex_class *class = ARENA_NEW(p->arena, struct regex_class);

    if (p->modes & MODE_CASELESS)
        regex_class_add_nocase(class, p->arena, code, code, p->utf8);
    else
        regex_class_add(class, p->arena, code, code);
    return class_node(p, class);
}

static struct regex_node *set_node(struct regex_parser *p, char letter)
{
    struct regex_class *class = ARENA_NEW(p->arena, struct regex_class);

    regex_class_add_escape(class, p->arena, letter, regex_parse_max(p));
    return class_node(p, class);
}

static struct regex_node *any_node(struct regex_parser *p)
{
    struct regex_class *class = ARENA_NEW(p->arena, struct regex_class);

    regex_class_add(class, p->arena, 0, regex_parse_max(p));
    return class_node(p, class);
}

static struct regex_node *assert_node(struct regex_parser *p, enum regex_assertion assertion)
{
    struct regex_node *n = leaf(p, NODE_ASSERT);

    n->assertion = assertion;
    return n;
}

/* \R is (?>\r\n|\v). */
static struct regex_node *newline_node(struct regex_parser *p)
{
    struct regex_node *atomic = regex_node_new(p->arena, NODE_ATOMIC);
    struct regex_node *choice = regex_node_new(p->arena, NODE_CHOICE);
    struct regex_node *pair = regex_node_new(p->arena, NODE_SEQUENCE);

    regex_node_append(pair, char_node(p, '\r'));
    regex_node_append(pair, char_node(p, '\n'));
    regex_node_measure(pair);
    regex_node_append(choice, pair);
    regex_node_append(choice, set_node(p, 'v'));
    regex_node_measure(choice);
    regex_node_append(atomic, choice);
    regex_node_measure(atomic);
    return atomic;
}

static struct regex_node *backref_node(struct regex_parser *p, unsigned group, struct str name,
                                       const unsigned char *where)
{
    struct regex_node *n = leaf(p, NODE_BACKREF);
    struct regex_reference *r = ARRAY_PUSH(&p->references, p->arena);

    n->backref.group = group;
    n->backref.caseless = p->modes & MODE_CASELESS;
    *r = (struct regex_reference){ n, name, (size_t)(where - p->start) };
    return n;
}

static struct regex_node *keep_node(struct regex_parser *p, const unsigned char *where)
{
    if (p->look_depth > 0)
        return fail(p, where, "\\K is not allowed in look-around");
    p->has_keep = true;
    return leaf(p, NODE_KEEP);
}

static struct regex_node *parse_escape(struct regex_parser *p)
{
    const unsigned char *from = p->at - 1;
    struct regex_escape e;

    if (!regex_escape_read(p, false, &e))
        return NULL;
    switch (e.kind) {
    case ESCAPE_CHAR:
        return char_node(p, e.value);
    case ESCAPE_CLASS:
        return set_node(p, e.letter);
    case ESCAPE_ASSERT:
        return assert_node(p, (enum regex_assertion)e.value);
    case ESCAPE_GROUP:
    case ESCAPE_NAME:
        return backref_node(p, e.value, e.name, from);
    case ESCAPE_KEEP:
        return keep_node(p, from);
    case ESCAPE_NEWLINE:
        return newline_node(p);
    case ESCAPE_BYTE:
        if (p->utf8)
            return fail(p, from, "\\C is not supported in UTF-8 mode");
        return any_node(p);
    case ESCAPE_QUOTE:
    case ESCAPE_UNQUOTE:
        break;   /* skip_nothings() has passed those */
    }
    return NULL;
}

/* --- groups --- */

/* A group of `kind` around what follows, up to its closing parenthesis. */
static struct regex_node *wrap(struct regex_parser *p, enum regex_node_kind kind, unsigned group)
{
    struct regex_node *n = regex_node_new(p->arena, kind);
    struct regex_node *inner = parse_choice(p, false);

    if (!inner)
        return NULL;
    if (kind == NODE_CAPTURE)
        n->group = group;
    regex_node_append(n, inner);
    regex_node_measure(n);
    return n;
}

static struct regex_node *parse_capture(struct regex_parser *p)
{
    if (p->groups == GROUPS_MAX)
        return fail(p, p->at, "too many groups");
    p->groups++;
    return wrap(p, NODE_CAPTURE, p->groups);
}

/* Notes the name for the group that comes next. */
static bool add_name(struct regex_parser *p, struct str name, const unsigned char *where)
{
    unsigned group = p->groups + 1;

    for (unsigned i = 0; i < p->names.count; i++) {
        struct regex_name *other = &p->names.items[i];
        if (str_eq(other->name, name)) {
            if (other->group == group)
                return true;   /* in (?| the alternatives share numbers and names */
            return regex_parse_fail(p, where, "two groups have the same name");
        }
        if (other->group == group)
            return regex_parse_fail(p, where, "two names for groups of the same number");
    }
    *ARRAY_PUSH(&p->names, p->arena) = (struct regex_name){ name, group };
    return true;
}

static struct regex_node *parse_named(struct regex_parser *p, unsigned char terminator)
{
    const unsigned char *from = p->at;
    struct str name;

    if (!regex_parse_name(p, terminator, &name) || !add_name(p, name, from))
        return NULL;
    return parse_capture(p);
}

static bool has_fixed_lengths(const struct regex_node *inner)
{
    if (inner->kind != NODE_CHOICE)
        return inner->length != LENGTH_VARIES;
    for (const struct regex_node *c = inner->first; c; c = c->next) {
        if (c->length == LENGTH_VARIES)
            return false;
    }
    return true;
}

static struct regex_node *parse_look(struct regex_parser *p, bool behind, bool negative)
{
    const unsigned char *from = p->at;

    p->has_look = true;
    p->look_depth++;
    struct regex_node *n = wrap(p, NODE_LOOK, 0);
    p->look_depth--;
    if (!n)
        return NULL;
    n->look.behind = behind;
    n->look.negative = negative;
    if (behind && !has_fixed_lengths(n->first))
        return fail(p, from, "look-behind must have a fixed length in each alternative");
    return n;
}

/* The flags of (?flags) and (?flags:, up to and without the character that ends them. */
static bool parse_modes(struct regex_parser *p)
{
    static const struct {
        char letter;
        unsigned mode;
    } modes[] = {
        { 'i', MODE_CASELESS }, { 'm', MODE_MULTILINE },  { 's', MODE_DOTALL },
        { 'x', MODE_EXTENDED }, { 'n', MODE_NO_CAPTURE }, { 'U', MODE_UNGREEDY },
    };
    unsigned set = 0, unset = 0, *which = &set;

    if (regex_parse_skip(p, STR("^"))) {
        unset = MODE_CASELESS | MODE_MULTILINE | MODE_DOTALL | MODE_EXTENDED |
                MODE_EXTENDED_MORE | MODE_NO_CAPTURE;
    }
    for (; p->at < p->end && *p->at != ')' && *p->at != ':'; p->at++) {
        size_t i = 0;
        if (*p->at == '-' && which == &set && unset == 0) {
            which = &unset;
            continue;
        }
        while (i < sizeof modes / sizeof *modes && modes[i].letter != (char)*p->at)
            i++;
        if (i == sizeof modes / sizeof *modes)
            return regex_parse_fail(p, p->at, "this is not supported after (?");
        *which |= modes[i].mode;
        if (modes[i].mode == MODE_EXTENDED) {
            unset |= MODE_EXTENDED_MORE;
            if (p->at + 1 < p->end && p->at[1] == 'x' && p->at++)
                set |= which == &set ? MODE_EXTENDED_MORE : 0;
        }
    }
    p->modes = (p->modes & ~unset) | set;
    return true;
}

/* (?i) and (?i:...); the first gives no node, and no mistake. */
static struct regex_node *parse_mode_group(struct regex_parser *p)
{
    if (!parse_modes(p))
        return NULL;
    if (regex_parse_skip(p, STR(":")))
        return parse_choice(p, false);
    return NULL;
}

static struct regex_node *parse_unsupported(struct regex_parser *p)
{
    static const struct {
        struct str start;
        const char *text;
    } unsupported[] = {
        { STR_INIT("R"), "recursion is not supported" },
        { STR_INIT("&"), "subroutine calls are not supported" },
        { STR_INIT("P>"), "subroutine calls are not supported" },
        { STR_INIT("("), "conditional groups are not supported" },
        { STR_INIT("C"), "callouts are not supported" },
        { STR_INIT("*"), "non-atomic look-around is not supported" },
        { STR_INIT("<*"), "non-atomic look-around is not supported" },
        { STR_INIT("J"), "duplicate names are not supported" },
    };
    const unsigned char *from = p->at;

    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++) {
        if (regex_parse_skip(p, unsupported[i].start))
            return fail(p, from, unsupported[i].text);
    }
    bool sign = regex_parse_skip(p, STR("-")) || regex_parse_skip(p, STR("+"));
    if (p->at < p->end && char_is_digit((char)*p->at))
        return fail(p, from, "subroutine calls are not supported");
    if (sign)
        p->at = from;
    return parse_mode_group(p);
}

static struct regex_node *parse_named_reference(struct regex_parser *p)
{
    const unsigned char *from = p->at;
    struct str name;

    if (!regex_parse_name(p, ')', &name))
        return NULL;
    p->at--;   /* the parenthesis is the group's to pass */
    return backref_node(p, 0, name, from);
}

/* What follows "(?". */
static struct regex_node *parse_special(struct regex_parser *p)
{
    if (regex_parse_skip(p, STR(":")))
        return parse_choice(p, false);
    if (regex_parse_skip(p, STR("|")))
        return parse_choice(p, true);
    if (regex_parse_skip(p, STR(">")))
        return wrap(p, NODE_ATOMIC, 0);
    if (regex_parse_skip(p, STR("=")))
        return parse_look(p, false, false);
    if (regex_parse_skip(p, STR("!")))
        return parse_look(p, false, true);
    if (regex_parse_skip(p, STR("<=")))
        return parse_look(p, true, false);
    if (regex_parse_skip(p, STR("<!")))
        return parse_look(p, true, true);
    if (regex_parse_skip(p, STR("P=")))
        return parse_named_reference(p);
    if (regex_parse_skip(p, STR("'")))
        return parse_named(p, '\'');
    if (regex_parse_skip(p, STR("P<")))
        return parse_named(p, '>');
    if (!regex_parse_skip(p, STR("<*")) && regex_parse_skip(p, STR("<")))
        return parse_named(p, '>');
    return parse_unsupported(p);
}

/* A verb, or what PCRE calls an alphabetic assertion. */
static struct regex_node *parse_verb(struct regex_parser *p)
{
    if (p->at + 1 < p->end && (is_name_char(p->at[1]) || p->at[1] == ':'))
        return fail(p, p->at, "(*...) is not supported, but for (*UTF) at the start");
    return fail(p, p->at, "nothing stands here to be repeated");
}

/* The group whose parenthesis has been passed.  NULL without a mistake: it only set modes. */
static struct regex_node *parse_group(struct regex_parser *p)
{
    const unsigned char *from = p->at;
    unsigned modes = p->modes;
    struct regex_node *n;

    if (p->depth == DEPTH_MAX)
        return fail(p, p->at, "groups are nested too deeply");
    p->depth++;
    if (p->at < p->end && *p->at == '*')
        n = parse_verb(p);
    else if (regex_parse_skip(p, STR("?")))
        n = parse_special(p);
    else if (p->modes & MODE_NO_CAPTURE)
        n = parse_choice(p, false);
    else
        n = parse_capture(p);
    p->depth--;
    if (p->failed)
        return NULL;
    if (!regex_parse_skip(p, STR(")")))
        return fail(p, from, "missing closing parenthesis");
    if (n)
        p->modes = modes;
    return n;
}

/* --- sequences --- */

static bool skip_comment(struct regex_parser *p)
{
    const unsigned char *from = p->at;

    if (!regex_parse_skip(p, STR("(?#")))
        return false;
    while (p->at < p->end && *p->at != ')')
        p->at++;
    if (p->at == p->end)
        return regex_parse_fail(p, from, "missing ) at the end of a comment");
    p->at++;
    return true;
}

static bool skip_extended(struct regex_parser *p)
{
    if (!(p->modes & MODE_EXTENDED))
        return false;
    if (*p->at == '#') {
        while (p->at < p->end && *p->at != '\n')
            p->at++;
        return true;
    }
    if (*p->at != ' ' && (*p->at < '\t' || *p->at > '\r'))
        return false;
    p->at++;
    return true;
}

/* Moves past comments, white space where it means nothing, and the marks of quoting. */
static void skip_nothings(struct regex_parser *p)
{
    while (p->at < p->end) {
        if (p->quoting) {
            if (!regex_parse_skip(p, STR("\\E")))
                return;
            p->quoting = false;
        } else if (regex_parse_skip(p, STR("\\Q"))) {
            p->quoting = true;
        } else if (!regex_parse_skip(p, STR("\\E")) && !skip_extended(p) && !skip_comment(p)) {
            return;
        }
    }
}

static struct regex_node *parse_bracket(struct regex_parser *p)
{
    if (regex_bracket_is_posix(p))
        return fail(p, p->at - 1, "POSIX classes stand within [ and ] only");
    struct regex_class *class = regex_bracket_read(p);
    return class ? class_node(p, class) : NULL;
}

/* A number of {n,m}; false without a mistake if there is none. */
static bool parse_count(struct regex_parser *p, unsigned *count)
{
    const unsigned char *from = p->at;

    for (*count = 0; p->at < p->end && char_is_digit((char)*p->at); p->at++) {
        *count = *count * 10 + (unsigned)(*p->at - '0');
        if (*count > COUNT_MAX)
            return regex_parse_fail(p, p->at, "number too large in a {} quantifier");
    }
    return p->at > from;
}

/* {n}, {n,} or {n,m}; with anything else the brace is but a brace. */
static bool parse_braces(struct regex_parser *p, unsigned *min, unsigned *max)
{
    const unsigned char *from = p->at++;
    bool ok = parse_count(p, min);

    *max = *min;
    if (ok && regex_parse_skip(p, STR(","))) {
        *max = REPEAT_UNLIMITED;
        if (p->at < p->end && *p->at != '}')
            ok = parse_count(p, max);
    }
    if (ok && regex_parse_skip(p, STR("}"))) {
        if (*min > *max)
            return regex_parse_fail(p, p->at, "numbers out of order in a {} quantifier");
        return true;
    }
    p->at = from;
    return false;
}

static bool parse_quantifier(struct regex_parser *p, unsigned *min, unsigned *max)
{
    if (p->at == p->end || p->quoting)
        return false;
    *min = *p->at == '+' ? 1 : 0;
    *max = *p->at == '?' ? 1 : REPEAT_UNLIMITED;
    switch (*p->at) {
    case '*': case '+': case '?':
        p->at++;
        return true;
    case '{':
        return parse_braces(p, min, max);
    default:
        return false;
    }
}

static enum regex_greed parse_greed(struct regex_parser *p)
{
    bool ungreedy = p->modes & MODE_UNGREEDY;

    skip_nothings(p);
    if (p->quoting)
        return ungreedy ? LAZY : GREEDY;
    if (regex_parse_skip(p, STR("+")))
        return POSSESSIVE;
    return regex_parse_skip(p, STR("?")) != ungreedy ? LAZY : GREEDY;
}

/* The node, repeated as a quantifier may say that follows it. */
static struct regex_node *parse_repeat(struct regex_parser *p, struct regex_node *n)
{
    unsigned min, max;

    skip_nothings(p);
    if (p->failed || n->kind == NODE_ASSERT || n->kind == NODE_KEEP ||
        !parse_quantifier(p, &min, &max))
        return n;
    struct regex_node *repeat = regex_node_new(p->arena, NODE_REPEAT);
    if (n->kind == NODE_LOOK) {   /* looking twice shows nothing new */
        min = min ? 1 : 0;
        max = max ? 1 : 0;
    }
    repeat->repeat.min = min;
    repeat->repeat.max = max;
    repeat->repeat.greed = parse_greed(p);
    regex_node_append(repeat, n);
    regex_node_measure(repeat);
    return repeat;
}

/* One atom.  NULL without a mistake: there is none, or it only set modes. */
static struct regex_node *parse_atom(struct regex_parser *p)
{
    const unsigned char *from = p->at;
    unsigned min, max;

    if (p->quoting)
        return char_node(p, regex_parse_char(p));
    switch (*p->at) {
    case '\\':
        p->at++;
        return parse_escape(p);
    case '(':
        p->at++;
        return parse_group(p);
    case '[':
        p->at++;
        return parse_bracket(p);
    case '.':
        p->at++;
        return p->modes & MODE_DOTALL ? any_node(p) : set_node(p, 'N');
    case '^':
        p->at++;
        return assert_node(p, p->modes & MODE_MULTILINE ? ASSERT_LINE_START : ASSERT_TEXT_START);
    case '$':
        p->at++;
        return assert_node(p, p->modes & MODE_MULTILINE ? ASSERT_LINE_END
                                                        : ASSERT_FINAL_LINE_END);
    default:
        if (parse_quantifier(p, &min, &max))
            return fail(p, from, "nothing stands here to be repeated");
        return p->failed ? NULL : char_node(p, regex_parse_char(p));
    }
}

static struct regex_node *parse_sequence(struct regex_parser *p)
{
    struct regex_node *sequence = regex_node_new(p->arena, NODE_SEQUENCE);

    for (;;) {
        skip_nothings(p);
        if (p->failed)
            return NULL;
        if (p->at == p->end || (!p->quoting && (*p->at == '|' || *p->at == ')')))
            break;
        struct regex_node *atom = parse_atom(p);
        if (p->failed)
            return NULL;
        if (atom)
            regex_node_append(sequence, parse_repeat(p, atom));
        if (p->failed)
            return NULL;
    }
    regex_node_measure(sequence);
    return sequence;
}

/* Alternatives, up to a closing parenthesis or the end.  With `reset`, as in (?|, each of them
 * numbers its groups anew. */
static struct regex_node *parse_choice(struct regex_parser *p, bool reset)
{
    struct regex_node *choice = regex_node_new(p->arena, NODE_CHOICE);
    unsigned first = p->groups, most = first;

    do {
        if (reset)
            p->groups = first;
        struct regex_node *sequence = parse_sequence(p);
        if (!sequence)
            return NULL;
        regex_node_append(choice, sequence);
        most = p->groups > most ? p->groups : most;
    } while (regex_parse_skip(p, STR("|")));
    p->groups = most;
    if (choice->first == choice->last)
        return choice->first;
    regex_node_measure(choice);
    return choice;
}

/* --- the whole --- */

static bool resolve_references(struct regex_parser *p)
{
    for (unsigned i = 0; i < p->references.count; i++) {
        struct regex_reference *r = &p->references.items[i];
        for (unsigned j = 0; r->name.data && j < p->names.count; j++) {
            if (str_eq(p->names.items[j].name, r->name))
                r->node->backref.group = p->names.items[j].group;
        }
        if (r->node->backref.group == 0 || r->node->backref.group > p->groups)
            return regex_parse_fail(p, p->start + r->offset,
                                    "reference to a group that does not exist");
    }
    return true;
}

static bool check_text(struct regex_parser *p, struct str pattern)
{
    if (pattern.len > PATTERN_MAX)
        return regex_parse_fail(p, p->start, "the pattern is longer than 65536 bytes");
    if (regex_parse_skip(p, STR("(*UTF8)")) || regex_parse_skip(p, STR("(*UTF)")))
        p->utf8 = true;
    if (p->utf8 && !regex_utf8_valid(pattern))
        return regex_parse_fail(p, p->start, "the pattern is not valid UTF-8");
    return true;
}

struct regex_node *regex_parse(struct regex_parser *p, struct arena *a, struct str pattern,
                               unsigned flags, struct regex_error *error)
{
    *p = (struct regex_parser){
        .arena = a,
        .start = (const unsigned char *)pattern.data,
        .at = (const unsigned char *)pattern.data,
        .end = (const unsigned char *)pattern.data + pattern.len,
        .modes = flags & REGEX_CASELESS ? MODE_CASELESS : 0,
        .utf8 = flags & REGEX_UTF8,
        .error = error,
    };
    if (!check_text(p, pattern))
        return NULL;
    struct regex_node *tree = parse_choice(p, false);
    if (!tree)
        return NULL;
    if (p->at < p->end)
        return fail(p, p->at, "unmatched closing parenthesis");
    return resolve_references(p) ? tree : NULL;
}
