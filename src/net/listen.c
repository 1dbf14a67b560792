/*
 * listen: opening listening sockets.  See listener.c for what a worker does with them.
 */
#include "net/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/os.h"

enum {
    USUAL_BACKLOG = 511,
    TRIES = 5,                         /* of bind() where the address is in use */
    TRY_AGAIN_MS = 500,
    UNIX_MODE = 0666,                  /* who may connect is a matter of the folder */
};

const struct listen_options listen_options_initial = {
    .backlog = -1,
    .rcvbuf = -1,
    .sndbuf = -1,
    .fastopen = -1,
    .setfib = -1,
};

static bool set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* An option that service can do without. */
static void check(bool done, const struct listen_spec *spec, const char *what)
{
    if (!done)
        log_note(LOG_LEVEL_ALERT, errno, "setsockopt(%s) for %.*s failed, ignored", what,
                 STR_ARG(spec->text));
}

/* What can be set on a socket that is bound already, too. */
static void set_changeable(int fd, const struct listen_spec *spec)
{
    const struct listen_options *o = &spec->options;
    bool tcp = spec->protocol->type == SOCK_STREAM && spec->address.any.sa_family != AF_UNIX;

    if (o->rcvbuf >= 0)
        check(set_option(fd, SOL_SOCKET, SO_RCVBUF, o->rcvbuf), spec, "SO_RCVBUF");
    if (o->sndbuf >= 0)
        check(set_option(fd, SOL_SOCKET, SO_SNDBUF, o->sndbuf), spec, "SO_SNDBUF");
    if (o->keepalive != UNSPECIFIED)
        check(set_option(fd, SOL_SOCKET, SO_KEEPALIVE, o->keepalive == YES), spec, "SO_KEEPALIVE");
    if (o->setfib >= 0)
        check(os_set_fib(fd, o->setfib), spec, "SO_SETFIB");
    if (!tcp)
        return;
    if (o->keepidle || o->keepintvl || o->keepcnt)
        check(os_set_keepalive(fd, o->keepidle, o->keepintvl, o->keepcnt), spec, "TCP_KEEPIDLE");
    if (o->fastopen >= 0)
        check(os_set_fastopen(fd, o->fastopen), spec, "TCP_FASTOPEN");
}

/* What the system wants to be told after listen(). */
static void set_accepting(int fd, const struct listen_spec *spec, bool inherited)
{
    const struct listen_options *o = &spec->options;
    char name[64];
    struct out text = out_fixed(name, sizeof name);

    if (spec->address.any.sa_family == AF_UNIX)
        return;
    if (o->deferred || inherited)
        check(os_set_deferred(fd, o->deferred) || !o->deferred, spec, "TCP_DEFER_ACCEPT");
    if (o->accept_filter.len) {
        out_str(&text, o->accept_filter);
        out_char(&text, '\0');
        check(!text.overflow && os_set_accept_filter(fd, name), spec, "SO_ACCEPTFILTER");
    }
}

/* What must be set before bind(). */
static void set_before_bind(int fd, const struct listen_spec *spec)
{
    const struct listen_options *o = &spec->options;

    check(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1), spec, "SO_REUSEADDR");
    if (o->reuseport)
        check(set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1), spec, "SO_REUSEPORT");
    if (spec->address.any.sa_family == AF_INET6)
        check(set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, o->ipv6only != NO), spec, "IPV6_V6ONLY");
}

/* A unix socket's file that nobody listens at any more is removed; false: somebody does. */
static bool clear_stale(const struct address *a)
{
    struct stat st;
    bool dead;
    int fd;

    if (lstat(a->un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    fd = os_socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return false;
    dead = connect(fd, &a->any, a->len) != 0 && errno == ECONNREFUSED;
    close(fd);
    return dead && unlink(a->un.sun_path) == 0;
}

static bool bind_once(int fd, const struct listen_spec *spec)
{
    const struct address *a = &spec->address;

    if (bind(fd, &a->any, a->len) == 0)
        return true;
    if (errno != EADDRINUSE || a->any.sa_family != AF_UNIX)
        return false;
    if (clear_stale(a))
        return bind(fd, &a->any, a->len) == 0;
    errno = EADDRINUSE;
    return false;
}

static bool bind_socket(int fd, const struct listen_spec *spec, bool retry)
{
    const struct timespec pause = { .tv_nsec = TRY_AGAIN_MS * 1000000L };
    unsigned tries = 1;

    while (!bind_once(fd, spec)) {
        log_note(LOG_LEVEL_EMERG, errno, "bind() to %.*s failed", STR_ARG(spec->text));
        if (errno != EADDRINUSE || !retry || tries++ == TRIES)
            return false;
        nanosleep(&pause, NULL);
    }
    if (spec->address.any.sa_family == AF_UNIX &&
        chmod(spec->address.un.sun_path, UNIX_MODE) != 0)
        log_note(LOG_LEVEL_WARN, errno, "chmod() \"%s\" failed", spec->address.un.sun_path);
    return true;
}

static bool begin_listening(int fd, const struct listen_spec *spec)
{
    int backlog = spec->options.backlog < 0 ? USUAL_BACKLOG : spec->options.backlog;

    if (spec->protocol->type != SOCK_STREAM || listen(fd, backlog) == 0)
        return true;
    log_note(LOG_LEVEL_EMERG, errno, "listen() to %.*s, backlog %d failed", STR_ARG(spec->text),
             backlog);
    return false;
}

static int open_socket(const struct listen_spec *spec)
{
    bool multipath = spec->options.multipath && spec->address.any.sa_family != AF_UNIX;
    int fd = os_socket(spec->address.any.sa_family, spec->protocol->type,
                       multipath ? os_multipath_protocol : 0);

    if (fd < 0)
        log_note(LOG_LEVEL_EMERG, errno, "socket() %.*s failed", STR_ARG(spec->text));
    return fd;
}

int listen_open(const struct listen_spec *spec, int inherited, bool retry)
{
    int fd = inherited >= 0 ? inherited : open_socket(spec);

    if (fd < 0)
        return -1;
    if (inherited >= 0) {
        os_nonblocking(fd, true);
        os_cloexec(fd, true);
        if (spec->options.reuseport)
            check(set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1), spec, "SO_REUSEPORT");
    } else {
        set_before_bind(fd, spec);
    }
    set_changeable(fd, spec);
    if ((inherited >= 0 || bind_socket(fd, spec, retry)) && begin_listening(fd, spec)) {
        set_accepting(fd, spec, inherited >= 0);
        return fd;
    }
    if (inherited < 0)
        close(fd);
    return -1;
}
