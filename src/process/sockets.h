/*
 * sockets: the listening sockets that the master holds open, over all generations.  One for each
 * address; of a reuseport address one for each worker.
 */
#ifndef PROCESS_SOCKETS_H
#define PROCESS_SOCKETS_H

#include "config/generation.h"
#include "net/listen.h"

/* A socket as a worker is told of it: the number says whether it is one that it has already. */
struct socket_place {
    int fd;
    uint64_t serial;
};

/* Opens what `g` needs and is not open.  `retry`: waits a little for addresses in use.  false
 * (logged): nothing has changed then. */
bool sockets_open(const struct generation *g, unsigned workers, bool retry);
/* `g` is in use from now on: options that have changed are set, and what it does not need is
 * closed. */
void sockets_commit(const struct generation *g, unsigned workers);
/* `g` is not going to be used: closes what sockets_open() opened. */
void sockets_rollback(void);
/* The socket of listens[i] of the committed generation for a worker. */
struct socket_place sockets_at(const struct listen_spec *spec, unsigned ordinal);
/* Closes all; unix sockets' files are removed if `unlink_files`. */
void sockets_close_all(bool unlink_files);
/* "7;8;" for the next binary; the descriptors are made to outlive exec. */
void sockets_put_numbers(struct out *o);

#endif
