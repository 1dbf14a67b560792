/*
 * differential: runs the same patterns over the same subjects in Weir's engine and in PCRE2, and
 * holds each of Weir's matchers to PCRE2's answer, captures included.
 *
 *     differential CORPUS SUBJECTS [PATTERNS [SEED]]
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/regex/regex.h"
#include "base/regex/regex_backtrack.h"
#include "base/regex/regex_dfa.h"
#include "base/regex/regex_fold.h"
#include "base/regex/regex_pike.h"
#include "base/regex/regex_set.h"
#include "generate.h"

enum { SLOTS = 128, IN_A_SET = 24, SHOWN = 40 };

struct expected {
    int result;                     /* PCRE2's: groups, or an error */
    size_t offsets[SLOTS];
};

struct subject_list {
    ARRAY(struct str) items;
};

static unsigned long passed, failed, compiled, refused, invalid, limited;

static void show(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c < ' ' || c > '~')
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

static void report(const char *what, struct str pattern, unsigned flags, struct str subject)
{
    if (++failed > SHOWN)
        return;
    printf("FAILED %s: /", what);
    show(pattern);
    printf("/%s%s on \"", flags & REGEX_CASELESS ? "i" : "", flags & REGEX_UTF8 ? "u" : "");
    show(subject);
    printf("\"\n");
}

static void show_offsets(const char *who, const size_t *offsets, unsigned groups)
{
    if (failed > SHOWN)
        return;
    printf("    %s:", who);
    for (unsigned i = 0; i < groups; i++)
        printf(" %zd-%zd", (ssize_t)offsets[2 * i], (ssize_t)offsets[2 * i + 1]);
    printf("\n");
}

/* --- PCRE2's side --- */

static pcre2_code *compile_pcre(struct str pattern, unsigned flags, int *error)
{
    /* Its optimisations are off: those of 10.42 lose matches, for example of (?:.*a){0}b. */
    uint32_t options = PCRE2_NO_AUTO_POSSESS | PCRE2_NO_START_OPTIMIZE | PCRE2_NO_DOTSTAR_ANCHOR |
                       (flags & REGEX_CASELESS ? PCRE2_CASELESS : 0) |
                       (flags & REGEX_UTF8 ? PCRE2_UTF : 0);
    size_t offset;

    return pcre2_compile((PCRE2_SPTR)pattern.data, pattern.len, options, error, &offset, NULL);
}

static void match_pcre(const pcre2_code *code, pcre2_match_data *data, struct str subject,
                       unsigned groups, struct expected *e)
{
    e->result = pcre2_match(code, (PCRE2_SPTR)subject.data, subject.len, 0, 0, data, NULL);
    const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(data);
    for (unsigned i = 0; i < 2 * groups; i++) {
        bool set = e->result > (int)(i / 2) && offsets[i] != PCRE2_UNSET;
        e->offsets[i] = set ? offsets[i] : SIZE_MAX;
    }
}

/* --- Weir's side --- */

struct pair {
    struct str pattern;
    unsigned flags, groups;
    struct regex *re;
    struct regex_nfa *nfa;
    struct regex_dfa *tight;        /* with hardly any room for states */
    struct regex_pike *pike;
    struct regex_backtrack backtrack;
    pcre2_code *code;
    pcre2_match_data *data;
};

static bool is_refusal(const char *text)
{
    return strstr(text, "not supported") || strstr(text, "too large") ||
           strstr(text, "fixed length");
}

