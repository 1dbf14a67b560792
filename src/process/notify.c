/*
 * notify: see notify.h.
 */
#include "process/notify.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/out.h"
#include "net/address.h"

static struct address manager;         /* len 0: there is none */
static uint64_t interval;

static void find_manager(const char *path)
{
    size_t len = strlen(path);

    if (len < 2 || len >= sizeof manager.un.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    manager.un.sun_family = AF_UNIX;
    memcpy(manager.un.sun_path, path, len);
    if (path[0] == '@')
        manager.un.sun_path[0] = '\0'; /* the abstract name space of Linux */
    manager.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* The text is for one process; a binary that was started by it for an upgrade takes its place. */
static bool is_meant(const char *pid)
{
    uint64_t value;

    return !pid || (str_to_u64(str_of(pid), &value) &&
                    ((pid_t)value == getpid() || (pid_t)value == getppid()));
}

static void find_interval(const char *usec, const char *pid)
{
    uint64_t value;

    if (!is_meant(pid))
        return;
    if (str_to_u64(str_of(usec), &value))
        interval = value / 2000;
}

void notify_init(void)
{
    const char *path = getenv("NOTIFY_SOCKET"), *usec = getenv("WATCHDOG_USEC");

    if (path)
        find_manager(path);
    if (usec)
        find_interval(usec, getenv("WATCHDOG_PID"));
}

static void tell(const struct out *o)
{
    int fd;

    if (manager.len == 0 || o->overflow)
        return;
    fd = os_socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0)
        return;
    sendto(fd, o->start, out_len(o), MSG_NOSIGNAL, &manager.any, manager.len);
    close(fd);
}

void notify_ready(const char *status)
{
    char space[512];
    struct out o = out_fixed(space, sizeof space);

    out_printf(&o, "READY=1\nSTATUS=%s", status);
    tell(&o);
}

void notify_reloading(void)
{
    char space[256];
    struct out o = out_fixed(space, sizeof space);
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    OUT_LITERAL(&o, "RELOADING=1\nSTATUS=reading the configuration\nMONOTONIC_USEC=");
    out_uint(&o, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    tell(&o);
}

void notify_stopping(void)
{
    char space[64];
    struct out o = out_fixed(space, sizeof space);

    OUT_LITERAL(&o, "STOPPING=1\nSTATUS=finishing requests");
    tell(&o);
}

void notify_status(const char *status)
{
    char space[512];
    struct out o = out_fixed(space, sizeof space);

    out_printf(&o, "STATUS=%s", status);
    tell(&o);
}

void notify_main_pid(pid_t pid)
{
    char space[64];
    struct out o = out_fixed(space, sizeof space);

    out_printf(&o, "MAINPID=%d", (int)pid);
    tell(&o);
}

uint64_t notify_interval(void)
{
    return interval;
}

void notify_alive(void)
{
    char space[16];
    struct out o = out_fixed(space, sizeof space);

    OUT_LITERAL(&o, "WATCHDOG=1");
    tell(&o);
}
