/*
 * peers: see peers.h.
 */
#include "upstream/peers.h"

#include <stdlib.h>

#include "base/digest/hex.h"
#include "base/digest/md5.h"
#include "upstream/discovery.h"
#include "upstream/shared_peers.h"
#include "upstream/queue.h"

enum { NAME_MAX_LEN = 64 };            /* bytes of an address of IPv4 or IPv6 with its port */

/* What a peer that was found has of its own; it is in as many lists as refer to it. */
struct found_peer {
    unsigned references;
    struct upstream_peer_state state;
    char name[NAME_MAX_LEN];
    char sid[2 * MD5_SIZE];
};

/* A list that was replaced while its peers were being tried. */
struct former_peers {
    struct former_peers *next;
    struct upstream_peer *items;
    unsigned count, in_use;
};

/* ---- lists ---- */

static void free_items(struct upstream_peer *items, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct found_peer *f = items[i].found;
        if (!f || --f->references)
            continue;
        shared_peers_detach(items[i].seat);
        free(f);
    }
    free(items);
}

static bool holds(const struct upstream_peer *items, unsigned count, const struct upstream_peer *peer)
{
    return peer >= items && peer < items + count;
}

void peers_release(struct upstream_peers *peers, const struct upstream_peer *peer)
{
    if (holds(peers->list.items, peers->list.count, peer)) {
        peers->in_use--;
        return;
    }
    for (struct former_peers **link = &peers->former; *link; link = &(*link)->next) {
        struct former_peers *f = *link;
        if (!holds(f->items, f->count, peer))
            continue;
        if (--f->in_use == 0) {
            *link = f->next;
            free_items(f->items, f->count);
            free(f);
        }
        return;
    }
}

static void visit_items(struct upstream_peer *items, unsigned count,
                        void (*visit)(struct upstream_peer *peer, void *data), void *data)
{
    for (unsigned i = 0; i < count; i++)
        visit(&items[i], data);
}

void peers_each(const struct upstream_peers *peers, void (*visit)(struct upstream_peer *peer, void *data),
                void *data)
{
    visit_items(peers->list.items, peers->list.count, visit, data);
    for (const struct former_peers *f = peers->former; f; f = f->next)
        visit_items(f->items, f->count, visit, data);
}

void peers_fini(struct upstream_peers *peers)
{
    while (peers->former) {
        struct former_peers *f = peers->former;
        peers->former = f->next;
        free_items(f->items, f->count);
        free(f);
    }
    if (peers->replaced)
        free_items(peers->list.items, peers->list.count);
}

/* Takes the place of the list; false: no memory, all stays as it is. */
static bool swap(struct upstream_peers *peers, struct upstream_peer *items, unsigned count)
{
    struct former_peers *f = NULL;

    if (peers->replaced && peers->in_use) {
        f = malloc(sizeof *f);
        if (!f)
            return false;
        *f = (struct former_peers){ peers->former, peers->list.items, peers->list.count,
                                    peers->in_use };
        peers->former = f;
    } else if (peers->replaced) {
        free_items(peers->list.items, peers->list.count);
    }
    peers->list.items = items;
    peers->list.count = peers->list.room = count;
    peers->in_use = 0;
    peers->replaced = true;
    peers->version++;
    peers->total_weight = peers->tries = 0;
    for (unsigned i = 0; i < count; i++) {
        peers->total_weight += items[i].weight;
        peers->tries += !items[i].down;
    }
    return true;
}

/* ---- what was found ---- */

static struct found_peer *found_new(const struct address *address)
{
    struct found_peer *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    struct out name = out_fixed(f->name, sizeof f->name), sid = out_fixed(f->sid, sizeof f->sid);
    unsigned char digest[MD5_SIZE];
    address_put(&name, address);
    md5(out_str_of(&name), digest);
    hex_encode(&sid, (struct str){ (const char *)digest, sizeof digest });
    return f;
}

/* The peer of the line that found[i] was before: of equal ones each has its own. */
static const struct upstream_peer *find(const struct upstream_peers *peers, unsigned line,
                                        const struct discovered *found, unsigned i)
{
    const struct address *address = &found[i].address;
    unsigned equals = 0;

    while (equals < i && found[i - equals - 1].backup == found[i].backup &&
           address_eq(&found[i - equals - 1].address, address))
        equals++;
    for (unsigned j = 0; j < peers->list.count; j++) {
        const struct upstream_peer *p = &peers->list.items[j];
        if (p->line == line && p->found && address_eq(&p->address, address) && equals-- == 0)
            return p;
    }
    return NULL;
}

/* A peer of the line; one that was there before keeps its state.  false: no memory. */
static bool fill(struct upstream_peer *p, const struct upstream_peers *peers,
                 const struct discovery_line *line,
                 const struct discovered *d, const struct upstream_peer *before)
{
    struct found_peer *f = before ? before->found : found_new(&d->address);

    if (!f)
        return false;
    f->references++;
    *p = *(const struct upstream_peer *)line->model;
    p->address = d->address;
    p->line = line->number;
    p->found = f;
    p->state = before ? before->state : &f->state;
    p->seat = before ? before->seat : NULL;
    p->name = (struct str){ f->name, strnlen(f->name, sizeof f->name) };
    p->sid = p->sid.len ? p->sid : (struct str){ f->sid, sizeof f->sid };
    p->weight = d->weight ? d->weight : p->weight;
    if (!before) {
        upstream_init_state(p, p->state);
        shared_peers_attach(line->group, peers, p);
    } else if (p->state->effective > p->weight || before->weight != p->weight)
        p->state->effective = p->weight;
    return true;
}

static bool is_same(const struct upstream_peers *peers, const struct discovery_line *line,
                    const struct discovered *found, unsigned count, bool backup)
{
    unsigned before = 0, now = 0;

    for (unsigned i = 0; i < peers->list.count; i++)
        before += peers->list.items[i].line == line->number;
    for (unsigned i = 0; i < count; i++) {
        if (found[i].backup != backup)
            continue;
        const struct upstream_peer *p = find(peers, line->number, found, i);
        if (!p || (found[i].weight && found[i].weight != p->weight))
            return false;
        now++;
    }
    return now == before;
}

static void copy(struct upstream_peer *to, const struct upstream_peer *from)
{
    *to = *from;
    if (to->found)
        to->found->references++;
}

/* The list in the order of lines: those before this one, what was found, those behind it. */
static void replace(struct upstream_peers *peers, const struct discovery_line *line,
                    const struct discovered *found, unsigned count, bool backup)
{
    unsigned old = peers->list.count, made = 0, i = 0;
    struct upstream_peer *items;

    if (is_same(peers, line, found, count, backup))
        return;
    items = calloc(old + count + 1, sizeof *items);
    for (; items && i < old && peers->list.items[i].line < line->number; i++)
        copy(&items[made++], &peers->list.items[i]);
    for (unsigned j = 0; items && j < count; j++) {
        if (found[j].backup == backup)
            made += fill(&items[made], peers, line, &found[j], find(peers, line->number, found, j));
    }
    for (; items && i < old; i++) {
        if (peers->list.items[i].line != line->number)
            copy(&items[made++], &peers->list.items[i]);
    }
    if (items && !swap(peers, items, made))
        free_items(items, made);
}

void upstream_peers_replace(struct upstream *u, const struct discovery_line *line,
                            const struct discovered *found, unsigned count)
{
    upstream_lock(u);
    replace(&u->primary, line, found, count, false);
    replace(&u->backup, line, found, count, true);
    upstream_unlock(u);
    if (u->queue)
        queue_serve(u);
}
