/*
 * channel: messages between the master and a worker, with descriptors.  Each message is one packet;
 * what cannot be sent at once waits in a queue, so that a worker that does not read holds nobody
 * up. A message that makes no sense is dropped with a line in the log: it never ends a process.
 */
#ifndef PROCESS_CHANNEL_H
#define PROCESS_CHANNEL_H

#include "base/str.h"
#include "event/loop.h"

enum message_type {
    /* A new generation comes as one of each of these, or several, in this order; see packet.h. */
    MESSAGE_BUNDLE = 1,
    MESSAGE_LOGS,
    MESSAGE_ZONES,
    MESSAGE_LISTENS,
    MESSAGE_ADOPT,
    MESSAGE_REOPEN,        /* number of the generation, index of the first file; descriptors */
    /* From a worker. */
    MESSAGE_READY,         /* serves the generation of that number */
    MESSAGE_FAILED,        /* cannot serve it: number, text */
    MESSAGE_OLDEST,        /* number of the oldest generation it still holds */
};

enum {
    CHANNEL_MAX_FDS = 200,             /* descriptors of one message; Linux takes 253 */
    CHANNEL_MAX_PAYLOAD = 8192,
};

struct message {
    enum message_type type;
    struct str payload;
    int fds[CHANNEL_MAX_FDS];          /* who keeps one puts -1 in its place */
    unsigned fd_count;
};

struct channel {
    struct watch watch;
    struct list queue;                 /* messages that wait */
    void (*on_message)(struct channel *c, struct message *m);
    void (*on_end)(struct channel *c); /* the other side is gone */
};

/* Two ends; false: errno. */
bool channel_pair(int fds[2]);
/* The handlers are set already.  Owns fd from here on.  false: errno. */
bool channel_init(struct channel *c, int fd);
void channel_fini(struct channel *c);
/* The descriptors stay the caller's.  false: the other side is gone, or memory is short. */
bool channel_send(struct channel *c, enum message_type type, struct str payload, const int *fds,
                  unsigned count);

#endif
