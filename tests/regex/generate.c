/*
 * generate: see generate.h.
 */
#include "generate.h"

static const char *const characters[] = { "a", "b", "c", "A", "B", "/", ".", "-", "_", "1", "2",
                                          " ", "\n", "x", "0", "k", "s" };
static const char *const wide[] = { "\xC3\xA9", "\xC3\x89", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                                    "\xC5\xBF", "\xE2\x84\xAA", "\xD0\xB6", "\xD0\x96" };

uint32_t generate_number(struct generator *g, uint32_t below)
{
    g->random ^= g->random << 13;
    g->random ^= g->random >> 7;
    g->random ^= g->random << 17;
    return (uint32_t)(g->random >> 33) % below;
}

static bool chance(struct generator *g, uint32_t one_in)
{
    return generate_number(g, one_in) == 0;
}

#define PICK(g, list) (list)[generate_number((g), sizeof(list) / sizeof *(list))]

static const char *pick_character(struct generator *g)
{
    if (g->utf8 && chance(g, 5))
        return PICK(g, wide);
    return PICK(g, characters);
}

static void put(struct out *o, const char *text)
{
    out_str(o, str_of(text));
}

static void put_literal(struct generator *g, const char *c, struct out *sample)
{
    put(sample, c);
    if (*c == '\n') {
        put(&g->pattern, "\\n");
    } else {
        if (*c == '.')
            put(&g->pattern, "\\");
        put(&g->pattern, c);
    }
}

static void gen_escape(struct generator *g, struct out *sample)
{
    static const char *const escapes[][2] = {
        { "\\d", "1" }, { "\\D", "a" }, { "\\w", "b" }, { "\\W", "/" }, { "\\s", " " },
        { "\\S", "a" }, { "\\h", " " }, { "\\H", "a" }, { "\\v", "\n" }, { "\\V", "b" },
        { "\\N", "c" }, { "\\x61", "a" }, { "\\x{62}", "b" }, { "\\141", "a" }, { "\\o{142}", "b" },
        { "\\Qa.b\\E", "a.b" }, { "\\t", "\t" }, { "\\x2f", "/" }, { "\\.", "." }, { "\\-", "-" },
    };
    unsigned i = generate_number(g, sizeof escapes / sizeof *escapes);

    put(&g->pattern, escapes[i][0]);
    put(sample, escapes[i][1]);
}

static void gen_class(struct generator *g, struct out *sample)
{
    static const char *const classes[][2] = {
        { "[a-c]", "b" }, { "[^/]", "a" }, { "[abAB]", "A" }, { "[0-9]", "1" }, { "[^a-c1]", "x" },
        { "[[:alpha:]]", "k" }, { "[[:^digit:]/]", "/" }, { "[\\w.-]", "-" }, { "[\\d\\n]", "\n" },
        { "[]a]", "a" }, { "[^]a]", "b" }, { "[^\\s]", "s" }, { "[\\D]", "c" },
        { "[a-zA-Z0-9_]", "_" },
        { "[\\x61-\\x63]", "c" }, { "[a\\-c]", "-" }, { "[\\W_]", "_" }, { "[^\\d/]", "a" },
        { "[[:punct:][:upper:]]", "B" }, { "[.]", "." }, { "[^.\\n]", "a" }, { "[\\Q^]\\Ea]", "a" },
    };
    static const char *const wide_classes[][2] = {
        { "[\xC3\xA9\xE2\x82\xAC]", "\xC3\xA9" }, { "[^\xC3\xA9]", "\xD0\xB6" },
        { "[\xC3\x80-\xD1\x8F]", "\xD0\x96" }, { "[\\x{100}-\\x{10ffff}]", "\xF0\x9F\x98\x80" },
        { "[^a\\x{80}-\\x{7ff}]", "\xE2\x82\xAC" }, { "[k-s]", "\xE2\x84\xAA" },
    };
    if (g->utf8 && chance(g, 3)) {
        unsigned i = generate_number(g, sizeof wide_classes / sizeof *wide_classes);
        put(&g->pattern, wide_classes[i][0]);
        put(sample, wide_classes[i][1]);
        return;
    }
    unsigned i = generate_number(g, sizeof classes / sizeof *classes);
    put(&g->pattern, classes[i][0]);
    put(sample, classes[i][1]);
}

