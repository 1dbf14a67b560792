/*
 * epoll: Linux's way to wait.  One epoll_wait per turn; a descriptor is registered once, for both
 * directions.  Knows nothing but descriptors and readiness.
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "event/backend.h"

enum { BATCH = 512 };

static int epoll_fd = -1;

static bool epoll_init(unsigned max_descriptors)
{
    (void)max_descriptors;   /* the kernel grows its own table */
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd >= 0;
}

static void epoll_fini(void)
{
    close(epoll_fd);
    epoll_fd = -1;
}

static bool epoll_add(struct watch *w)
{
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = w };

    if (w->level)
        e.events = EPOLLIN | EPOLLEXCLUSIVE;
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, w->fd, &e) == 0;
}

/* A descriptor that nobody else holds leaves by itself when it is closed. */
static void epoll_remove(struct watch *w, bool closing)
{
    if (!closing)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, w->fd, &(struct epoll_event){ 0 });
}

static unsigned ready_bits(uint32_t events)
{
    unsigned bits = 0;

    if (events & EPOLLIN)
        bits |= READY_READ;
    if (events & EPOLLOUT)
        bits |= READY_WRITE;
    if (events & EPOLLRDHUP)
        bits |= READY_READ | READY_EOF;
    if (events & (EPOLLHUP | EPOLLERR))
        bits |= READY_ERROR | READY_READ | READY_WRITE;
    return bits;
}

static bool epoll_wait_ready(int timeout)
{
    struct epoll_event events[BATCH];
    int count = epoll_wait(epoll_fd, events, BATCH, timeout);

    for (int i = 0; i < count; i++)
        loop_ready(events[i].data.ptr, ready_bits(events[i].events));
    return count >= 0;
}

const struct backend epoll_backend = {
    .name = "epoll",
    .init = epoll_init,
    .fini = epoll_fini,
    .add = epoll_add,
    .remove = epoll_remove,
    .wait = epoll_wait_ready,
};