static bool open_pair(struct pair *p, struct arena *a, struct str pattern, unsigned flags)
{
    struct regex_error error = { 0 };
    int pcre_error;

    *p = (struct pair){ .pattern = pattern, .flags = flags };
    p->re = regex_compile(a, pattern, flags, &error);
    p->code = compile_pcre(pattern, flags, &pcre_error);
    if (p->code && !p->re && !is_refusal(error.text)) {
        report(error.text, pattern, flags, STR("(compiling)"));
    } else if (!p->code && !p->re) {
        passed++;   /* a mistake, both say */
    } else if (!p->code && p->re && pcre_error != PCRE2_ERROR_CLASS_INVALID_RANGE) {
        report("PCRE2 refuses", pattern, flags, STR("(compiling)"));
    } else if (p->re && p->code) {
        struct regex_program *program = regex_program(p->re);
        compiled++;
        p->groups = regex_captures(p->re) + 1;
        p->data = pcre2_match_data_create_from_pattern(p->code, NULL);
        p->nfa = regex_nfa_new(a, &program, 1);
        p->tight = regex_dfa_new(p->nfa, 700);
        p->pike = program->regular ? regex_pike_new(program) : NULL;
        return true;
    }
    refused += p->code && !p->re;
    invalid += !p->code && !p->re;
    if (p->re)
        regex_fini(p->re);
    pcre2_code_free(p->code);
    return false;
}

static void close_pair(struct pair *p)
{
    regex_fini(p->re);
    regex_dfa_free(p->tight);
    regex_pike_free(p->pike);
    regex_backtrack_fini(&p->backtrack);
    pcre2_match_data_free(p->data);
    pcre2_code_free(p->code);
}

static void check(const char *what, const struct pair *p, struct str subject,
                  const struct expected *e, enum regex_result result, const size_t *offsets)
{
    bool wanted = e->result > 0;

    if (result == REGEX_LIMIT && !regex_program(p->re)->regular) {
        limited++;
        return;
    }
    if (result == REGEX_LIMIT || (result == REGEX_MATCH) != wanted) {
        report(what, p->pattern, p->flags, subject);
        if (failed <= SHOWN)
            printf("    PCRE2 says %d, Weir %d\n", e->result, (int)result);
        return;
    }
    for (unsigned i = 0; wanted && offsets && i < p->groups; i++) {
        bool unset = e->offsets[2 * i] == SIZE_MAX && (offsets[2 * i] == SIZE_MAX ||
                                                       offsets[2 * i + 1] == SIZE_MAX);
        if (!unset && (e->offsets[2 * i] != offsets[2 * i] ||
                       e->offsets[2 * i + 1] != offsets[2 * i + 1])) {
            report(what, p->pattern, p->flags, subject);
            show_offsets("PCRE2", e->offsets, p->groups);
            show_offsets("Weir ", offsets, p->groups);
            return;
        }
    }
    passed++;
}

static void check_subject(struct pair *p, struct str subject)
{
    const struct regex_program *program = regex_program(p->re);
    struct expected e;
    struct regex_dfa_answer answer;
    size_t offsets[SLOTS];

    match_pcre(p->code, p->data, subject, p->groups, &e);
    if (e.result < 0 && e.result != PCRE2_ERROR_NOMATCH)
        return;   /* PCRE2 gave up */
    check("match", p, subject, &e, regex_match(p->re, subject, offsets, p->groups), offsets);
    check("match only", p, subject, &e, regex_match(p->re, subject, NULL, 0), NULL);
    enum regex_result result = regex_backtrack(&p->backtrack, program, subject, 0, offsets, 100000);
    if (result != REGEX_LIMIT)
        check("backtracking", p, subject, &e, result, offsets);
    if (p->pike) {
        bool found = regex_pike_match(p->pike, subject, offsets);
        check("pike", p, subject, &e, found ? REGEX_MATCH : REGEX_NO_MATCH, offsets);
    }
    regex_dfa_run(p->tight, subject, 0, &answer);
    bool found = answer.best == 0 || answer.perhaps_count > 0;
    if (program->regular || (e.result > 0 && !found))
        check("automaton", p, subject, &e, found ? REGEX_MATCH : REGEX_NO_MATCH, NULL);
}

/* --- sets --- */

/* The first of the pairs that PCRE2 says matches. */
static int first_of(struct pair *pairs, unsigned count, struct str subject)
{
    for (unsigned i = 0; i < count; i++) {
        struct expected e;
        match_pcre(pairs[i].code, pairs[i].data, subject, 0, &e);
        if (e.result < 0 && e.result != PCRE2_ERROR_NOMATCH)
            return REGEX_SET_FAILED;
        if (e.result >= 0)
            return (int)i;
    }
    return REGEX_SET_NONE;
}

