/*
 * file_mode: see file_mode.h.
 */
#include "http/file_mode.h"

#include "config/resolve.h"

static const struct {
    struct str name;
    unsigned shift;
} groups[] = { { STR_INIT("user:"), 6 }, { STR_INIT("group:"), 3 }, { STR_INIT("all:"), 0 } };

enum { GROUPS = sizeof groups / sizeof groups[0], READ = 4, WRITE = 2 };

static bool parse_word(struct str word, mode_t *mode)
{
    for (unsigned i = 0; i < GROUPS; i++) {
        if (!str_starts(word, groups[i].name))
            continue;
        struct str rights = str_from(word, groups[i].name.len);
        bool write = str_eq(rights, STR("rw"));
        *mode |= (mode_t)(READ | (write ? WRITE : 0)) << groups[i].shift;
        return write || str_eq(rights, STR("r"));
    }
    return false;
}

static bool parse_file_mode(struct setting *s, void *field)
{
    mode_t mode = 0;

    for (unsigned i = 1; i < s->node->count; i++) {
        if (!parse_word(setting_arg(s, i), &mode))
            return setting_invalid(s, i);
    }
    if (!(mode & 0700))                        /* the owner can always write, unless it is said */
        mode |= 0600;
    *(mode_t *)field = mode;
    return true;
}

static void print_file_mode(const struct directive *row, const void *field, struct out *o)
{
    mode_t mode = *(const mode_t *)field;
    const char *separator = "";

    (void)row;
    for (unsigned i = 0; i < GROUPS; i++) {
        unsigned rights = mode >> groups[i].shift & 7;
        if (!rights)
            continue;
        out_printf(o, "%s%.*s%s", separator, STR_ARG(groups[i].name), rights & WRITE ? "rw" : "r");
        separator = " ";
    }
}

const struct type type_file_mode = {
    "users:permissions ...", "user:, group: or all: with r or rw", parse_file_mode, print_file_mode,
};
