/*
 * networks: see networks.h.  The borders come from one sweep over the sorted list; a heap holds the
 * networks around the place that the sweep has reached, the one that counts on top.
 */
#include "script/networks.h"

#include <stdlib.h>

static uint64_t read_u64(const unsigned char *p)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value = value << 8 | p[i];
    return value;
}

struct ip ip_of_v4(uint32_t address)
{
    return (struct ip){ 0, (uint64_t)0xffff << 32 | address };
}

static struct ip ip_of_bytes(int family, const unsigned char *p)
{
    if (family == AF_INET)
        return ip_of_v4((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
    return (struct ip){ read_u64(p), read_u64(p + 8) };
}

struct ip ip_of(const struct peer *p)
{
    return ip_of_bytes(p->family, p->ip);
}

static struct ip ip_next(struct ip a)
{
    a.low++;
    a.high += a.low == 0;
    return a;
}

static unsigned bits_of(uint64_t value)
{
    unsigned count = 0;

    for (; value; value &= value - 1)
        count++;
    return count;
}

void network_of_cidr(struct network *n, const struct cidr *c)
{
    struct ip mask = ip_of_bytes(c->family, c->mask);

    if (c->family == AF_INET)          /* the 96 bits in front are fixed */
        mask = (struct ip){ UINT64_MAX, mask.low | (uint64_t)UINT32_MAX << 32 };
    n->first = ip_of_bytes(c->family, c->ip);
    n->last = (struct ip){ n->first.high | ~mask.high, n->first.low | ~mask.low };
    n->rank = bits_of(mask.high) + bits_of(mask.low);
}

static int network_cmp(const void *left, const void *right)
{
    const struct network *a = left, *b = right;

    if (!ip_eq(a->first, b->first))
        return ip_less(a->first, b->first) ? -1 : 1;
    if (!ip_eq(a->last, b->last))
        return ip_less(b->last, a->last) ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

void networks_sort(struct network *list, unsigned count)
{
    unsigned i = 1;

    while (i < count && network_cmp(&list[i - 1], &list[i]) < 0)   /* lists often are in order */
        i++;
    if (i < count)
        qsort(list, count, sizeof *list, network_cmp);
}

/* The networks around the place of the sweep, a heap by weight. */
struct around {
    const struct network **heap;
    unsigned count;
};

static bool outweighs(const struct network *a, const struct network *b)
{
    return a->rank > b->rank || (a->rank == b->rank && a->order > b->order);
}

static void around_push(struct around *r, const struct network *n)
{
    unsigned i = r->count++;

    for (; i > 0 && outweighs(n, r->heap[(i - 1) / 2]); i = (i - 1) / 2)
        r->heap[i] = r->heap[(i - 1) / 2];
    r->heap[i] = n;
}

static void around_pop(struct around *r)
{
    const struct network *n = r->heap[--r->count];
    unsigned i = 0;

    for (;;) {
        unsigned child = 2 * i + 1;

        if (child >= r->count)
            break;
        if (child + 1 < r->count && outweighs(r->heap[child + 1], r->heap[child]))
            child++;
        if (!outweighs(r->heap[child], n))
            break;
        r->heap[i] = r->heap[child];
        i = child;
    }
    r->heap[i] = n;
}

struct sweep {
    struct ip *borders;
    uint32_t *values;
    unsigned count;
    struct around around;
};

static void sweep_border(struct sweep *w, struct ip at, uint32_t value)
{
    if (w->count > 0 && ip_eq(w->borders[w->count - 1], at))
        w->count--;
    if (w->count > 0 ? w->values[w->count - 1] == value : value == 0)
        return;
    w->borders[w->count] = at;
    w->values[w->count++] = value;
}

/* Sets the borders where networks end before `until`; all of them if it is NULL. */
static void sweep_ends(struct sweep *w, const struct ip *until)
{
    struct around *r = &w->around;

    while (r->count > 0 && (!until || ip_less(r->heap[0]->last, *until))) {
        struct ip last = r->heap[0]->last, next = ip_next(last);

        do {
            around_pop(r);
        } while (r->count > 0 && !ip_less(last, r->heap[0]->last));
        if (next.high != 0 || next.low != 0)           /* behind the highest address nothing is */
            sweep_border(w, next, r->count ? r->heap[0]->value : 0);
    }
}

/* Rows of samples until one is short. */
static void networks_sample(struct networks *n, struct arena *a)
{
    n->levels[0] = (struct network_level){ n->borders, n->count };
    n->level_count = 1;
    while (n->levels[n->level_count - 1].count > NETWORKS_STEP) {
        const struct network_level *below = &n->levels[n->level_count - 1];
        unsigned count = (below->count + NETWORKS_STEP - 1) / NETWORKS_STEP;
        struct ip *samples = ARENA_NEW_ARRAY(a, struct ip, count);

        for (unsigned i = 0; i < count; i++)
            samples[i] = below->list[i * NETWORKS_STEP];
        n->levels[n->level_count++] = (struct network_level){ samples, count };
    }
}

void networks_build(struct networks *n, struct arena *a, const struct network *list, unsigned count)
{
    struct arena scratch;
    struct sweep w = { .count = 0 };

    arena_init(&scratch);
    w.borders = ARENA_NEW_ARRAY(&scratch, struct ip, (size_t)count * 2 + 1);
    w.values = ARENA_NEW_ARRAY(&scratch, uint32_t, (size_t)count * 2 + 1);
    w.around.heap = ARENA_NEW_ARRAY(&scratch, const struct network *, (size_t)count + 1);
    for (unsigned i = 0; i < count; i++) {
        sweep_ends(&w, &list[i].first);
        around_push(&w.around, &list[i]);
        sweep_border(&w, list[i].first, w.around.heap[0]->value);
    }
    sweep_ends(&w, NULL);

    struct ip *borders = ARENA_NEW_ARRAY(a, struct ip, w.count);
    uint32_t *values = ARENA_NEW_ARRAY(a, uint32_t, w.count);

    if (w.count > 0) {
        memcpy(borders, w.borders, w.count * sizeof *borders);
        memcpy(values, w.values, w.count * sizeof *values);
    }
    *n = (struct networks){ .borders = borders, .values = values, .count = w.count };
    networks_sample(n, a);
    arena_fini(&scratch);
}

/* Place of the last of `list` at or below the address, which its first is. */
static inline unsigned last_below(const struct ip *list, unsigned count, struct ip address)
{
    unsigned at = 0;

    while (count > 1) {
        unsigned half = count / 2;

        if (!ip_less(address, list[at + half]))
            at += half;
        count -= half;
    }
    return at;
}

uint32_t networks_find(const struct networks *n, struct ip address)
{
    unsigned at = 0;

    if (n->count == 0 || ip_less(address, n->borders[0]))
        return 0;
    for (unsigned i = n->level_count; i-- > 0;) {
        const struct network_level *l = &n->levels[i];
        unsigned room;

        at *= NETWORKS_STEP;
        room = l->count - at < NETWORKS_STEP ? l->count - at : NETWORKS_STEP;
        at += last_below(l->list + at, room, address);
    }
    return n->values[at];
}