static void check_set(struct regex_set *set, const char *what, struct pair *pairs, unsigned count,
                      struct str subject)
{
    int wanted = first_of(pairs, count, subject), got = regex_set_match(set, subject);

    if (wanted == REGEX_SET_FAILED || got == REGEX_SET_FAILED) {
        limited++;
        return;
    }
    if (wanted == got) {
        passed++;
        return;
    }
    report(what, pairs[wanted >= 0 ? wanted : got >= 0 ? got : 0].pattern, 0, subject);
    if (failed <= SHOWN)
        printf("    the first is %d, Weir says %d\n", wanted, got);
}

static void check_sets(struct arena *a, struct pair *pairs, unsigned count,
                       const struct subject_list *subjects)
{
    struct regex **patterns = ARENA_NEW_ARRAY(a, struct regex *, count);

    for (unsigned i = 0; i < count; i++)
        patterns[i] = pairs[i].re;
    struct regex_set *roomy = regex_set_new(a, patterns, count);
    struct regex_set *tight = regex_set_new(a, patterns, count);
    regex_set_cache_limit(tight, 4000);
    for (unsigned i = 0; i < subjects->items.count; i++) {
        check_set(roomy, "set", pairs, count, subjects->items.items[i]);
        check_set(tight, "set with a small cache", pairs, count, subjects->items.items[i]);
    }
    regex_set_fini(roomy);
    regex_set_fini(tight);
}

/* --- the runs --- */

static void run_generated(unsigned patterns, uint64_t seed)
{
    struct generator g = { .random = seed };
    struct pair pairs[IN_A_SET];
    unsigned count = 0;
    struct subject_list subjects = { 0 };
    struct arena a;

    arena_init(&a);
    for (unsigned n = 0; n < patterns; n++) {
        char pattern[1024], sample[1024];
        struct out sampled = out_fixed(sample, sizeof sample);
        g.pattern = out_fixed(pattern, sizeof pattern);
        g.utf8 = n / IN_A_SET % 5 == 4;
        g.wild = generate_number(&g, 3) == 0;
        unsigned flags = (g.utf8 ? REGEX_UTF8 : 0) |
                         (generate_number(&g, 4) == 0 ? REGEX_CASELESS : 0);
        generate_pattern(&g, &sampled);
        if (generate_number(&g, 4) == 0)
            generate_damage(&g);
        if (g.pattern.overflow || sampled.overflow)
            continue;
        struct str text = arena_str(&a, out_str_of(&g.pattern));
        if (!open_pair(&pairs[count], &a, text, flags))
            continue;
        for (unsigned i = 0; i < 16; i++) {
            char space[4096];
            struct out subject = out_fixed(space, sizeof space);
            generate_subject(&g, out_str_of(&sampled), &subject);
            struct str s = arena_str(&a, out_str_of(&subject));
            check_subject(&pairs[count], s);
            if (i < 4)
                *ARRAY_PUSH(&subjects.items, &a) = s;
        }
        if (++count == IN_A_SET || n + 1 == patterns) {
            check_sets(&a, pairs, count, &subjects);
            while (count > 0)
                close_pair(&pairs[--count]);
            subjects = (struct subject_list){ 0 };
            arena_fini(&a);
        }
    }
    while (count > 0)
        close_pair(&pairs[--count]);
    arena_fini(&a);
}

/* The lines of a file, but for empty ones and those that begin with '#'. */
static struct subject_list read_lines(struct arena *a, const char *path)
{
    struct subject_list list = { 0 };
    FILE *f = fopen(path, "r");
    char line[4096];

    if (!f) {
        perror(path);
        exit(2);
    }
    while (fgets(line, sizeof line, f)) {
        struct str s = str_of(line);
        if (s.len > 0 && s.data[s.len - 1] == '\n')
            s.len--;
        if (s.len > 0 && s.data[0] != '#')
            *ARRAY_PUSH(&list.items, a) = arena_str(a, s);
    }
    fclose(f);
    return list;
}

