/*
 * kqueue_standin: kqueue() and kevent() over epoll, one queue at a time, as far as
 * src/event/kqueue.c uses them.  EV_CLEAR is epoll's edge; each filter keeps its own event, as on a
 * BSD.
 */
#include <sys/event.h>

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

enum { STANDIN_FDS = 4096, STANDIN_BATCH = 256 };

/* The filters of a descriptor. */
static struct {
    uint32_t epoll_events;         /* EPOLLIN, EPOLLOUT, EPOLLET: 0 if there is none */
    void *read_udata, *write_udata;
} standin[STANDIN_FDS];

int kqueue(void)
{
    memset(standin, 0, sizeof standin);
    return epoll_create1(EPOLL_CLOEXEC);
}

static int standin_tell(int queue, int fd, int call)
{
    struct epoll_event e = { .events = standin[fd].epoll_events, .data.fd = fd };

    if (e.events & EPOLLIN)
        e.events |= EPOLLRDHUP;
    return epoll_ctl(queue, call, fd, &e);
}

/* A descriptor that was closed has left epoll, and with that its filters are gone. */
static void standin_forget_closed(int queue, int fd)
{
    if (standin[fd].epoll_events && standin_tell(queue, fd, EPOLL_CTL_MOD) < 0)
        standin[fd].epoll_events = 0;
}

static int standin_delete(int queue, int fd, uint32_t bit)
{
    if (!(standin[fd].epoll_events & bit)) {
        errno = ENOENT;
        return -1;
    }
    standin[fd].epoll_events &= ~bit;
    if (standin[fd].epoll_events & (EPOLLIN | EPOLLOUT))
        return standin_tell(queue, fd, EPOLL_CTL_MOD);
    standin[fd].epoll_events = 0;
    return standin_tell(queue, fd, EPOLL_CTL_DEL);
}

static int standin_change(int queue, const struct kevent *change)
{
    int fd = (int)change->ident;
    uint32_t bit = change->filter == EVFILT_READ ? EPOLLIN : EPOLLOUT;

    if (fd < 0 || fd >= STANDIN_FDS) {
        errno = EBADF;
        return -1;
    }
    standin_forget_closed(queue, fd);
    if (change->flags & EV_DELETE)
        return standin_delete(queue, fd, bit);
    uint32_t before = standin[fd].epoll_events;
    standin[fd].epoll_events |= bit | (change->flags & EV_CLEAR ? EPOLLET : 0);
    if (standin_tell(queue, fd, before ? EPOLL_CTL_MOD : EPOLL_CTL_ADD) < 0) {
        standin[fd].epoll_events = before;
        return -1;
    }
    if (bit == EPOLLIN)
        standin[fd].read_udata = change->udata;
    else
        standin[fd].write_udata = change->udata;
    return 0;
}

/* What epoll says of one descriptor, as up to two events. */
static int standin_events(const struct epoll_event *e, struct kevent *events)
{
    int fd = e->data.fd, count = 0;
    const uint32_t over = EPOLLHUP | EPOLLERR;
    unsigned error = e->events & EPOLLERR ? EIO : 0;

    if ((standin[fd].epoll_events & EPOLLIN) && (e->events & (EPOLLIN | EPOLLRDHUP | over))) {
        unsigned short eof = e->events & (EPOLLRDHUP | over) ? EV_EOF : 0;
        EV_SET(&events[count], (uintptr_t)fd, EVFILT_READ, eof, error, 0, standin[fd].read_udata);
        count++;
    }
    if ((standin[fd].epoll_events & EPOLLOUT) && (e->events & (EPOLLOUT | over))) {
        unsigned short eof = e->events & over ? EV_EOF : 0;
        EV_SET(&events[count], (uintptr_t)fd, EVFILT_WRITE, eof, error, 0, standin[fd].write_udata);
        count++;
    }
    return count;
}

int kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events,
           int event_count, const struct timespec *timeout)
{
    struct epoll_event found[STANDIN_BATCH];

    for (int i = 0; i < change_count; i++) {
        if (standin_change(queue, &changes[i]) < 0)
            return -1;
    }
    if (event_count == 0)
        return 0;
    int most = event_count / 2 < STANDIN_BATCH ? event_count / 2 : STANDIN_BATCH;
    int ms = timeout ? (int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000) : -1;
    int count = epoll_wait(queue, found, most, ms), made = 0;
    for (int i = 0; i < count; i++)
        made += standin_events(&found[i], events + made);
    return count < 0 ? -1 : made;
}
