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

enum { RUN_NS = 15000000, GROUPS = 32, BEST_OF = 3 };

static volatile unsigned long sink;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
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

/* Nanoseconds a match, the best of a few runs. */
static double measure(unsigned long (*all)(const struct bench *), const struct bench *b)
{
    double best = 1e9;

    for (unsigned run = 0; run < BEST_OF; run++) {
        uint64_t from = now_ns(), to = from;
        unsigned long rounds = 0;
        for (; to - from < RUN_NS / BEST_OF; to = now_ns()) {
            for (unsigned i = 0; i < 20; i++)
                sink += all(b);
            rounds += 20;
        }
        double each = (double)(to - from) / (double)(rounds * b->count);
        best = each < best ? each : best;
    }
    return best;
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

struct totals {
    double only, captures, pcre;
    unsigned count, only_slower, captures_slower;
};

static void run(struct totals *t, struct str pattern, bool caseless, const struct str *subjects,
                unsigned count, bool show)
{
    struct arena a;
    struct bench b = { .subjects = subjects, .count = count };

    arena_init(&a);
    if (open_bench(&b, &a, pattern, caseless)) {
        double only = measure(all_weir, &b);
        b.groups = regex_captures(b.re) + 1 < GROUPS ? regex_captures(b.re) + 1 : GROUPS;
        double captures = measure(all_weir, &b), pcre = measure(all_pcre, &b);
        if (show)
            show_line(pattern.data, only, captures, pcre);
        t->only += only;
        t->captures += captures;
        t->pcre += pcre;
        t->count++;
        t->only_slower += only > pcre;
        t->captures_slower += captures > 2 * pcre;
        close_bench(&b);
    }
    arena_fini(&a);
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
    for (to = from; to - from < RUN_NS; to = now_ns(), rounds++) {
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
        "^/static/(.*)$", "^/user/([^/]+)/([^/]+)$", "\\bindex\\b", "(.*)\\.(\\w+)$", "^/index\\.php$",
    };
    struct totals small = { 0 }, all = { 0 };
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
        run(&small, str_of(typical[i]), false, subjects, count, true);
    for (unsigned i = 0; i < patterns; i++) {
        bool caseless = str_starts(corpus[i], STR("~* "));
        run(&all, str_from(corpus[i], caseless ? 3 : 2), caseless, subjects, count, argc > 3);
    }
    char name[64];
    snprintf(name, sizeof name, "the whole corpus (%u patterns)", all.count);
    show_line(name, all.only / all.count, all.captures / all.count, all.pcre / all.count);
    printf("of those, slower than PCRE2 JIT: match only %u; captures by more than 2 times: %u\n",
           all.only_slower, all.captures_slower);
    run_set(subjects, count, 5);
    run_set(subjects, count, 50);
    run_set(subjects, count, 500);
    arena_fini(&a);
    return 0;
}
