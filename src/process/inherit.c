/*
 * inherit: see inherit.h.
 */
#include "process/inherit.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/os.h"

enum { FIRST_FROM_SYSTEMD = 3, MAX_INHERITED = 1024 };

static int sockets[MAX_INHERITED];
static unsigned count;
static bool upgraded;

static void add(int fd)
{
    struct address address;

    if (!address_local(fd, &address)) {
        log_note(LOG_LEVEL_WARN, 0, "inherited descriptor %d is no socket", fd);
        return;
    }
    os_cloexec(fd, true);
    if (count < MAX_INHERITED)
        sockets[count++] = fd;
}

static void from_former_binary(const char *value)
{
    struct str rest = str_of(value);

    while (rest.data) {
        struct str item = str_split(&rest, ';');
        unsigned fd;

        if (item.len == 0)
            continue;
        if (str_to_uint(item, 1 << 20, &fd))
            add((int)fd);
        else
            log_note(LOG_LEVEL_EMERG, 0, "invalid socket number \"%.*s\" in NGINX", STR_ARG(item));
    }
}

/* systemd says whom the descriptors are for; they begin with 3. */
static void from_systemd(const char *pid, const char *number)
{
    unsigned value;

    if (!str_to_uint(str_of(pid), UINT32_MAX / 2, &value) || (pid_t)value != getpid())
        return;
    if (!str_to_uint(str_of(number), MAX_INHERITED, &value))
        return;
    for (unsigned i = 0; i < value; i++)
        add(FIRST_FROM_SYSTEMD + (int)i);
}

void inherit_init(void)
{
    const char *former = getenv("NGINX");
    const char *pid = getenv("LISTEN_PID"), *number = getenv("LISTEN_FDS");

    if (former) {
        upgraded = true;
        from_former_binary(former);
    }
    if (pid && number)
        from_systemd(pid, number);
    unsetenv("NGINX");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

bool inherit_upgraded(void)
{
    return upgraded;
}

static bool is_type(int fd, int type)
{
    int has = 0;
    socklen_t len = sizeof has;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &has, &len) == 0 && has == type;
}

int inherit_take(const struct address *address, int type)
{
    for (unsigned i = 0; i < count; i++) {
        struct address own;
        int fd = sockets[i];

        if (address_local(fd, &own) && address_eq(&own, address) && is_type(fd, type)) {
            sockets[i] = sockets[--count];
            return fd;
        }
    }
    return -1;
}

void inherit_close_rest(void)
{
    while (count)
        close(sockets[--count]);
}
