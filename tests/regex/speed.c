/*
 * speed: matches a second, beside PCRE2 with its compiler (used as nginx uses it).
 *
 *     speed CORPUS SUBJECTS
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/array.h"
#include "base/regex/regex.h"
#include "base/regex/regex_set.h"

enum { SLICE_NS = 2000000, GROUPS = 32, BEST_OF = 5, RATIOS_MAX = 1000 };

static volatile unsigned long sink;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct bench {
    struct regex *re;
    unsigned groups;               /* to ask Weir for; 0 for match or no match */
    pcre2_code *code;
    pcre2_match_data *data;
    const struct str *subjects;
    unsigned count;
};

static unsigned long all_weir(const struct bench *b)
{
    size_t offsets[2 * GROUPS];
    unsigned long matches = 0;

    for (unsigned i = 0; i < b->count; i++)
        matches += regex_match(b->re, b->subjects[i], offsets, b->groups) == REGEX_MATCH;
    return matches;
}

static unsigned long all_pcre(const struct bench *b)
{
    unsigned long matches = 0;

    for (unsigned i = 0; i < b->count; i++)
        matches += pcre2_match(b->code, (PCRE2_SPTR)b->subjects[i].data, b->subjects[i].len, 0, 0,
                               b->data, NULL) >= 0;
    return matches;
}

/* Nanoseconds a match, in one slice of time. */
static double measure(unsigned long (*all)(const struct bench *), const struct bench *b)
{
    uint64_t from = now_ns(), to = from;
    unsigned long rounds = 0;

    for (; to - from < SLICE_NS; to = now_ns()) {
        for (unsigned i = 0; i < 10; i++, rounds++)
            sink += all(b);
    }
    return (double)(to - from) / (double)(rounds * b->count);
}

static void keep_least(double *least, double value)
{
    if (*least == 0 || value < *least)
        *least = value;
}

static bool open_bench(struct bench *b, struct arena *a, struct str pattern, bool caseless)
{
    struct regex_error error;
    int number;
    size_t offset;

    b->re = regex_compile(a, pattern, caseless ? REGEX_CASELESS : 0, &error);
    b->code = pcre2_compile((PCRE2_SPTR)pattern.data, pattern.len, caseless ? PCRE2_CASELESS : 0,
                            &number, &offset, NULL);
    if (!b->re || !b->code)
        return false;
    pcre2_jit_compile(b->code, PCRE2_JIT_COMPLETE);
    b->data = pcre2_match_data_create_from_pattern(b->code, NULL);
    return true;
}

static void close_bench(struct bench *b)
{
    regex_fini(b->re);
    pcre2_match_data_free(b->data);
    pcre2_code_free(b->code);
}

static void show_line(const char *name, double only, double captures, double pcre)
{
    printf("%-44.44s %8.1f %8.1f %8.1f %8.2f %8.2f\n", name, 1e3 / only, 1e3 / captures, 1e3 / pcre,
           pcre / only, pcre / captures);
}

/* PCRE2's time divided by Weir's, for each pattern. */
struct ratios {
    double only[RATIOS_MAX], captures[RATIOS_MAX];
    unsigned count;
};

static void run(struct ratios *t, struct str pattern, bool caseless, const struct str *subjects,
                unsigned count, bool show)
{
    struct arena a;
    struct bench b = { .subjects = subjects, .count = count };

    arena_init(&a);
    if (open_bench(&b, &a, pattern, caseless)) {
        double only = 0, captures = 0, pcre = 0;
        for (unsigned i = 0; i < BEST_OF; i++) {   /* by turns, so that all suffer the same load */
            b.groups = 0;
            keep_least(&only, measure(all_weir, &b));
            b.groups = regex_captures(b.re) + 1 < GROUPS ? regex_captures(b.re) + 1 : GROUPS;
            keep_least(&captures, measure(all_weir, &b));
            keep_least(&pcre, measure(all_pcre, &b));
        }
        if (show)
            show_line(pattern.data, only, captures, pcre);
        if (t->count < RATIOS_MAX) {
            t->only[t->count] = pcre / only;
            t->captures[t->count++] = pcre / captures;
        }
        close_bench(&b);
    }
    arena_fini(&a);
}

static int order(const void *left, const void *right)
{
    double l = *(const double *)left, r = *(const double *)right;

    return l < r ? -1 : l > r;
}

static void show_ratios(const char *what, double *ratios, unsigned count)
{
    unsigned slower = 0, much_slower = 0;

    qsort(ratios, count, sizeof *ratios, order);
    for (unsigned i = 0; i < count; i++) {
        slower += ratios[i] < 1;
        much_slower += ratios[i] < 0.5;
    }
    printf("%s: times PCRE2 JIT's speed: least %.2f, a tenth below %.2f, "
           "median %.2f; slower for %u of %u patterns, by more than 2 times for %u\n", what,
           ratios[0], ratios[count / 10], ratios[count / 2], slower, count, much_slower);
}

