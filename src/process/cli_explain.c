/*
 * cli_explain: `weir explain`: how a request would go, by a configuration that nobody serves.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/explain.h"
#include "process/cli.h"
#include "process/load.h"

static int usage(const char *what, const char *word)
{
    fprintf(stderr,
            "weir explain: %s%s\n"
            "Usage: weir explain [-c file] [-p prefix] [-g directives] [-X METHOD]\n"
            "                    [-H 'Name: value']... [--from ADDRESS] [--json] URL\n",
            what, word);
    return 1;
}

struct words {
    struct explain_query query;
    bool json;
    int count;                         /* of argv: what is left for the options of all commands */
    char **argv;
};

static bool read_from(struct words *w, const char *text)
{
    struct address a;

    if (!address_parse_ip(str_of(text), 0, &a))
        return false;
    w->query.peer = peer_of(&a);
    return true;
}

/* A word that is this command's own: how many it takes, 0 if it is none, -1 after a message. */
static int read_own(struct words *w, struct arena *arena, char **next)
{
    const char *word = next[0], *value = next[1];
    bool field = strncmp(word, "-H", 2) == 0, method = strncmp(word, "-X", 2) == 0;
    bool from = strcmp(word, "--from") == 0;

    if (strcmp(word, "--json") == 0) {
        w->json = true;
        return 1;
    }
    if (word[0] != '-') {
        if (w->query.url.len)
            return -usage("only one URL at a time: ", word);
        w->query.url = str_of(word);
        return 1;
    }
    if (!field && !method && !from)
        return 0;
    int taken = !from && word[2] ? 1 : 2;
    if (taken == 1)
        value = word + 2;
    if (!value)
        return -usage("a value is missing behind ", word);
    if (from && !read_from(w, value))
        return -usage("no address: ", value);
    if (field)
        *ARRAY_PUSH(&w->query.fields, arena) = str_of(value);
    if (method)
        w->query.method = str_of(value);
    return taken;
}

/* Takes this command's words out, and leaves the others in argv. */
static bool read_words(struct words *w, struct arena *arena, int argc, char **argv)
{
    int i = 0;

    read_from(w, "127.0.0.1");
    w->query.method = STR("GET");
    w->argv = ARENA_NEW_ARRAY(arena, char *, (size_t)argc + 2);
    w->argv[w->count++] = (char *)(uintptr_t)"weir";
    while (i < argc) {
        int taken = read_own(w, arena, argv + i);
        if (taken < 0)
            return false;
        /* Of the others each has a value. */
        for (int n = taken ? 0 : argv[i][1] && argv[i][2] ? 1 : 2; n && i < argc; n--)
            w->argv[w->count++] = argv[i++];
        i += taken;
    }
    return w->query.url.len > 0 || usage("which URL?", "") == 0;
}

static int explain(const struct options *o, const struct words *w)
{
    struct diag d;

    diag_init(&d);
    struct loaded l = load_read(o, &d);
    if (!l.generation)
        diag_print(&d, stderr, isatty(STDERR_FILENO));
    diag_fini(&d);
    if (!l.generation)
        return 1;
    struct explain *e = explain_run(l.generation, l.tree, &w->query);
    if (e->error.len)
        fprintf(stderr, "weir explain: %.*s\n", STR_ARG(e->error));
    else if (w->json)
        explain_print_json(e, stdout);
    else
        explain_print(e, o->conf_prefix, stdout, isatty(STDOUT_FILENO));
    int code = e->error.len ? 1 : 0;
    explain_free(e);
    load_free(&l);
    return code;
}

int cli_explain(int argc, char **argv)
{
    struct words w = { 0 };
    struct options o;
    struct arena arena;
    int code = 1;

    clock_update();
    arena_init(&arena);
    if (read_words(&w, &arena, argc, argv)) {
        if (options_read(&o, w.count, w.argv))
            code = explain(&o, &w);
        options_fini(&o);
    }
    arena_fini(&arena);
    return code;
}
