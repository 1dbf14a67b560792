/*
 * packet: a generation on its way from the master to a worker: its bundle, and the descriptors that
 * only the master may open, each in the order in which the generation lists what they are for.
 */
#ifndef PROCESS_PACKET_H
#define PROCESS_PACKET_H

#include "process/channel.h"
#include "process/sockets.h"
#include "process/zones.h"

/* The master: sends all of `g`, whose sockets and zones are committed.  false: it can't be sent. */
bool packet_send(struct channel *c, const struct generation *g, int bundle, unsigned ordinal);
/* The master: all log files of `g`, opened anew. */
bool packet_send_logs(struct channel *c, const struct generation *g);

/* What has come of a generation so far. */
struct incoming {
    unsigned number;                   /* 0: nothing */
    int bundle;
    ARRAY(int) logs;                   /* -1: not open */
    ARRAY(struct zone_place) zones;
    ARRAY(struct socket_place) listens;
    struct arena arena;
};

void incoming_init(struct incoming *in);
/* Closes what nobody took (who takes a descriptor puts -1 in its place), and begins anew. */
void incoming_clear(struct incoming *in);
/* Takes a message of MESSAGE_BUNDLE, _LOGS, _ZONES, _LISTENS.  false: it makes no sense. */
bool incoming_add(struct incoming *in, struct message *m);
/* A worker reads MESSAGE_REOPEN: the next file that was opened anew; at->index says which.  Begins
 * with a cleared cursor.  false: there is no more. */
struct log_cursor {
    unsigned index, item, fd;
};
bool packet_take_log(struct message *m, struct log_cursor *at, int *fd);
/* The number that a message begins with; 0: it has none. */
unsigned packet_number(const struct message *m);

#endif
