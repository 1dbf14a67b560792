/*
 * sys/event: what src/event/kqueue.c needs of the BSDs' header, for its test on Linux.  The values
 * are arbitrary; the calls are in kqueue_standin.c.
 */
#ifndef TEST_SYS_EVENT_H
#define TEST_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

struct kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned int fflags;
    int64_t data;
    void *udata;
};

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_CLEAR 0x0020
#define EV_EOF 0x8000

#define EV_SET(event, id, what, how, notes, number, pointer)                                       \
    (*(event) = (struct kevent){ .ident = (id), .filter = (what), .flags = (how),                  \
                                 .fflags = (notes), .data = (number), .udata = (pointer) })

int kqueue(void);
int kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events,
           int event_count, const struct timespec *timeout);

#endif
