/*
 * pidfile: see pidfile.h.
 */
#include "process/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/out.h"

static int file = -1;
static char own_path[PATH_MAX], oldbin_path[PATH_MAX + 16];
static bool aside;

static bool lock(int fd)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fcntl(fd, F_SETLK, &whole) == 0 || (errno != EACCES && errno != EAGAIN);
}

static bool fill(int fd)
{
    char text[24];
    struct out o = out_fixed(text, sizeof text);

    out_int(&o, getpid());
    out_char(&o, '\n');
    return ftruncate(fd, 0) == 0 && write(fd, text, out_len(&o)) == (ssize_t)out_len(&o);
}

bool pidfile_write(struct str path)
{
    int fd = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0) {
        log_note(LOG_LEVEL_EMERG, errno, "open() \"%.*s\" failed", STR_ARG(path));
        return false;
    }
    if (!lock(fd)) {
        log_note(LOG_LEVEL_EMERG, 0,
                 "another instance is running as process %d, says \"%.*s\": stop it, or give this "
                 "one a pid file of its own",
                 (int)pidfile_read(path.data), STR_ARG(path));
        close(fd);
        return false;
    }
    if (!fill(fd)) {
        log_note(LOG_LEVEL_EMERG, errno, "writing \"%.*s\" failed", STR_ARG(path));
        close(fd);
        return false;
    }
    pidfile_remove();
    file = fd;
    snprintf(own_path, sizeof own_path, "%.*s", STR_ARG(path));
    snprintf(oldbin_path, sizeof oldbin_path, "%.*s.oldbin", STR_ARG(path));
    return true;
}

void pidfile_remove(void)
{
    if (file < 0)
        return;
    unlink(aside ? oldbin_path : own_path);
    close(file);
    file = -1;
    aside = false;
}

void pidfile_after_fork(void)
{
    if (file >= 0)
        close(file);
    file = -1;
}

bool pidfile_set_aside(void)
{
    if (file < 0)
        return true;
    if (rename(own_path, oldbin_path) != 0) {
        log_note(LOG_LEVEL_ALERT, errno, "rename() \"%s\" to \"%s\" failed", own_path, oldbin_path);
        return false;
    }
    aside = true;
    return true;
}

void pidfile_take_back(void)
{
    if (file < 0 || !aside)
        return;
    if (rename(oldbin_path, own_path) != 0)
        log_note(LOG_LEVEL_ALERT, errno, "rename() \"%s\" to \"%s\" failed", oldbin_path, own_path);
    aside = false;
}

pid_t pidfile_read(const char *path)
{
    char text[32];
    struct str digits;
    unsigned pid;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, text, sizeof text);
    close(fd);
    digits = (struct str){ text, n > 0 ? (size_t)n : 0 };
    while (str_ends(digits, STR("\n")) || str_ends(digits, STR("\r")))
        digits.len--;
    if (str_to_uint(digits, INT_MAX, &pid) && pid > 0)
        return (pid_t)pid;
    errno = 0;
    return -1;
}
