/*
 * os_linux: see os.h.
 */
#define _GNU_SOURCE
#include "base/os.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#ifdef CRYPT_HEADER
#include CRYPT_HEADER
#endif
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
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

bool os_pipe(int fds[2])
{
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0;
}

/* ---- sockets ---- */

int os_socket(int domain, int type, int protocol)
{
    return socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
}

int os_socket_pair(int domain, int type, int fds[2])
{
    return socketpair(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds);
}

int os_accept(int fd, struct sockaddr *address, socklen_t *len)
{
    return accept4(fd, address, len, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* ---- waking a loop ---- */

bool os_wake_open(int fds[2])
{
    fds[0] = fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fds[0] >= 0;
}

void os_wake_close(int fds[2])
{
    if (fds[0] >= 0)
        close(fds[0]);
    fds[0] = fds[1] = -1;
}

void os_wake_signal(const int fds[2])
{
    int saved = errno;
    uint64_t one = 1;

    /* It can only fail because the counter is full: then fds[0] is readable. */
    ssize_t written = write(fds[1], &one, sizeof one);
    (void)written;
    errno = saved;
}

void os_wake_drain(const int fds[2])
{
    uint64_t count;
    ssize_t got = read(fds[0], &count, sizeof count);

    (void)got;
}

const short os_poll_eof = POLLRDHUP;

/* ---- memory files, sending files ---- */

int os_memory_file(const char *name)
{
    return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

bool os_memory_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
}

ssize_t os_sendfile(int fd, int file, off_t *offset, size_t size)
{
    return sendfile(fd, file, offset, size);
}

void os_entropy(void *space, size_t size)
{
    if (getentropy(space, size) < 0)
        abort();
}

/* ---- files ---- */

const int os_search_mode = O_PATH;

bool os_direct_reads(int fd)
{
    return set_flag(fd, F_GETFL, F_SETFL, O_DIRECT, true);
}

void os_read_in_order(int fd)
{
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
}

/* ---- options of listening sockets ---- */

static bool set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

bool os_set_deferred(int fd, bool on)
{
    return set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, on);
}

bool os_set_fastopen(int fd, int queue)
{
    return set_int(fd, IPPROTO_TCP, TCP_FASTOPEN, queue);
}

bool os_set_keepalive(int fd, int idle, int interval, int probes)
{
    return (idle == 0 || set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle)) &&
           (interval == 0 || set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval)) &&
           (probes == 0 || set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, probes));
}

static bool no_such_option(void)
{
    errno = ENOPROTOOPT;
    return false;
}

bool os_set_fib(int fd, int fib)
{
    (void)fd, (void)fib;
    return no_such_option();
}

bool os_set_accept_filter(int fd, const char *name)
{
    (void)fd, (void)name;
    return no_such_option();
}

bool os_set_transparent(int fd, int family)
{
    int on = 1;

    return family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof on) == 0
                              : setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) == 0;
}

void os_choose_port_late(int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
}

void os_bound_unsent(int fd, int bytes)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

const int os_multipath_protocol = 262; /* IPPROTO_MPTCP, which older headers lack */

/* ---- passwords ---- */

#if HAVE_CRYPT
bool os_crypt(const char *key, const char *salt, char *made, size_t size)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *text = data ? crypt_r(key, salt, data) : NULL;
    bool good = text && text[0] != '*' && strlen(text) < size;

    if (good)
        memcpy(made, text, strlen(text) + 1);
    free(data);
    return good;
}
#else
bool os_crypt(const char *key, const char *salt, char *made, size_t size)
{
    (void)key, (void)salt, (void)made, (void)size;
    return false;
}
#endif

/* ---- processes ---- */

unsigned os_processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    return (unsigned)CPU_COUNT(&set);
}

bool os_get_affinity(bool *set, unsigned count)
{
    cpu_set_t mask;

    if (sched_getaffinity(0, sizeof mask, &mask) != 0)
        return false;
    for (unsigned i = 0; i < count; i++)
        set[i] = i < CPU_SETSIZE && CPU_ISSET(i, &mask);
    return true;
}

bool os_set_affinity(const bool *set, unsigned count)
{
    cpu_set_t mask;

    CPU_ZERO(&mask);
    for (unsigned i = 0; i < count && i < CPU_SETSIZE; i++) {
        if (set[i])
            CPU_SET(i, &mask);
    }
    return sched_setaffinity(0, sizeof mask, &mask) == 0;
}

void os_allow_core_dumps(void)
{
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

bool os_keep_rights(void)
{
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0;
}

bool os_reduce_rights(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { 0 };

    data[0].effective = data[0].permitted = 1u << CAP_NET_RAW;
    return syscall(SYS_capset, &header, data) == 0;
}

void os_no_new_rights(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* The title overwrites the strings of argv and of the environment, which lie one after the other;
 * they are copied out of the way first. */
static char *title_space, *title_copy;
static size_t title_size;

/* Follows the strings that begin at `end`; gives where the last of them ends. */
static char *end_of_strings(char **list, char *end)
{
    for (; *list; list++) {
        if (*list == end)
            end = *list + strlen(*list) + 1;
    }
    return end;
}

static void move_strings(char **list)
{
    for (; *list; list++) {
        if (*list >= title_space && *list < title_space + title_size)
            *list = title_copy + (*list - title_space);
    }
}

void os_title_init(int argc, char **argv)
{
    if (argc == 0)
        return;
    title_space = argv[0];
    title_size = (size_t)(end_of_strings(environ, end_of_strings(argv, argv[0])) - argv[0]);
    title_copy = malloc(title_size);
    if (!title_copy) {
        title_size = 0;
        return;
    }
    memcpy(title_copy, title_space, title_size);
    move_strings(argv);
    move_strings(environ);
}

void os_set_title(const char *title)
{
    size_t len = strlen(title);

    if (title_size == 0)
        return;
    if (len > title_size - 1)
        len = title_size - 1;
    memcpy(title_space, title, len);
    memset(title_space + len, 0, title_size - len);
}