static void gen_assertion(struct generator *g)
{
    static const char *const assertions[] = { "^", "$", "\\b", "\\B", "\\A", "\\z", "\\Z", "$", "^",
                                              "(?m)^", "(?m)$", "(?m:^)", "(?m:$)" };

    put(&g->pattern, PICK(g, assertions));
}

static void gen_choice(struct generator *g, struct out *sample);

static void gen_group(struct generator *g, struct out *sample)
{
    static const char *const openers[] = { "(", "(", "(", "(?:", "(?:", "(?i:", "(?s:", "(?-i:",
                                           "(?x:", "(?|", "(?U:" };
    const char *opener = PICK(g, openers);

    if (strcmp(opener, "(") == 0) {
        g->groups++;
        if (chance(g, 6)) {
            out_printf(&g->pattern, "(?<n%u>", ++g->names);
            opener = "";
        }
    }
    put(&g->pattern, opener);
    gen_choice(g, sample);
    put(&g->pattern, ")");
}

static void gen_fixed(struct generator *g, struct out *sample)
{
    unsigned n = generate_number(g, 3);

    for (unsigned i = 0; i < n; i++) {
        switch (generate_number(g, 4)) {
        case 0: gen_class(g, sample); break;
        case 1: gen_assertion(g); break;
        default: put_literal(g, pick_character(g), sample); break;
        }
    }
}

static void gen_look(struct generator *g)
{
    static const char *const openers[] = { "(?=", "(?!", "(?<=", "(?<!" };
    unsigned which = generate_number(g, 4);
    char space[256];
    struct out unused = out_fixed(space, sizeof space);

    put(&g->pattern, openers[which]);
    g->look_depth++;
    if (which < 2) {
        gen_choice(g, &unused);
    } else {
        gen_fixed(g, &unused);
        for (; chance(g, 3); gen_fixed(g, &unused))
            put(&g->pattern, "|");
    }
    g->look_depth--;
    put(&g->pattern, ")");
}

static void gen_wild(struct generator *g, struct out *sample)
{
    switch (generate_number(g, 7)) {
    case 0: case 1:
        gen_look(g);
        break;
    case 2:
        put(&g->pattern, "(?>");
        gen_choice(g, sample);
        put(&g->pattern, ")");
        break;
    case 3: case 4:
        if (g->groups > 0)
            out_printf(&g->pattern, "\\g{%u}", 1 + generate_number(g, g->groups));
        break;
    case 5:
        if (g->look_depth == 0)
            put(&g->pattern, "\\K");
        break;
    default:
        put(&g->pattern, "\\R");
        put(sample, "\n");
        break;
    }
}

static void gen_atom(struct generator *g, struct out *sample)
{
    if (g->budget > 0)
        g->budget--;
    switch (generate_number(g, g->wild ? 13 : 11)) {
    case 0: case 1: case 2: case 3:
        put_literal(g, pick_character(g), sample);
        break;
    case 4:
        put(&g->pattern, ".");
        put(sample, pick_character(g));
        break;
    case 5:
        gen_escape(g, sample);
        break;
    case 6: case 7:
        gen_class(g, sample);
        break;
    case 8: case 9:
        if (g->budget > 0)
            gen_group(g, sample);
        break;
    case 10:
        if (chance(g, 2))
            gen_assertion(g);
        break;
    default:
        if (g->budget > 0)
            gen_wild(g, sample);
        break;
    }
}

