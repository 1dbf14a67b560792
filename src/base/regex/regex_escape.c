/*
 * regex_escape: see regex_escape.h.
 */
#include "base/regex/regex_escape.h"

/* The letters that need no further reading. */
static const struct regex_escape letters[128] = {
    ['a'] = { ESCAPE_CHAR, 7, 'a', { 0 } },
    ['e'] = { ESCAPE_CHAR, 27, 'e', { 0 } },
    ['f'] = { ESCAPE_CHAR, '\f', 'f', { 0 } },
    ['n'] = { ESCAPE_CHAR, '\n', 'n', { 0 } },
    ['r'] = { ESCAPE_CHAR, '\r', 'r', { 0 } },
    ['t'] = { ESCAPE_CHAR, '\t', 't', { 0 } },
    ['d'] = { ESCAPE_CLASS, 0, 'd', { 0 } },
    ['D'] = { ESCAPE_CLASS, 0, 'D', { 0 } },
    ['h'] = { ESCAPE_CLASS, 0, 'h', { 0 } },
    ['H'] = { ESCAPE_CLASS, 0, 'H', { 0 } },
    ['s'] = { ESCAPE_CLASS, 0, 's', { 0 } },
    ['S'] = { ESCAPE_CLASS, 0, 'S', { 0 } },
    ['v'] = { ESCAPE_CLASS, 0, 'v', { 0 } },
    ['V'] = { ESCAPE_CLASS, 0, 'V', { 0 } },
    ['w'] = { ESCAPE_CLASS, 0, 'w', { 0 } },
    ['W'] = { ESCAPE_CLASS, 0, 'W', { 0 } },
    ['N'] = { ESCAPE_CLASS, 0, 'N', { 0 } },
    ['A'] = { ESCAPE_ASSERT, ASSERT_TEXT_START, 'A', { 0 } },
    ['G'] = { ESCAPE_ASSERT, ASSERT_TEXT_START, 'G', { 0 } },
    ['z'] = { ESCAPE_ASSERT, ASSERT_TEXT_END, 'z', { 0 } },
    ['Z'] = { ESCAPE_ASSERT, ASSERT_FINAL_LINE_END, 'Z', { 0 } },
    ['b'] = { ESCAPE_ASSERT, ASSERT_WORD_EDGE, 'b', { 0 } },
    ['B'] = { ESCAPE_ASSERT, ASSERT_NO_WORD_EDGE, 'B', { 0 } },
    ['K'] = { ESCAPE_KEEP, 0, 'K', { 0 } },
    ['R'] = { ESCAPE_NEWLINE, 0, 'R', { 0 } },
    ['C'] = { ESCAPE_BYTE, 0, 'C', { 0 } },
    ['Q'] = { ESCAPE_QUOTE, 0, 'Q', { 0 } },
    ['E'] = { ESCAPE_UNQUOTE, 0, 'E', { 0 } },
};

static int digit_of(const struct regex_parser *p, int base)
{
    int value = p->at < p->end ? char_hex((char)*p->at) : -1;

    return value < base ? value : -1;
}

/* At most `max` digits; false if the character is none that there is. */
static bool read_code(struct regex_parser *p, int base, int max, uint32_t *value)
{
    uint32_t code = 0;
    int digit;

    for (int i = 0; i < max && (digit = digit_of(p, base)) >= 0; i++, p->at++) {
        code = code * (uint32_t)base + (uint32_t)digit;
        if (code > regex_parse_max(p))
            return regex_parse_fail(p, p->at, "character code is too large");
    }
    if (p->utf8 && code >= 0xD800 && code <= 0xDFFF)
        return regex_parse_fail(p, p->at, "surrogates are no characters");
    *value = code;
    return true;
}

/* Digits up to a closing brace. */
static bool read_braced_code(struct regex_parser *p, int base, uint32_t *value)
{
    if (digit_of(p, base) < 0)
        return regex_parse_fail(p, p->at, "digits missing between { and }");
    if (!read_code(p, base, 64, value))
        return false;
    if (!regex_parse_skip(p, STR("}")))
        return regex_parse_fail(p, p->at, "no digit and no } in a character code");
    return true;
}

static bool read_hex(struct regex_parser *p, uint32_t *value)
{
    if (regex_parse_skip(p, STR("{")))
        return read_braced_code(p, 16, value);
    return read_code(p, 16, 2, value);
}

static bool read_octal_braced(struct regex_parser *p, uint32_t *value)
{
    if (!regex_parse_skip(p, STR("{")))
        return regex_parse_fail(p, p->at, "no opening brace after \\o");
    return read_braced_code(p, 8, value);
}

static bool read_control(struct regex_parser *p, uint32_t *value)
{
    if (p->at == p->end)
        return regex_parse_fail(p, p->at, "\\c at the end of the pattern");
    if (*p->at < ' ' || *p->at > '~')
        return regex_parse_fail(p, p->at, "\\c must be followed by a printable ASCII character");
    unsigned char c = *p->at++;
    *value = (c >= 'a' && c <= 'z' ? c - 32u : c) ^ 0x40u;
    return true;
}

/* A decimal number of a group; saturates well above the number of groups there may be. */
static bool read_number(struct regex_parser *p, uint32_t *value)
{
    if (digit_of(p, 10) < 0)
        return false;
    for (*value = 0; digit_of(p, 10) >= 0; p->at++) {
        if (*value < 1000000)
            *value = *value * 10 + (uint32_t)digit_of(p, 10);
    }
    return true;
}

/* \1 and the like, of which p->at has passed the backslash: PCRE decides by the number of groups
 * seen so far between a reference and an octal code. */
