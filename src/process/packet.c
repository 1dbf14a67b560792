/*
 * packet: see packet.h.  Every message begins with the generation's number (32 bits) and, but for
 * the first and the last, the index of its first item (32 bits) and a count of items (16 bits); an
 * item is what the functions below write and read.
 */
#include "process/packet.h"

#include <unistd.h>

#include "base/cursor.h"
#include "base/out.h"

/* ---- sending ---- */

struct batch {
    struct channel *channel;
    enum message_type type;
    unsigned number, first;
    uint16_t items;
    unsigned fd_count;
    int fds[CHANNEL_MAX_FDS];
    char space[CHANNEL_MAX_PAYLOAD];
    struct out out;
    bool failed;
};

enum { COUNT_AT = 8 };                 /* where the count of items stands */

static void begin(struct batch *b)
{
    b->out = out_fixed(b->space, sizeof b->space);
    b->items = 0;
    b->fd_count = 0;
    out_u32(&b->out, b->number);
    out_u32(&b->out, b->first);
    out_u16(&b->out, 0);
}

static void flush(struct batch *b)
{
    struct out count = out_fixed(b->space + COUNT_AT, 2);

    if (b->items == 0)
        return;
    out_u16(&count, b->items);
    if (!channel_send(b->channel, b->type, out_str_of(&b->out), b->fds, b->fd_count))
        b->failed = true;
    b->first += b->items;
    begin(b);
}

/* Counts an item that was written; fd -1: it has none. */
static void item(struct batch *b, int fd)
{
    b->items++;
    if (fd >= 0)
        b->fds[b->fd_count++] = fd;
    if (b->items == CHANNEL_MAX_FDS)
        flush(b);
}

static bool send_logs(struct batch *b, const struct generation *g)
{
    for (unsigned i = 0; i < g->log_files.count; i++) {
        const struct log_file *f = g->log_files.items[i];
        int fd = f->path.len ? f->fd : -1;

        out_u8(&b->out, fd >= 0);
        item(b, fd);
    }
    flush(b);
    return !b->failed;
}

static bool send_zones(struct batch *b, const struct generation *g)
{
    for (unsigned i = 0; i < g->zones.count; i++) {
        struct zone_place place = zones_at(g, i);

        out_u64(&b->out, (uintptr_t)place.zone);
        out_u64(&b->out, place.size);
        item(b, place.fd);
    }
    flush(b);
    return !b->failed;
}

static bool send_listens(struct batch *b, const struct generation *g, unsigned ordinal)
{
    for (unsigned i = 0; i < g->listens.count; i++) {
        struct socket_place place = sockets_at(g->listens.items[i], ordinal);

        out_u64(&b->out, place.serial);
        item(b, place.fd);
    }
    flush(b);
    return !b->failed;
}

static void batch_of(struct batch *b, struct channel *c, enum message_type type,
                     const struct generation *g)
{
    b->channel = c;
    b->type = type;
    b->number = g->number;
    b->first = 0;
    b->failed = false;
    begin(b);
}

static bool send_number(struct channel *c, enum message_type type, unsigned number, const int *fd)
{
    char space[4];
    struct out o = out_fixed(space, sizeof space);

    out_u32(&o, number);
    return channel_send(c, type, out_str_of(&o), fd, fd ? 1 : 0);
}

bool packet_send(struct channel *c, const struct generation *g, int bundle, unsigned ordinal)
{
    struct batch b;

    if (!send_number(c, MESSAGE_BUNDLE, g->number, &bundle))
        return false;
    batch_of(&b, c, MESSAGE_LOGS, g);
    if (!send_logs(&b, g))
        return false;
    batch_of(&b, c, MESSAGE_ZONES, g);
    if (!send_zones(&b, g))
        return false;
    batch_of(&b, c, MESSAGE_LISTENS, g);
    return send_listens(&b, g, ordinal) && send_number(c, MESSAGE_ADOPT, g->number, NULL);
}

