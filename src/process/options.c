/*
 * options: see options.h.  Options may be joined (-tq), and a value may follow its letter at once
 * (-sreload) or as the next word, as nginx has it.
 */
#include "process/options.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/out.h"
#include "config.h"
#include "net/tls.h"
#include "process/signals.h"

static const char usage[] =
    "Usage: weir [-?hvVtTq] [-s signal] [-p prefix] [-e filename] [-c filename] [-g directives]\n"
    "       weir serve [DIRECTORY] [-l ADDRESS:PORT] [--print]\n"
    "       weir help [DIRECTIVE | --list | --man | --html | --completion]\n"
    "       weir dump [options]\n"
    "       weir explain [options] [-X METHOD] [-H 'Name: value'] [--from ADDRESS] [--json] URL\n"
    "\n"
    "Options:\n"
    "  -?,-h         : this help\n"
    "  -v            : show version and exit\n"
    "  -V            : show version and configure options then exit\n"
    "  -t            : test configuration and exit\n"
    "  -T            : test configuration, dump it and exit\n"
    "  -q            : suppress non-error messages during configuration testing\n"
    "  -s signal     : send signal to a master process: stop, quit, reopen, reload\n"
    "  -p prefix     : set prefix path (default: " WEIR_PREFIX ")\n"
    "  -e filename   : set error log file (default: " WEIR_ERROR_LOG_PATH ")\n"
    "  -c filename   : set configuration file (default: " WEIR_CONF_PATH ")\n"
    "  -g directives : set global directives out of configuration file\n"
    "\n"
    "Commands:\n"
    "  serve         : serve a directory without a configuration file (-l: where to listen)\n"
    "  help          : explain a directive, or list them all\n"
    "  dump          : show the value of every directive in every block, and where it was set\n"
    "  explain       : show how a request would go, without a server running\n";

void options_help(void)
{
    options_version(false);
    fputs(usage, stderr);
}

static void options_tls(void)
{
    struct arena a;

    arena_init(&a);
    struct str tls = tls_library(&a);
    if (tls.len)
        fprintf(stderr, "built with %.*s\nTLS SNI support enabled\n", STR_ARG(tls));
    arena_fini(&a);
}

void options_version(bool build)
{
    fprintf(stderr, "weir version: weir/%s%s\n", WEIR_VERSION,
            WEIR_BUILD[0] ? " (" WEIR_BUILD ")" : "");
    if (!build)
        return;
    fprintf(stderr, "built by %s\n", WEIR_COMPILER);
    options_tls();
    fprintf(stderr, "configure arguments:%s%s%s%s\n", WEIR_CONFIGURE_ARGUMENTS[0] ? " " : "",
            WEIR_CONFIGURE_ARGUMENTS, WEIR_MODULES[0] ? " " : "", WEIR_MODULES);
}

struct str options_path(struct options *o, struct str base, struct str path)
{
    if (str_starts(path, STR("/")))
        return arena_str(&o->arena, path);
    return arena_concat(&o->arena, base, path);
}

/* With one slash at the end. */
static struct str folder(struct options *o, struct str path)
{
    return str_ends(path, STR("/")) ? arena_str(&o->arena, path)
                                    : arena_concat(&o->arena, path, STR("/"));
}

static struct str current_folder(struct options *o)
{
    char space[PATH_MAX];

    return folder(o, getcwd(space, sizeof space) ? str_of(space) : STR("."));
}

struct paths {
    const char *prefix, *conf, *error_log;             /* as given; NULL: not */
};

static void set_paths(struct options *o, const struct paths *given)
{
    struct str prefix = str_of(given->prefix ? given->prefix : WEIR_PREFIX);

    while (str_starts(prefix, STR("./")) && prefix.len > 2)
        prefix = str_from(prefix, 2);
    if (str_eq(prefix, STR(".")) || str_eq(prefix, STR("./")))
        o->prefix = current_folder(o);
    else
        o->prefix = folder(o, options_path(o, current_folder(o), prefix));
    o->conf_path = options_path(o, o->prefix, str_of(given->conf ? given->conf : WEIR_CONF_PATH));
    o->conf_prefix = arena_str(&o->arena,
                               str_first(o->conf_path, (size_t)str_rindex(o->conf_path, '/') + 1));
    o->error_log_given = given->error_log != NULL;
    o->error_log = str_of(given->error_log ? given->error_log : WEIR_ERROR_LOG_PATH);
    if (!str_eq(o->error_log, STR("stderr")))
        o->error_log = options_path(o, o->prefix, o->error_log);
}

void options_init(struct options *o, char **argv)
{
    *o = (struct options){ .argv = argv };
    arena_init(&o->arena);
    set_paths(o, &(struct paths){ 0 });
}

void options_fini(struct options *o)
{
    arena_fini(&o->arena);
}

/* ---- reading ---- */

static bool *flag_of(struct options *o, char letter)
{
    switch (letter) {
    case '?':
    case 'h':
        return &o->help;
    case 'v':
        return &o->version;
    case 'V':
        return &o->build;
    case 't':
        return &o->test;
    case 'T':
        return &o->dump;
    case 'q':
        return &o->quiet;
    default:
        return NULL;
    }
}

static const struct {
    char letter;
    const char *what;
} valued[] = {
    { 'p', "directory name" },
    { 'e', "file name" },
    { 'c', "file name" },
    { 'g', "parameter" },
    { 's', "parameter" },
};

static const char *what_follows(char letter)
{
    for (unsigned i = 0; i < sizeof valued / sizeof *valued; i++) {
        if (valued[i].letter == letter)
            return valued[i].what;
    }
    return NULL;
}

static bool complain(const char *format, const char *detail)
{
    fputs("weir: ", stderr);
    fprintf(stderr, format, detail);
    fputc('\n', stderr);
    return false;
}

static bool set_value(struct options *o, struct paths *paths, char letter, const char *value)
{
    switch (letter) {
    case 'p':
        paths->prefix = value;
        return true;
    case 'e':
        paths->error_log = value;
        return true;
    case 'c':
        paths->conf = value;
        return true;
    case 'g':
        o->globals = str_of(value);
        return true;
    default:
        o->signal = value;
        return signals_named(value) != 0 || complain("invalid option: \"-s %s\"", value);
    }
}

/* One word, "-tq" or "-cfile"; *next is the word after it, and is taken where a value is due. */
static bool read_word(struct options *o, struct paths *paths, const char *word, char ***next)
{
    for (const char *at = word + 1; *at; at++) {
        bool *flag = flag_of(o, *at);
        const char *what = what_follows(*at), *value = at + 1;
        char letter[2] = { *at };

        if (flag) {
            *flag = true;
            continue;
        }
        if (!what)
            return complain("invalid option: \"%s\"", letter);
        if (!*value && **next)
            value = *(*next)++;
        if (!*value) {
            fprintf(stderr, "weir: option \"-%c\" requires %s\n", *at, what);
            return false;
        }
        return set_value(o, paths, *at, value);
    }
    return true;
}

bool options_read(struct options *o, int argc, char **argv)
{
    struct paths paths = { 0 };
    char **next = argv + (argc > 0);

    *o = (struct options){ .argv = argv };
    arena_init(&o->arena);
    while (*next) {
        const char *word = *next++;

        if (word[0] != '-' || !word[1])
            return complain("invalid option: \"%s\"", word);
        if (!read_word(o, &paths, word, &next))
            return false;
    }
    set_paths(o, &paths);
    o->test |= o->dump;
    o->version |= o->build;
    return true;
}
