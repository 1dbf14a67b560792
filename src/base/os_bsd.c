/*
 * os_bsd: see os.h.  Also for macOS, so it does without accept4 and pipe2.
 */
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- descriptors ---- */

static bool set_flag(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);

    if (flags < 0)
        return false;
    int wanted = on ? flags | flag : flags & ~flag;
    return wanted == flags || fcntl(fd, set, wanted) == 0;
}

bool os_nonblocking(int fd, bool on)
{
    return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

bool os_cloexec(int fd, bool on)
{
    return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

/* Prepares a descriptor just opened (fd may be -1), and closes it where that fails. */
static int prepared(int fd)
{
    if (fd < 0 || (os_nonblocking(fd, true) && os_cloexec(fd, true)))
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static bool prepared_both(int fds[2])
{
    if (prepared(fds[0]) < 0) {
        close(fds[1]);
        return false;
    }
    if (prepared(fds[1]) < 0) {
        close(fds[0]);
        return false;
    }
    return true;
}

bool os_pipe(int fds[2])
{
    return pipe(fds) == 0 && prepared_both(fds);
}

/* ---- sockets ---- */

int os_socket(int domain, int type, int protocol)
{
    return prepared(socket(domain, type, protocol));
}

int os_socket_pair(int domain, int type, int fds[2])
{
    return socketpair(domain, type, 0, fds) == 0 && prepared_both(fds) ? 0 : -1;
}

int os_accept(int fd, struct sockaddr *address, socklen_t *len)
{
    return prepared(accept(fd, address, len));
}

/* ---- waking a loop ---- */

bool os_wake_open(int fds[2])
{
    if (os_pipe(fds))
        return true;
    fds[0] = fds[1] = -1;
    return false;
}

void os_wake_close(int fds[2])
{
    if (fds[0] >= 0) {
        close(fds[0]);
        close(fds[1]);
    }
    fds[0] = fds[1] = -1;
}

void os_wake_signal(const int fds[2])
{
    int saved = errno;

    /* It can only fail because the pipe is full: then fds[0] is readable. */
    ssize_t written = write(fds[1], "", 1);
    (void)written;
    errno = saved;
}

void os_wake_drain(const int fds[2])
{
    char bytes[256];

    while (read(fds[0], bytes, sizeof bytes) == (ssize_t)sizeof bytes)
        continue;
}

const short os_poll_eof = 0;

/* ---- memory files, sending files ---- */

int os_memory_file(const char *name)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "/tmp/%s.XXXXXX", name);
    fd = mkstemp(path);
    if (fd >= 0) {
        unlink(path);
        os_cloexec(fd, true);
    }
    return fd;
}

bool os_memory_seal(int fd)
{
    (void)fd;
    return false;
}

/* The call that each BSD has differs from the others': reading and writing serves them all. */
ssize_t os_sendfile(int fd, int file, off_t *offset, size_t size)
{
    char part[65536];
    ssize_t got = pread(file, part, size < sizeof part ? size : sizeof part, *offset);
    ssize_t sent = got > 0 ? write(fd, part, (size_t)got) : got;

    if (sent > 0)
        *offset += sent;
    return sent;
}

void os_entropy(void *space, size_t size)
{
    if (getentropy(space, size) < 0)
        abort();
}

/* ---- files ---- */

#ifdef O_SEARCH
const int os_search_mode = O_SEARCH;
#else
const int os_search_mode = O_RDONLY;
#endif

bool os_direct_reads(int fd)
{
#ifdef O_DIRECT
    return set_flag(fd, F_GETFL, F_SETFL, O_DIRECT, true);
#elif defined F_NOCACHE
    return fcntl(fd, F_NOCACHE, 1) == 0;
#else
    (void)fd;
    errno = ENOTSUP;
    return false;
#endif
}

void os_read_in_order(int fd)
{
#ifdef POSIX_FADV_SEQUENTIAL
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
#elif defined F_RDAHEAD
    fcntl(fd, F_RDAHEAD, 1);
#else
    (void)fd;
#endif
}

/* ---- options of listening sockets ---- */

static bool no_such_option(void)
{
    errno = ENOPROTOOPT;
    return false;
}

bool os_set_deferred(int fd, bool on)
{
    (void)fd, (void)on;
    return no_such_option();
}

#ifdef TCP_FASTOPEN
bool os_set_fastopen(int fd, int queue)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue) == 0;
}
#else
bool os_set_fastopen(int fd, int queue)
{
    (void)fd, (void)queue;
    return no_such_option();
}
#endif

