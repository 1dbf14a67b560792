/*
 * state_file: see state_file.h.
 */
#include "upstream/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "config/kept_files.h"
#include "config/types.h"
#include "upstream/discovery.h"
#include "upstream/upstream.h"

enum { FILE_MAX = 16 << 20 };

/* ---- reading ---- */

/* Lines `server`, and nothing else. */
static bool apply_lines(struct setting *s, const struct tree *t)
{
    const struct tree *outer = s->config->tree;
    bool good = true;

    s->config->tree = t;                       /* whose lines mistakes show */
    for (const struct node *n = t->top; n; n = n->next) {
        struct setting line = *s;
        line.node = n;
        if (!str_eq(n->words[0].text, STR("server")) || n->block)
            good = setting_error(&line, 0, "unexpected \"%.*s\" in a state file",
                                 STR_ARG(n->words[0].text));
        else if (n->count < 2)
            good = setting_error(&line, 0, "invalid number of arguments in \"server\" directive");
        else
            good &= upstream_parse_server(&line);
    }
    s->config->tree = outer;
    return good;
}

static bool parse(struct setting *s, void *field)
{
    struct upstream *u = s->block->object;
    struct str path = setting_conf_path(s, setting_arg(s, 1)), text;

    (void)field;
    if (u->lines)
        return setting_error(s, 0, "\"state\" may not stand beside \"server\"");
    u->state_path = path;
    if (!kept_files_read(s, path, &text))
        return errno == ENOENT ||
               setting_errno(s, 1, errno, "open() \"%.*s\" failed", STR_ARG(path));
    struct tree *t = tree_parse(path, text, s->config->diag);
    bool good = apply_lines(s, t);
    tree_free(t);
    return good;
}

const struct type type_state_file = { "file", "a file's name", parse, NULL };

/* ---- writing ---- */

static void put_parameters(struct out *o, const struct upstream_peer *p, bool backup)
{
    struct upstream_peer_state fresh;

    upstream_init_state(p, &fresh);
    unsigned bars = p->state ? p->state->bars : fresh.bars;

    if (p->weight != 1)
        out_printf(o, " weight=%u", p->weight);
    if (p->max_conns)
        out_printf(o, " max_conns=%u", p->max_conns);
    if (p->max_fails != 1)
        out_printf(o, " max_fails=%u", p->max_fails);
    if (p->fail_timeout != 10)
        out_printf(o, " fail_timeout=%llds", (long long)p->fail_timeout);
    if (p->slow_start)
        out_printf(o, " slow_start=%llums", (unsigned long long)p->slow_start);
    if (p->routed)
        out_printf(o, " route=%.*s", STR_ARG(p->sid));
    if (backup)
        OUT_LITERAL(o, " backup");
    if (bars & PEER_DOWN)
        OUT_LITERAL(o, " down");
    if (bars & PEER_DRAINING)
        OUT_LITERAL(o, " drain");
}

/* A name's addresses are one line, which does not change when they do. */
static void put_list(struct out *o, const struct upstream_peers *peers, bool backup)
{
    unsigned before = 0;

    for (unsigned i = 0; i < peers->list.count; i++) {
        const struct upstream_peer *p = &peers->list.items[i];
        if (p->found || p->line == before)
            continue;
        before = p->line;
        OUT_LITERAL(o, "server ");
        print_word(o, p->server);
        put_parameters(o, p, backup);
        OUT_LITERAL(o, ";\n");
    }
}

static void put_watched(struct out *o, const struct upstream *u)
{
    for (unsigned i = 0; i < u->watched.count; i++) {
        const struct discovery_line *line = u->watched.items[i];
        const struct upstream_peer *model = line->model;
        OUT_LITERAL(o, "server ");
        print_word(o, model->server);
        put_parameters(o, model, line->backup);
        if (line->service.len)
            out_printf(o, " service=%.*s", STR_ARG(line->service));
        out_printf(o, line->once ? ";\n" : " resolve;\n");
    }
}

static bool write_all(int fd, struct str text)
{
    while (text.len) {
        ssize_t n = write(fd, text.data, text.len);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            text = str_from(text, (size_t)n);
    }
    return fsync(fd) == 0;
}

/* Under another name first, which takes the file's own when all of it is on the disk. */
static bool replace_file(struct str path, struct str text, struct arena *a)
{
    struct str other = arena_printf(a, "%.*s.%ld", STR_ARG(path), (long)getpid());
    int fd = open(other.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        return false;
    bool good = write_all(fd, text);
    good = close(fd) == 0 && good;
    if (good && rename(other.data, path.data) == 0)
        return true;
    int error = errno;
    unlink(other.data);
    errno = error;
    return false;
}

bool state_file_write(const struct upstream *u)
{
    struct arena a;
    struct out o;

    arena_init(&a);
    o = out_growing(&a, FILE_MAX);
    upstream_lock(u);
    put_list(&o, &u->primary, false);
    put_list(&o, &u->backup, true);
    put_watched(&o, u);
    upstream_unlock(u);
    errno = EFBIG;
    bool good = !o.overflow && replace_file(u->state_path, out_str_of(&o), &a);
    int error = errno;
    arena_fini(&a);
    errno = error;
    return good;
}