static bool is_repeatable(struct str atom)
{
    static const char *const not_so[] = { "^", "$", "\\b", "\\B", "\\A", "\\z", "\\Z", "\\K",
                                          "(?m)^", "(?m)$" };

    for (size_t i = 0; i < sizeof not_so / sizeof *not_so; i++) {
        if (str_eq(atom, str_of(not_so[i])))
            return false;
    }
    return atom.len > 0;
}

static void gen_piece(struct generator *g, struct out *sample)
{
    static const char *const quantifiers[] = { "*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}",
                                               "{0}", "{0,1}" };
    size_t pattern_from = out_len(&g->pattern), sample_from = out_len(sample);

    gen_atom(g, sample);
    struct str atom = str_from(out_str_of(&g->pattern), pattern_from);
    if (!is_repeatable(atom) || !chance(g, 3))
        return;
    const char *q = PICK(g, quantifiers);
    if (strcmp(q, "{0}") == 0 && atom.len > 2)   /* 10.42 of PCRE2 takes (?:a|^){0} for an anchor */
        q = "?";
    put(&g->pattern, q);
    if (chance(g, 4))
        put(&g->pattern, "?");
    else if (g->wild && chance(g, 6))
        put(&g->pattern, "+");
    struct str once = str_from(out_str_of(sample), sample_from);
    size_t len = once.len;
    if (len > 40 || sample->end - sample->at < 200)
        return;
    for (unsigned n = generate_number(g, 3) + (q[1] == '2'); n > 1; n--)
        out_bytes(sample, sample->start + sample_from, len);
}

static void gen_sequence(struct generator *g, struct out *sample)
{
    unsigned pieces = generate_number(g, 4) + (chance(g, 12) ? 0 : 1);

    for (unsigned i = 0; i < pieces; i++)
        gen_piece(g, sample);
}

static void gen_choice(struct generator *g, struct out *sample)
{
    char space[512];
    struct out other = out_fixed(space, sizeof space);

    gen_sequence(g, sample);
    while (g->budget > 0 && chance(g, 4)) {
        put(&g->pattern, "|");
        gen_sequence(g, &other);
    }
}

void generate_pattern(struct generator *g, struct out *sample)
{
    g->groups = g->names = g->look_depth = 0;
    g->budget = 4 + generate_number(g, 14);
    if (chance(g, 4))
        put(&g->pattern, "^");
    gen_choice(g, sample);
    if (chance(g, 4))
        put(&g->pattern, "$");
}

void generate_damage(struct generator *g)
{
    static const char signs[] = "(){}[]?*+|\\^$.-:<>=!'#,0123456789abxPQEGKkgonNiRs&~ ";

    for (unsigned n = 1 + generate_number(g, 3); n > 0; n--) {
        size_t len = out_len(&g->pattern), at = generate_number(g, (uint32_t)len + 1);
        char *c = g->pattern.start + at, sign = signs[generate_number(g, sizeof signs - 1)];
        if (at < len && chance(g, 3)) {
            *c = sign;
        } else if (at < len && chance(g, 2)) {
            memmove(c, c + 1, len - at - 1);
            g->pattern.at--;
        } else if (out_need(&g->pattern, 1)) {
            memmove(c + 1, c, len - at);
            *c = sign;
            g->pattern.at++;
        }
    }
}

void generate_subject(struct generator *g, struct str sample, struct out *subject)
{
    unsigned n = generate_number(g, chance(g, 6) ? 60 : 12);

    if (chance(g, 3)) {
        for (unsigned i = 0; i < n; i++)
            put(subject, pick_character(g));
        return;
    }
    for (unsigned i = generate_number(g, 3); i > 0; i--)
        put(subject, pick_character(g));
    out_str(subject, sample);
    if (chance(g, 2))
        put(subject, pick_character(g));
    if (!g->utf8 && out_len(subject) > 0 && chance(g, 2))
        subject->start[generate_number(g, (uint32_t)out_len(subject))] = *pick_character(g);
    if (chance(g, 4))
        out_str(subject, sample);
}
