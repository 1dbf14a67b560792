/*
 * channel: see channel.h.
 */
#include "process/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/os.h"

/* A message that waits; its descriptors are copies. */
struct parcel {
    struct list link;
    unsigned char type;
    unsigned fd_count;
    size_t len;
    int *fds;
    char payload[];
};

union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * CHANNEL_MAX_FDS)];
};

bool channel_pair(int fds[2])
{
    return os_socket_pair(AF_UNIX, SOCK_SEQPACKET, fds) == 0;
}

static void put_fds(struct msghdr *header, union control *control, const int *fds, unsigned count)
{
    struct cmsghdr *c;

    if (count == 0)
        return;
    memset(control, 0, sizeof *control);
    header->msg_control = control;
    header->msg_controllen = (unsigned)CMSG_SPACE(sizeof(int) * count);
    c = CMSG_FIRSTHDR(header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = (unsigned)CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
}

static bool send_now(int fd, unsigned char type, struct str payload, const int *fds, unsigned count)
{
    struct iovec iov[2] = {
        { .iov_base = &type, .iov_len = 1 },
        { .iov_base = (void *)(uintptr_t)payload.data, .iov_len = payload.len },
    };
    struct msghdr header = { .msg_iov = iov, .msg_iovlen = 2 };
    union control control;

    put_fds(&header, &control, fds, count);
    return sendmsg(fd, &header, MSG_NOSIGNAL) >= 0;
}

static void free_parcel(struct parcel *p)
{
    for (unsigned i = 0; i < p->fd_count; i++)
        close(p->fds[i]);
    free(p->fds);
    free(p);
}

static bool copy_fds(struct parcel *p, const int *fds, unsigned count)
{
    p->fds = calloc(count ? count : 1, sizeof *p->fds);
    if (!p->fds)
        return false;
    for (; p->fd_count < count; p->fd_count++) {
        int copy = fcntl(fds[p->fd_count], F_DUPFD_CLOEXEC, 0);

        if (copy < 0)
            return false;
        p->fds[p->fd_count] = copy;
    }
    return true;
}

static bool queue(struct channel *c, unsigned char type, struct str payload, const int *fds,
                  unsigned count)
{
    struct parcel *p = calloc(1, sizeof *p + payload.len);

    if (!p)
        return false;
    p->type = type;
    p->len = payload.len;
    if (payload.len)
        memcpy(p->payload, payload.data, payload.len);
    if (!copy_fds(p, fds, count)) {
        free_parcel(p);
        return false;
    }
    list_push(&c->queue, &p->link);
    return true;
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ETOOMANYREFS;
}

bool channel_send(struct channel *c, enum message_type type, struct str payload, const int *fds,
                  unsigned count)
{
    if (c->watch.fd < 0)
        return false;
    if (list_empty(&c->queue)) {
        if (send_now(c->watch.fd, (unsigned char)type, payload, fds, count))
            return true;
        if (!would_block())
            return false;
    }
    c->watch.ready &= (uint8_t)~READY_WRITE;
    return queue(c, (unsigned char)type, payload, fds, count);
}

static void send_queued(struct channel *c)
{
    while (!list_empty(&c->queue)) {
        struct parcel *p = CONTAINER(c->queue.next, struct parcel, link);

        if (!send_now(c->watch.fd, p->type, (struct str){ p->payload, p->len }, p->fds,
                      p->fd_count) &&
            would_block()) {
            c->watch.ready &= (uint8_t)~READY_WRITE;
            return;
        }
        list_remove(&p->link);
        free_parcel(p);
    }
}

/* Also of descriptors that came but do not belong to anything: nothing may leak. */
static void take_fds(struct msghdr *header, struct message *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        size_t len;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        len = (size_t)c->cmsg_len - CMSG_LEN(0);
        for (size_t at = 0; at + sizeof(int) <= len; at += sizeof(int)) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
            os_cloexec(fd, true);
            if (m->fd_count < CHANNEL_MAX_FDS)
                m->fds[m->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

/* false: nothing is there, or the other side is gone (*end). */
static bool receive(struct channel *c, struct message *m, char *buffer, bool *end)
{
    struct iovec iov = { .iov_base = buffer, .iov_len = 1 + CHANNEL_MAX_PAYLOAD };
    union control control;
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t n;

    header.msg_control = &control;
    header.msg_controllen = sizeof control;
    do {
        n = recvmsg(c->watch.fd, &header, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        *end = n == 0 || !would_block();
        c->watch.ready &= (uint8_t)~READY_READ;
        return false;
    }
    m->fd_count = 0;
    take_fds(&header, m);
    m->type = (enum message_type)(unsigned char)buffer[0];
    m->payload = (struct str){ buffer + 1, (size_t)n - 1 };
    if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        log_note(LOG_LEVEL_ALERT, 0, "a message between processes was cut short");
        m->payload.len = 0;            /* no handler takes an empty one for anything */
    }
    return true;
}

static void on_event(struct watch *w)
{
    struct channel *c = CONTAINER(w, struct channel, watch);
    char buffer[1 + CHANNEL_MAX_PAYLOAD];
    struct message m;
    bool end = false;

    if (w->ready & READY_WRITE)
        send_queued(c);
    while (w->fd >= 0 && receive(c, &m, buffer, &end)) {
        c->on_message(c, &m);
        for (unsigned i = 0; i < m.fd_count; i++) {
            if (m.fds[i] >= 0)
                close(m.fds[i]);
        }
    }
    if (end && w->fd >= 0)
        c->on_end(c);
}

bool channel_init(struct channel *c, int fd)
{
    watch_init(&c->watch, fd, on_event);
    list_init(&c->queue);
    return loop_add(&c->watch);
}

void channel_fini(struct channel *c)
{
    struct list *node;

    if (c->watch.fd < 0)
        return;
    loop_remove(&c->watch);
    close(c->watch.fd);
    c->watch.fd = -1;
    while ((node = list_pop(&c->queue)))
        free_parcel(CONTAINER(node, struct parcel, link));
}