/* --- a list of locations --- */

static void run_set(const struct str *subjects, unsigned subject_count, unsigned patterns)
{
    struct arena a;
    struct regex_error error;

    arena_init(&a);
    struct regex **list = ARENA_NEW_ARRAY(&a, struct regex *, patterns);
    struct bench *benches = ARENA_NEW_ARRAY(&a, struct bench, patterns);
    for (unsigned i = 0; i < patterns; i++) {
        static const char *const shapes[] = { "^/app%u/(.*)$", "^/api/v%u/([a-z]+)",
                                              "\\.(x%u|y%u)$", "^/site%u/.*\\.php$",
                                              "/shop%u/item-(\\d+)" };
        char text[64];
        snprintf(text, sizeof text, shapes[i % 5], i, i);
        struct str pattern = arena_str(&a, str_of(text));
        open_bench(&benches[i], &a, pattern, false);
        list[i] = regex_compile(&a, pattern, 0, &error);
    }
    struct regex_set *set = regex_set_new(&a, list, patterns);
    uint64_t from = now_ns(), to;
    unsigned long rounds = 0, found = 0;
    for (unsigned i = 0; i < subject_count; i++)
        found += regex_set_match(set, subjects[i]) >= 0;
    uint64_t first = now_ns() - from;
    from = now_ns();
    for (to = from; to - from < 10 * SLICE_NS; to = now_ns(), rounds++) {
        for (unsigned i = 0; i < subject_count; i++)
            found += regex_set_match(set, subjects[i]) >= 0;
    }
    double weir = (double)(to - from) / (double)(rounds * subject_count);
    from = now_ns();
    for (unsigned i = 0; i < subject_count; i++) {
        for (unsigned k = 0; k < patterns; k++) {
            if (pcre2_match(benches[k].code, (PCRE2_SPTR)subjects[i].data, subjects[i].len, 0, 0,
                            benches[k].data, NULL) >= 0)
                break;
        }
    }
    double pcre = (double)(now_ns() - from) / subject_count;
    printf("%4u locations: Weir %.0f ns a subject (%.0f ns the first time), PCRE2 %.0f ns\n",
           patterns, weir, (double)first / subject_count, pcre);
    regex_set_fini(set);
    for (unsigned i = 0; i < patterns; i++) {
        regex_fini(list[i]);
        close_bench(&benches[i]);
    }
    sink += found;
    arena_fini(&a);
}

static unsigned read_lines(struct arena *a, const char *path, struct str **lines)
{
    ARRAY(struct str) list = { 0 };
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
            *ARRAY_PUSH(&list, a) = arena_str(a, s);
    }
    fclose(f);
    *lines = list.items;
    return list.count;
}

int main(int argc, char **argv)
{
    static const char *const typical[] = {
        "\\.php$", "^/api/(v\\d+)/", "\\.(gif|jpe?g|png)$", "^(.+\\.php)(/.+)$",
        "^/blog/(\\d{4})/(\\d{2})/(\\d{2})/([^/]+)/?$", "/\\.(?!well-known)", "^/(?:api|rest)/",
        "^(?<sub>.+?)\\.example\\.com$", "(bot|crawl|spider|slurp)", "^/(.*)\\.html?$",
        "^/static/(.*)$", "^/user/([^/]+)/([^/]+)$", "\\bindex\\b", "(.*)\\.(\\w+)$",
        "^/index\\.php$",
    };
    static struct ratios typical_ratios, ratios;
    struct arena a;
    struct str *corpus, *subjects;

    if (argc < 3) {
        fprintf(stderr, "usage: speed CORPUS SUBJECTS\n");
        return 2;
    }
    arena_init(&a);
    unsigned patterns = read_lines(&a, argv[1], &corpus);
    unsigned count = read_lines(&a, argv[2], &subjects);
    printf("%-44s %8s %8s %8s %8s %8s\n", "millions of matches a second", "match", "captures",
           "PCRE2", "match", "captures");
    printf("%-44s %8s %8s %8s %8s %8s\n", "", "only", "", "JIT", "/ PCRE2", "/ PCRE2");
    for (size_t i = 0; i < sizeof typical / sizeof *typical; i++)
        run(&typical_ratios, str_of(typical[i]), false, subjects, count, true);
    for (unsigned i = 0; i < patterns; i++) {
        bool caseless = str_starts(corpus[i], STR("~* "));
        run(&ratios, str_from(corpus[i], caseless ? 3 : 2), caseless, subjects, count, argc > 3);
    }
    show_ratios("corpus, match only", ratios.only, ratios.count);
    show_ratios("corpus, captures", ratios.captures, ratios.count);
    run_set(subjects, count, 5);
    run_set(subjects, count, 50);
    run_set(subjects, count, 500);
    arena_fini(&a);
    return 0;
}
