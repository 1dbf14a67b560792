/*
 * connection: what all protocols' connections have in common: their memory, their number, their
 * place in the list, and the plain transport.  What a connection is for is its owner's affair.
 *
 * Structs come from regions of a megabyte, aligned so that a struct's address gives its region; a
 * region whose structs are all free goes back to the system.
 */
#include "event/connection.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/os.h"

#ifndef MSG_MORE
#define MSG_MORE 0                     /* a hint, which not all systems take */
#endif

enum {
    REGION_SIZE = 1 << 20,
    MAX_POOLS = 32,                    /* distinct sizes of structs */
    CLOSE_AT_LIMIT = 32,               /* idle connections that make room, at a time */
    MAX_SENDFILE = 2147479552,         /* what one call of Linux takes */
};

struct region {
    struct list link;                  /* in its pool's list while it has free structs */
    struct free_slot *free;            /* given back */
    char *fresh, *end;                 /* never used yet */
    unsigned used;
};

struct free_slot {
    struct free_slot *next;
};

struct pool {
    size_t size;
    struct list regions;               /* those with room */
};

static struct pool pools[MAX_POOLS];
static unsigned pool_count;

static struct list busy = { &busy, &busy };
static struct list idle = { &idle, &idle };
static struct list closed = { &closed, &closed };
static struct deferred release_closed;
static unsigned count, limit = 512;

static struct connection_counters own_counters = { 1 };
static struct connection_counters *counters = &own_counters;

/* ---- memory ---- */

static struct pool *pool_of(size_t size)
{
    for (unsigned i = 0; i < pool_count; i++) {
        if (pools[i].size == size)
            return &pools[i];
    }
    if (pool_count == MAX_POOLS)
        return NULL;
    struct pool *p = &pools[pool_count++];
    p->size = size;
    list_init(&p->regions);
    return p;
}

