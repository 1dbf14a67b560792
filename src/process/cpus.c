/*
 * cpus: see cpus.h.  The quota is that of control groups, version 2: cpu.max of this process's
 * group and of those above it; on other systems there are no such files.
 */
#include "process/cpus.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/os.h"
#include "base/out.h"

static struct str read_file(const char *path, char *space, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, space, size) : -1;

    if (fd >= 0)
        close(fd);
    return (struct str){ space, n > 0 ? (size_t)n : 0 };
}

/* The line "0::/path" of /proc/self/cgroup. */
static struct str own_group(struct str text)
{
    while (text.data) {
        struct str line = str_split(&text, '\n');

        if (str_starts(line, STR("0::")))
            return str_from(line, 3);
    }
    return STR("");
}

/* "200000 100000" is two processors, "max 100000" no limit: UINT_MAX. */
static unsigned quota_of(struct str group)
{
    char path[PATH_MAX], text[64];
    struct out o = out_fixed(path, sizeof path);
    struct str rest, quota;
    uint64_t used, period;

    out_printf(&o, "/sys/fs/cgroup%.*s/cpu.max", STR_ARG(group));
    out_char(&o, '\0');
    if (o.overflow)
        return UINT_MAX;
    rest = read_file(path, text, sizeof text);
    quota = str_split(&rest, ' ');
    if (!rest.data || !str_to_u64(quota, &used) ||
        !str_to_u64(str_split(&rest, '\n'), &period) || period == 0)
        return UINT_MAX;
    used = (used + period - 1) / period;
    return used < UINT_MAX ? (unsigned)used : UINT_MAX;
}

unsigned cpus_available(void)
{
    char text[PATH_MAX];
    struct str group = own_group(read_file("/proc/self/cgroup", text, sizeof text));
    unsigned least = os_processors();

    for (;;) {
        unsigned quota = quota_of(group);

        if (quota < least)
            least = quota;
        if (group.len == 0)
            return least ? least : 1;
        group.len = group.data[0] == '/' ? (size_t)str_rindex(group, '/') : 0;
    }
}
