/*
 * sockets: see sockets.h.
 */
#include "process/sockets.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/os.h"
#include "process/inherit.h"

struct group {
    struct group *next;
    struct address address;
    int type;
    unsigned count;                    /* sockets */
    unsigned committed;                /* how many of them the generation in use had */
    enum tristate ipv6only;            /* as they were opened: cannot be changed */
    bool multipath;
    struct socket_place *places;
};

static struct group *groups;
static uint64_t next_serial = 1;

static struct group *find(const struct listen_spec *spec)
{
    struct group *g = groups;

    while (g && !(g->type == spec->protocol->type && address_eq(&g->address, &spec->address)))
        g = g->next;
    return g;
}

static struct group *add(const struct listen_spec *spec)
{
    struct group *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    g->address = spec->address;
    g->type = spec->protocol->type;
    g->ipv6only = spec->options.ipv6only;
    g->multipath = spec->options.multipath;
    g->next = groups;
    groups = g;
    return g;
}

static bool open_one(struct group *g, const struct listen_spec *spec, bool retry)
{
    struct socket_place *more = realloc(g->places, (g->count + 1) * sizeof *more);
    int inherited = inherit_take(&spec->address, spec->protocol->type);
    int fd;

    if (!more)
        return false;
    g->places = more;
    fd = listen_open(spec, inherited, retry);
    if (fd < 0)
        return false;
    g->places[g->count++] = (struct socket_place){ .fd = fd, .serial = next_serial++ };
    return true;
}

static unsigned wanted(const struct listen_spec *spec, unsigned workers)
{
    return spec->options.reuseport ? workers : 1;
}

static bool open_group(const struct listen_spec *spec, unsigned workers, bool retry)
{
    struct group *g = find(spec);
    int one = 1;

    if (!g)
        g = add(spec);
    if (!g)
        return false;
    /* A second socket of an address needs the first one's consent, too. */
    if (g->count == 1 && wanted(spec, workers) > 1)
        setsockopt(g->places[0].fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    while (g->count < wanted(spec, workers)) {
        if (!open_one(g, spec, retry))
            return false;
    }
    return true;
}

bool sockets_open(const struct generation *g, unsigned workers, bool retry)
{
    for (unsigned i = 0; i < g->listens.count; i++) {
        if (!open_group(g->listens.items[i], workers, retry)) {
            sockets_rollback();
            return false;
        }
    }
    return true;
}

/* Closes all but the first `count`; the file of a unix socket goes with the last one. */
static void shrink(struct group *g, unsigned count, bool unlink_file)
{
    while (g->count > count)
        close(g->places[--g->count].fd);
    if (g->committed > count)
        g->committed = count;
    if (count == 0 && unlink_file && g->address.any.sa_family == AF_UNIX)
        unlink(g->address.un.sun_path);
}

static void drop_empty(void)
{
    struct group **link = &groups;

    while (*link) {
        struct group *g = *link;

        if (g->count) {
            link = &g->next;
            continue;
        }
        *link = g->next;
        free(g->places);
        free(g);
    }
}

void sockets_rollback(void)
{
    for (struct group *g = groups; g; g = g->next) {
        if (g->count > g->committed)
            shrink(g, g->committed, true);
    }
    drop_empty();
}

static const struct listen_spec *spec_of(const struct generation *generation,
                                         const struct group *g)
{
    for (unsigned i = 0; i < generation->listens.count; i++) {
        if (find(generation->listens.items[i]) == g)
            return generation->listens.items[i];
    }
    return NULL;
}

static void warn_of_change(const struct group *g, const struct listen_spec *spec)
{
    if (g->ipv6only != spec->options.ipv6only || g->multipath != spec->options.multipath)
        log_note(LOG_LEVEL_WARN, 0,
                 "ipv6only and multipath of %.*s cannot change while it is open: take the address "
                 "out for one reload, or restart",
                 STR_ARG(spec->text));
}

void sockets_commit(const struct generation *generation, unsigned workers)
{
    for (struct group *g = groups; g; g = g->next) {
        const struct listen_spec *spec = spec_of(generation, g);

        if (spec)
            warn_of_change(g, spec);
        for (unsigned i = 0; spec && i < g->committed; i++)
            listen_open(spec, g->places[i].fd, false);
        shrink(g, spec ? wanted(spec, workers) : 0, true);
        g->committed = g->count;
    }
    drop_empty();
}

struct socket_place sockets_at(const struct listen_spec *spec, unsigned ordinal)
{
    const struct group *g = find(spec);

    return g->places[ordinal % g->count];
}

void sockets_close_all(bool unlink_files)
{
    for (struct group *g = groups; g; g = g->next)
        shrink(g, 0, unlink_files);
    drop_empty();
}

void sockets_put_numbers(struct out *o)
{
    for (struct group *g = groups; g; g = g->next) {
        for (unsigned i = 0; i < g->count; i++) {
            os_cloexec(g->places[i].fd, false);
            out_int(o, g->places[i].fd);
            out_char(o, ';');
        }
    }
}