static size_t rounded(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

static struct region *region_new(struct pool *p)
{
    size_t twice = 2 * (size_t)REGION_SIZE;
    char *raw = mmap(NULL, twice, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (raw == MAP_FAILED)
        return NULL;
    size_t before = (REGION_SIZE - (uintptr_t)raw % REGION_SIZE) % REGION_SIZE;
    if (before)
        munmap(raw, before);
    munmap(raw + before + REGION_SIZE, twice - before - REGION_SIZE);

    struct region *r = (void *)(raw + before);
    r->fresh = (char *)r + rounded(sizeof *r);
    r->end = (char *)r + REGION_SIZE;
    list_push(&p->regions, &r->link);
    return r;
}

static bool region_full(const struct region *r, size_t size)
{
    return !r->free && (size_t)(r->end - r->fresh) < size;
}

static void *pool_take(size_t size)
{
    struct pool *p = pool_of(rounded(size));
    struct region *r;
    struct free_slot *slot;

    if (!p)
        return NULL;
    r = list_empty(&p->regions) ? region_new(p) : CONTAINER(p->regions.next, struct region, link);
    if (!r)
        return NULL;
    slot = r->free;
    if (slot) {
        r->free = slot->next;
    } else {
        slot = (void *)r->fresh;
        r->fresh += p->size;
    }
    r->used++;
    if (region_full(r, p->size))
        list_remove(&r->link);
    return memset(slot, 0, size);
}

static void pool_give(void *object, size_t size)
{
    struct pool *p = pool_of(rounded(size));
    struct region *r = (void *)((uintptr_t)object & ~(uintptr_t)(REGION_SIZE - 1));
    struct free_slot *slot = object;

    if (region_full(r, p->size))
        list_push_front(&p->regions, &r->link);
    slot->next = r->free;
    r->free = slot;
    if (--r->used == 0 && (r->link.next != &p->regions || r->link.prev != &p->regions)) {
        list_remove(&r->link);         /* one region is kept for those to come */
        munmap(r, REGION_SIZE);
    }
}

/* ---- life ---- */

void connection_set_limit(unsigned new_limit)
{
    limit = new_limit;
}

unsigned connection_count(void)
{
    return count;
}

unsigned connection_limit(void)
{
    return limit;
}

void connection_share_counters(struct connection_counters *shared)
{
    counters = shared;
}

void *connection_new(const struct connection_kind *kind, int fd, watch_handler *on_event,
                     timer_handler *on_timeout)
{
    struct connection *c;

    if (count >= limit)
        connection_close_idle(CLOSE_AT_LIMIT);
    if (count >= limit) {
        errno = EMFILE;
        return NULL;
    }
    c = pool_take(kind->size);
    if (!c) {
        errno = ENOMEM;
        return NULL;
    }
    watch_init(&c->watch, fd, on_event);
    timer_init(&c->timer, on_timeout);
    list_push(&busy, &c->link);
    c->kind = kind;
    c->transport = &transport_plain;
    c->number = atomic_fetch_add_explicit(&counters->next_number, 1, memory_order_relaxed);
    count++;
    return c;
}

static void free_closed(struct deferred *d)
{
    struct list *node;

    (void)d;
    while ((node = list_pop(&closed))) {
        struct connection *c = CONTAINER(node, struct connection, link);

        pool_give(c, c->kind->size);
    }
}

void connection_close(struct connection *c)
{
    timer_cancel(&c->timer);
    if (c->transport->fini)
        c->transport->fini(c);
    loop_close(&c->watch);
    count--;
    if (list_empty(&closed))
        loop_defer(&release_closed, free_closed);
    list_remove(&c->link);
    list_push(&closed, &c->link);
}

void connection_reset(struct connection *c)
{
    struct linger abrupt = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
    connection_close(c);
}

/* ---- all of them ---- */

void connection_set_idle(struct connection *c, bool is_idle)
{
    list_remove(&c->link);
    list_push(is_idle ? &idle : &busy, &c->link);
}

unsigned connection_close_idle(unsigned most)
{
    unsigned closed_now = 0;

    while (closed_now < most && !list_empty(&idle)) {
        struct connection *c = CONTAINER(idle.next, struct connection, link);

        connection_set_idle(c, false);
        c->kind->abort(c);
        closed_now++;
    }
    return closed_now;
}

/* Which of all connections; what is NULL is not asked for. */
struct choice {
    const void *origin, *pin;
};

static bool is_chosen(const struct connection *c, const struct choice *choice)
{
    const struct connection_kind *k = c->kind;

    if (choice->origin && !(k->origin && k->origin(c) == choice->origin))
        return false;
    return !choice->pin || (k->pin && k->pin(c) == choice->pin);
}

/* The list is emptied first: a call may close a connection's neighbours as well as itself. */
static unsigned for_each(struct list *all, const struct choice *choice, bool abort)
{
    struct list todo, *node;
    unsigned chosen = 0;

    list_init(&todo);
    while ((node = list_pop(all)))
        list_push(&todo, node);
    while ((node = list_pop(&todo))) {
        struct connection *c = CONTAINER(node, struct connection, link);

        list_push(all, node);
        if (!is_chosen(c, choice))
            continue;
        chosen++;
        if (abort)
            c->kind->abort(c);
        else
            c->kind->drain(c);
    }
    return chosen;
}

static unsigned for_all(struct choice choice, bool abort)
{
    unsigned chosen = for_each(&idle, &choice, abort);

    return chosen + for_each(&busy, &choice, abort);
}

static bool draining;

void connection_drain_all(void)
{
    draining = true;
    for_all((struct choice){ 0 }, false);
}

bool connection_draining(void)
{
    return draining;
}

void connection_drain_from(const void *origin)
{
    for_all((struct choice){ .origin = origin }, false);
}

void connection_abort_all(void)
{
    for_all((struct choice){ 0 }, true);
}

unsigned connection_abort_pinning(const void *pin)
{
    return for_all((struct choice){ .pin = pin }, true);
}

/* ---- the plain transport ---- */

/* What a call that moved nothing means.  `bit` is the direction that is used up. */
static ssize_t stalled(struct connection *c, enum ready bit)
{
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return IO_ERROR;
    c->watch.ready &= (uint8_t)~bit;
    return IO_AGAIN;
}

/* Less than asked for: the kernel has no more, and an edge will tell when it has.  But after the
 * peer's end there is no further edge: the next call finds it. */
static ssize_t plain_recv(struct connection *c, void *buffer, size_t size)
{
    ssize_t n;

    do {
        n = recv(c->watch.fd, buffer, size, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return stalled(c, READY_READ);
    if ((size_t)n < size && n > 0 && !(c->watch.ready & (READY_EOF | READY_ERROR)))
        c->watch.ready &= (uint8_t)~READY_READ;
    return n;
}

static size_t total(const struct iovec *iov, int parts)
{
    size_t sum = 0;

    for (int i = 0; i < parts; i++)
        sum += iov[i].iov_len;
    return sum;
}

enum { GATHER_BYTES = 4096 };

/* Few bytes are put together first: a copy costs less than what the kernel does for a list of
 * parts. */
static ssize_t send_parts(int fd, const struct iovec *iov, int parts, size_t size, int flags)
{
    char space[GATHER_BYTES];
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov };

    if (parts == 1)
        return send(fd, iov->iov_base, size, flags);
    if (size > sizeof space) {
        message.msg_iovlen = (unsigned)parts;
        return sendmsg(fd, &message, flags);
    }
    for (size_t used = 0; parts > 0; used += iov->iov_len, iov++, parts--)
        memcpy(space + used, iov->iov_base, iov->iov_len);
    return send(fd, space, size, flags);
}

static ssize_t plain_sendv(struct connection *c, const struct iovec *iov, int parts, bool more)
{
    size_t size = total(iov, parts);
    int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    ssize_t n;

    do {
        n = send_parts(c->watch.fd, iov, parts, size, flags);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return stalled(c, READY_WRITE);
    if ((size_t)n < size)
        c->watch.ready &= (uint8_t)~READY_WRITE;
    return n;
}

static ssize_t plain_sendfile(struct connection *c, int file, off_t *offset, size_t size)
{
    size_t now = size < MAX_SENDFILE ? size : MAX_SENDFILE;
    ssize_t n;

    do {
        n = os_sendfile(c->watch.fd, file, offset, now);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return stalled(c, READY_WRITE);
    return n;
}

const struct transport transport_plain = {
    .name = "plain",
    .recv = plain_recv,
    .sendv = plain_sendv,
    .sendfile = plain_sendfile,
};