/* A line of the corpus: "~ PATTERN", or "~* PATTERN" for one without regard to case. */
static bool read_pattern(struct str line, struct str *pattern, unsigned *flags)
{
    *flags = str_starts(line, STR("~* ")) ? REGEX_CASELESS : 0;
    *pattern = str_from(line, *flags ? 3 : 2);
    return *flags || str_starts(line, STR("~ "));
}

static void run_corpus(const char *corpus, const char *subject_file)
{
    struct arena a;
    unsigned count = 0;

    arena_init(&a);
    struct subject_list lines = read_lines(&a, corpus), subjects = read_lines(&a, subject_file);
    struct pair *pairs = ARENA_NEW_ARRAY(&a, struct pair, lines.items.count);
    for (unsigned i = 0; i < lines.items.count; i++) {
        struct str pattern;
        unsigned flags;
        if (!read_pattern(lines.items.items[i], &pattern, &flags) ||
            !open_pair(&pairs[count], &a, pattern, flags)) {
            report("corpus", lines.items.items[i], 0, STR("(compiling)"));
            continue;
        }
        for (unsigned k = 0; k < subjects.items.count; k++)
            check_subject(&pairs[count], subjects.items.items[k]);
        count++;
    }
    check_sets(&a, pairs, count, &subjects);
    while (count > 0)
        close_pair(&pairs[--count]);
    arena_fini(&a);
}

/* Every letter of Unicode, caseless: a class of what PCRE2 takes for the same. */
static void run_folding(void)
{
    static const uint32_t caseless[][2] = {   /* long stretches without cases */
        { 0x3000, 0xA640 }, { 0xAC00, 0xFB00 }, { 0x11A00, 0x16E00 }, { 0x17000, 0x1E800 },
    };
    struct arena a;

    for (uint32_t code = 0x80; code < 0x1F000; code++) {
        struct pair p;
        char pattern[32], text[8];
        struct out o = out_fixed(pattern, sizeof pattern), subject;
        arena_init(&a);
        for (unsigned i = 0; i < sizeof caseless / sizeof *caseless; i++) {
            if (code == caseless[i][0])
                code = caseless[i][1];
        }
        out_printf(&o, "^\\x{%x}$", code);
        if (!open_pair(&p, &a, out_str_of(&o), REGEX_UTF8 | REGEX_CASELESS))
            continue;
        for (size_t i = 0; i < regex_fold_count; i++) {
            const struct regex_fold *f = &regex_folds[i];
            uint32_t other = (uint32_t)((int32_t)code + f->delta);
            if (other > 0x1F000 || (other >= 0xD800 && other <= 0xDFFF) || other < 0x80)
                continue;
            subject = out_fixed(text, sizeof text);
            if (other >= 0x10000)
                out_printf(&subject, "%c%c%c%c", (int)(0xF0 | other >> 18),
                           (int)(0x80 | (other >> 12 & 63)), (int)(0x80 | (other >> 6 & 63)),
                           (int)(0x80 | (other & 63)));
            else if (other >= 0x800)
                out_printf(&subject, "%c%c%c", (int)(0xE0 | other >> 12),
                           (int)(0x80 | (other >> 6 & 63)), (int)(0x80 | (other & 63)));
            else
                out_printf(&subject, "%c%c", (int)(0xC0 | other >> 6), (int)(0x80 | (other & 63)));
            struct expected e;
            size_t offsets[2];
            match_pcre(p.code, p.data, out_str_of(&subject), 1, &e);
            check("folding", &p, out_str_of(&subject), &e,
                  regex_match(p.re, out_str_of(&subject), offsets, 1), offsets);
        }
        close_pair(&p);
        arena_fini(&a);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: differential CORPUS SUBJECTS [PATTERNS [SEED]]\n");
        return 2;
    }
    unsigned patterns = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 6000;
    uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 20240901;

    run_corpus(argv[1], argv[2]);
    run_generated(patterns, seed);
    if (argc > 5)
        run_folding();
    printf("%lu patterns compiled, %lu invalid, %lu unsupported, %lu matches given up\n", compiled,
           invalid, refused, limited);
    printf("%lu passed, %lu failed\n", passed, failed);
    return failed ? 1 : 0;
}