bool packet_send_logs(struct channel *c, const struct generation *g)
{
    struct batch b;

    batch_of(&b, c, MESSAGE_REOPEN, g);
    return send_logs(&b, g);
}

/* ---- receiving ---- */

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void incoming_init(struct incoming *in)
{
    *in = (struct incoming){ .bundle = -1 };
    arena_init(&in->arena);
}

void incoming_clear(struct incoming *in)
{
    close_if_open(in->bundle);
    for (unsigned i = 0; i < in->logs.count; i++)
        close_if_open(in->logs.items[i]);
    for (unsigned i = 0; i < in->zones.count; i++)
        close_if_open(in->zones.items[i].fd);
    for (unsigned i = 0; i < in->listens.count; i++)
        close_if_open(in->listens.items[i].fd);
    arena_fini(&in->arena);
    incoming_init(in);
}

unsigned packet_number(const struct message *m)
{
    struct cursor c = cursor_of(m->payload.data, m->payload.len);

    return cursor_u32(&c);
}

/* The message's next descriptor, which is the caller's then; -1: there is none. */
static int take_fd(struct message *m, unsigned *at)
{
    int fd;

    if (*at >= m->fd_count)
        return -1;
    fd = m->fds[*at];
    m->fds[(*at)++] = -1;
    return fd;
}

static void add_log(struct incoming *in, struct cursor *c, struct message *m, unsigned *fd_at)
{
    bool open = cursor_u8(c) != 0;

    *ARRAY_PUSH(&in->logs, &in->arena) = open ? take_fd(m, fd_at) : -1;
}

static void add_zone(struct incoming *in, struct cursor *c, struct message *m, unsigned *fd_at)
{
    struct zone_place place = { .zone = (void *)(uintptr_t)cursor_u64(c) };

    place.size = (size_t)cursor_u64(c);
    place.fd = take_fd(m, fd_at);
    *ARRAY_PUSH(&in->zones, &in->arena) = place;
}

static void add_listen(struct incoming *in, struct cursor *c, struct message *m, unsigned *fd_at)
{
    struct socket_place place = { .serial = cursor_u64(c) };

    place.fd = take_fd(m, fd_at);
    *ARRAY_PUSH(&in->listens, &in->arena) = place;
}

static bool add_items(struct incoming *in, struct message *m)
{
    struct cursor c = cursor_of(m->payload.data, m->payload.len);
    unsigned fd_at = 0, first, count;

    cursor_u32(&c);
    first = cursor_u32(&c);
    count = cursor_u16(&c);
    if (m->type == MESSAGE_LOGS && first != in->logs.count)
        return false;
    for (unsigned i = 0; i < count && !c.bad; i++) {
        if (m->type == MESSAGE_LOGS)
            add_log(in, &c, m, &fd_at);
        else if (m->type == MESSAGE_ZONES)
            add_zone(in, &c, m, &fd_at);
        else
            add_listen(in, &c, m, &fd_at);
    }
    return !c.bad && cursor_left(&c) == 0 && fd_at == m->fd_count;
}

bool incoming_add(struct incoming *in, struct message *m)
{
    unsigned number = packet_number(m), at = 0;

    if (m->type != MESSAGE_BUNDLE)
        return number != 0 && number == in->number && add_items(in, m);
    incoming_clear(in);
    in->bundle = take_fd(m, &at);
    in->number = number;
    return number != 0 && in->bundle >= 0;
}

bool packet_take_log(struct message *m, struct log_cursor *at, int *fd)
{
    struct cursor c = cursor_of(m->payload.data, m->payload.len);
    unsigned first, count;

    cursor_u32(&c);
    first = cursor_u32(&c);
    count = cursor_u16(&c);
    while (at->item < count) {
        struct cursor flag = c;
        unsigned index = at->item++;

        cursor_take(&flag, index);
        if (cursor_u8(&flag) == 0 || flag.bad)
            continue;
        at->index = first + index;
        *fd = take_fd(m, &at->fd);
        return *fd >= 0;
    }
    return false;
}