#if defined(TCP_KEEPIDLE) && defined(TCP_KEEPINTVL) && defined(TCP_KEEPCNT)
static bool set_unless_zero(int fd, int option, int value)
{
    return value == 0 || setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value) == 0;
}

bool os_set_keepalive(int fd, int idle, int interval, int probes)
{
    return set_unless_zero(fd, TCP_KEEPIDLE, idle) &&
           set_unless_zero(fd, TCP_KEEPINTVL, interval) && set_unless_zero(fd, TCP_KEEPCNT, probes);
}
#else
bool os_set_keepalive(int fd, int idle, int interval, int probes)
{
    (void)fd;
    return (idle == 0 && interval == 0 && probes == 0) || no_such_option();
}
#endif

#ifdef SO_SETFIB
bool os_set_fib(int fd, int fib)
{
    return setsockopt(fd, SOL_SOCKET, SO_SETFIB, &fib, sizeof fib) == 0;
}
#else
bool os_set_fib(int fd, int fib)
{
    (void)fd, (void)fib;
    return no_such_option();
}
#endif

#if defined(IP_BINDANY) && defined(IPV6_BINDANY)
bool os_set_transparent(int fd, int family)
{
    int on = 1;

    return family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_BINDANY, &on, sizeof on) == 0
                              : setsockopt(fd, IPPROTO_IP, IP_BINDANY, &on, sizeof on) == 0;
}
#else
bool os_set_transparent(int fd, int family)
{
    (void)fd, (void)family;
    return no_such_option();
}
#endif

void os_choose_port_late(int fd)
{
    (void)fd;
}

#ifdef TCP_NOTSENT_LOWAT
void os_bound_unsent(int fd, int bytes)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}
#else
void os_bound_unsent(int fd, int bytes)
{
    (void)fd, (void)bytes;
}
#endif

#ifdef SO_ACCEPTFILTER
bool os_set_accept_filter(int fd, const char *name)
{
    struct accept_filter_arg filter = { 0 };

    strlcpy(filter.af_name, name, sizeof filter.af_name);
    return setsockopt(fd, SOL_SOCKET, SO_ACCEPTFILTER, &filter, sizeof filter) == 0;
}
#else
bool os_set_accept_filter(int fd, const char *name)
{
    (void)fd, (void)name;
    return no_such_option();
}
#endif

const int os_multipath_protocol = -1;

/* ---- passwords ---- */

/* crypt() has one answer for the whole process: one thread at a time. */
bool os_crypt(const char *key, const char *salt, char *made, size_t size)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    bool good;

    pthread_mutex_lock(&one);
    const char *text = crypt(key, salt);
    good = text && text[0] != '*' && strlen(text) < size;
    if (good)
        memcpy(made, text, strlen(text) + 1);
    pthread_mutex_unlock(&one);
    return good;
}

/* ---- processes ---- */

unsigned os_processors(void)
{
    return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

bool os_get_affinity(bool *set, unsigned count)
{
    (void)set, (void)count;
    errno = ENOSYS;
    return false;
}

bool os_set_affinity(const bool *set, unsigned count)
{
    (void)set, (void)count;
    errno = ENOSYS;
    return false;
}

void os_allow_core_dumps(void)
{
}

/* None of root's rights can be kept: who wants to bind to foreign addresses runs workers as root. */
bool os_keep_rights(void)
{
    return true;
}

bool os_reduce_rights(void)
{
    return true;
}

void os_no_new_rights(void)
{
}

void os_title_init(int argc, char **argv)
{
    (void)argc, (void)argv;
}

#ifdef __APPLE__
void os_set_title(const char *title)
{
    (void)title;
}
#else
void os_set_title(const char *title)
{
    setproctitle("-%s", title);
}
#endif
