/*
 * fuzz_regex: compiles and matches arbitrary patterns.  The first byte holds flags; the pattern
 * goes up to the first NUL, the subject is the rest.  The matchers must agree with each other.
 */
#include <stdlib.h>

#include "base/regex/regex.h"
#include "base/regex/regex_set.h"

enum { GROUPS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static void check_offsets(const size_t *offsets, struct str subject)
{
    for (unsigned i = 0; i < GROUPS; i++) {
        size_t from = offsets[2 * i], to = offsets[2 * i + 1];
        expect((from == SIZE_MAX) == (to == SIZE_MAX));
        expect(from == SIZE_MAX || (from <= to && to <= subject.len));
    }
    expect(offsets[0] != SIZE_MAX);
}

static void match(struct arena *a, struct regex *re, struct str subject)
{
    size_t offsets[2 * GROUPS];
    enum regex_result result = regex_match(re, subject, offsets, GROUPS);
    enum regex_result only = regex_match(re, subject, NULL, 0);

    if (result == REGEX_MATCH)
        check_offsets(offsets, subject);
    expect(result == only || result == REGEX_LIMIT || only == REGEX_LIMIT);
    struct regex *both[] = { re, re };
    struct regex_set *set = regex_set_new(a, both, 2);
    regex_set_cache_limit(set, 512);
    int first = regex_set_match(set, subject);
    expect(first == REGEX_SET_FAILED || only == REGEX_LIMIT || only == REGEX_BAD_UTF8 ||
           first == (only == REGEX_MATCH ? 0 : REGEX_SET_NONE));
    regex_set_fini(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct regex_error error;

    if (size < 2)
        return 0;
    struct str text = { (const char *)data + 1, size - 1 };
    ptrdiff_t nul = str_index(text, '\0');
    struct str pattern = nul < 0 ? text : str_first(text, (size_t)nul);
    struct str subject = nul < 0 ? STR("") : str_from(text, (size_t)nul + 1);
    arena_init(&a);
    struct regex *re = regex_compile(&a, pattern, data[0] & 3, &error);
    if (re) {
        match(&a, re, subject);
        regex_fini(re);
    } else {
        expect(error.offset <= pattern.len && memchr(error.text, '\0', sizeof error.text));
    }
    arena_fini(&a);
    return 0;
}