static bool read_digits(struct regex_parser *p, bool in_class, struct regex_escape *e)
{
    const unsigned char *from = p->at;
    uint32_t number;

    if (!in_class && *from != '0') {
        read_number(p, &number);
        if (number < 10 || *from >= '8' || number <= p->groups) {
            *e = (struct regex_escape){ .kind = ESCAPE_GROUP, .value = number };
            return true;
        }
        p->at = from;
    }
    e->kind = ESCAPE_CHAR;
    if (*from >= '8') {
        e->value = *p->at++;
        return true;
    }
    return read_code(p, 8, 3, &e->value);
}

/* After \g: a number, a relative number or a name. */
static bool read_reference(struct regex_parser *p, struct regex_escape *e)
{
    const unsigned char *from = p->at;
    bool braced = regex_parse_skip(p, STR("{"));
    bool back = regex_parse_skip(p, STR("-"));
    bool ahead = !back && regex_parse_skip(p, STR("+"));

    if (p->at < p->end && !braced && (*p->at == '<' || *p->at == '\''))
        return regex_parse_fail(p, from, "subroutine calls are not supported");
    if (!read_number(p, &e->value)) {
        if (!braced || back || ahead)
            return regex_parse_fail(p, p->at, "\\g must be followed by a number or a name");
        e->kind = ESCAPE_NAME;
        return regex_parse_name(p, '}', &e->name);
    }
    if (braced && !regex_parse_skip(p, STR("}")))
        return regex_parse_fail(p, p->at, "\\g{ lacks its closing brace");
    if (back && e->value > p->groups)
        return regex_parse_fail(p, from, "reference to a group that does not exist");
    if ((back || ahead) && e->value == 0)
        return regex_parse_fail(p, from, "a relative reference must not be zero");
    if (back)
        e->value = p->groups - e->value + 1;
    if (ahead)
        e->value += p->groups;
    e->kind = ESCAPE_GROUP;
    return true;
}

/* After \k. */
static bool read_named_reference(struct regex_parser *p, struct regex_escape *e)
{
    e->kind = ESCAPE_NAME;
    if (regex_parse_skip(p, STR("{")))
        return regex_parse_name(p, '}', &e->name);
    if (regex_parse_skip(p, STR("<")))
        return regex_parse_name(p, '>', &e->name);
    if (regex_parse_skip(p, STR("'")))
        return regex_parse_name(p, '\'', &e->name);
    return regex_parse_fail(p, p->at, "\\k must be followed by a name in braces, <> or quotes");
}

/* Does {n}, {n,} or {n,m} stand here? */
static bool is_quantifier(const struct regex_parser *p)
{
    const unsigned char *c = p->at + 1;

    if (c >= p->end || !char_is_digit((char)*c))
        return false;
    while (c < p->end && char_is_digit((char)*c))
        c++;
    if (c < p->end && *c == ',')
        c++;
    while (c < p->end && char_is_digit((char)*c))
        c++;
    return c < p->end && *c == '}';
}

/* \N{U+hhh} is a character; \N{2} is two characters that are no newline. */
static bool read_named_character(struct regex_parser *p, struct regex_escape *e)
{
    const unsigned char *from = p->at;

    if (p->at == p->end || *p->at != '{' || is_quantifier(p))
        return true;
    p->at++;
    if (!regex_parse_skip(p, STR("U+")))
        return regex_parse_fail(p, from, "\\N{name} is not supported");
    if (!p->utf8)
        return regex_parse_fail(p, from, "\\N{U+...} is for UTF-8 mode only");
    e->kind = ESCAPE_CHAR;
    return read_braced_code(p, 16, &e->value);
}

/* The escapes that stand for something else, or for nothing, within a class. */
static bool check_in_class(struct regex_parser *p, struct regex_escape *e)
{
    if (e->letter == 'b') {
        *e = (struct regex_escape){ .kind = ESCAPE_CHAR, .value = '\b' };
        return true;
    }
    if ((e->kind == ESCAPE_CLASS && e->letter != 'N') || e->kind == ESCAPE_CHAR ||
        e->kind == ESCAPE_QUOTE || e->kind == ESCAPE_UNQUOTE)
        return true;
    return regex_parse_fail(p, p->at, "this escape means nothing in a class");
}

static bool read_letter(struct regex_parser *p, bool in_class, struct regex_escape *e)
{
    const unsigned char *from = p->at;
    unsigned char c = *p->at++;

    *e = letters[c];
    if (e->letter == 'N' && !in_class && !read_named_character(p, e))
        return false;
    if (e->letter)
        return !in_class || check_in_class(p, e);
    e->kind = ESCAPE_CHAR;
    switch (c) {
    case 'c':
        return read_control(p, &e->value);
    case 'x':
        return read_hex(p, &e->value);
    case 'o':
        return read_octal_braced(p, &e->value);
    case 'g':
        e->value = 'g';   /* as PCRE has it in a class */
        return in_class || read_reference(p, e);
    case 'k':
        if (!in_class)
            return read_named_reference(p, e);
        break;
    case 'p': case 'P': case 'X':
        return regex_parse_fail(p, from, "Unicode properties (\\p, \\P, \\X) are not supported");
    }
    return regex_parse_fail(p, from, "unknown escape: this letter means nothing after \\");
}

bool regex_escape_read(struct regex_parser *p, bool in_class, struct regex_escape *e)
{
    *e = (struct regex_escape){ .kind = ESCAPE_CHAR };
    if (p->at == p->end)
        return regex_parse_fail(p, p->at, "\\ at the end of the pattern");
    if (char_is_digit((char)*p->at))
        return read_digits(p, in_class, e);
    if ((*p->at >= 'a' && *p->at <= 'z') || (*p->at >= 'A' && *p->at <= 'Z'))
        return read_letter(p, in_class, e);
    e->value = regex_parse_char(p);
    return true;
}
