/*
 * os: what differs between systems, behind one set of functions: os_linux.c or os_bsd.c, which of
 * them configure says.  GNU and BSD extensions live there and nowhere else.  Thin calls, no policy:
 * unless told otherwise they give -1 or false with errno set, as the system's own do, and every
 * descriptor they open is closed on exec.
 */
#ifndef BASE_OS_H
#define BASE_OS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* ---- descriptors ---- */

/* Switches O_NONBLOCK on or off. */
bool os_nonblocking(int fd, bool on);
bool os_cloexec(int fd, bool on);
/* A pipe, both ends non-blocking. */
bool os_pipe(int fds[2]);

/* ---- sockets ---- */

/* Non-blocking. */
int os_socket(int domain, int type, int protocol);
int os_socket_pair(int domain, int type, int fds[2]);
/* Non-blocking; `address` may be NULL. */
int os_accept(int fd, struct sockaddr *address, socklen_t *len);

/* ---- waking a loop ---- */

/* fds[0] is to be watched, fds[1] to be signalled; they may be the same. */
bool os_wake_open(int fds[2]);
void os_wake_close(int fds[2]);
/* Makes fds[0] readable: safe in signal handlers and threads, leaves errno alone. */
void os_wake_signal(const int fds[2]);
/* Uses the signals up. */
void os_wake_drain(const int fds[2]);

/* The bit of poll(2) for "the peer will send no more", or 0 where there is none. */
extern const short os_poll_eof;

/* ---- memory files, sending files ---- */

/* An empty file in memory, without a name elsewhere; an unlinked temporary file where there is
 * none. */
int os_memory_file(const char *name);
/* No process can change the file any more.  false: the system knows no seals. */
bool os_memory_seal(int fd);
/* Sends from `file` at *offset, which moves on; as sendfile(2) of Linux. */
ssize_t os_sendfile(int fd, int file, off_t *offset, size_t size);

/* Unpredictable bytes, at most 256; ends the process where the system has none to give. */
void os_entropy(void *space, size_t size);

/* ---- files ---- */

/* The access mode of open() for a folder that is only to be searched: the right to read it is not
 * needed, where the system can do that. */
extern const int os_search_mode;
/* Reads past the page cache, from and to aligned places. */
bool os_direct_reads(int fd);
/* A hint: the file will be read from its start to its end. */
void os_read_in_order(int fd);

/* ---- options of listening sockets: false with ENOPROTOOPT where the system lacks one ---- */

/* TCP_DEFER_ACCEPT. */
bool os_set_deferred(int fd, bool on);
/* TCP_FASTOPEN with a queue of that length; 0: off. */
bool os_set_fastopen(int fd, int queue);
/* Seconds, seconds, and a count; 0: left alone. */
bool os_set_keepalive(int fd, int idle, int interval, int probes);
bool os_set_fib(int fd, int fib);
bool os_set_accept_filter(int fd, const char *name);
/* IP_TRANSPARENT and its like: the socket may be bound to an address that is none of this machine's. */
bool os_set_transparent(int fd, int family);
/* A hint before bind() without a port: connect() chooses one, so that peers can share it. */
void os_choose_port_late(int fd);
/* The system takes no more than so many bytes (about) that it can't send yet: what is written later,
 * and is more urgent, does not wait behind megabytes.  A hint. */
void os_bound_unsent(int fd, int bytes);
/* The protocol of socket(2) for multipath TCP; -1: none. */
extern const int os_multipath_protocol;

/* ---- passwords ---- */

/* crypt(3), safe in any thread; false: the form of `salt` is not one that the system knows. */
bool os_crypt(const char *key, const char *salt, char *made, size_t size);

/* ---- processes ---- */

/* Processors that this process may run on. */
unsigned os_processors(void);
/* Which those are: sets[i] for the first `count`; false: the system doesn't say. */
bool os_get_affinity(bool *set, unsigned count);
bool os_set_affinity(const bool *set, unsigned count);
/* After a change of user: core dumps are allowed again. */
void os_allow_core_dumps(void);
/* Before and after setuid(): of root's rights that to bind to foreign addresses stays. */
bool os_keep_rights(void);
bool os_reduce_rights(void);
/* Nothing that is executed from here on gets more rights. */
void os_no_new_rights(void);
/* Shows `title` as the process's command line, as far as there is room.  os_title_init() is called
 * first, by main(). */
void os_title_init(int argc, char **argv);
void os_set_title(const char *title);

#endif
