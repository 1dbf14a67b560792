/*
 * files_open: see files_open.h.  Knows no request and no log.
 */
#include "http/files_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"
#include "base/out.h"

/* A FIFO must not hang whoever opens it. */
enum { OPEN_FLAGS = O_RDONLY | O_NONBLOCK | O_CLOEXEC };

/* ---- symbolic links ---- */

/* One component, which may be a symbolic link only as `how` allows. */
static int open_component(int folder, const char *name, int flags, const struct file_how *how)
{
    struct stat link, target;
    int fd = openat(folder, name, flags | O_NOFOLLOW);
    int error = errno;

    if (fd >= 0 || fstatat(folder, name, &link, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISLNK(link.st_mode)) {
        errno = error;
        return fd;
    }
    if (how->symlinks == SYMLINKS_IF_OWNER) {
        fd = openat(folder, name, flags);
        if (fd < 0 || (fstat(fd, &target) == 0 && target.st_uid == link.st_uid))
            return fd;
        close(fd);
    }
    errno = ELOOP;
    return -1;
}

/* The folder to begin in, and the rest of the path. */
static int open_start(struct str path, size_t from, const char **rest)
{
    char start[PATH_MAX];

    if (from == 0) {
        *rest = path.data;
        return open(path.data[0] == '/' ? "/" : ".", os_search_mode | O_DIRECTORY | O_CLOEXEC);
    }
    if (from >= sizeof start) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(start, path.data, from);
    start[from] = '\0';
    *rest = path.data + from;
    return open(start, os_search_mode | O_DIRECTORY | O_CLOEXEC);
}

/* Opens component by component, so that no link is followed unseen. */
static int open_walking(struct str path, const struct file_how *how)
{
    const char *rest;
    char name[NAME_MAX + 1];
    int folder = open_start(path, how->from, &rest);

    while (folder >= 0) {
        rest += strspn(rest, "/");
        size_t len = strcspn(rest, "/");
        if (len > NAME_MAX) {
            close(folder);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, rest, len);
        name[len] = '\0';
        rest += len;
        bool last = rest[strspn(rest, "/")] == '\0';
        int flags = !last ? os_search_mode | O_DIRECTORY | O_CLOEXEC
                    : *rest ? OPEN_FLAGS | O_DIRECTORY : OPEN_FLAGS;
        int fd = open_component(folder, len ? name : ".", flags, how);
        int error = errno;
        close(folder);
        errno = error;
        if (last)
            return fd;
        folder = fd;
    }
    return -1;
}

/* ---- a file ---- */

static void fail(struct file_entry *e, int error, const char *call)
{
    e->file.error = error;
    e->file.failed = call;
}

static void take_stat(struct file_entry *e, const struct stat *st)
{
    struct file *f = &e->file;
    struct out o = out_fixed(e->etag, sizeof e->etag);

    f->kind = S_ISREG(st->st_mode) ? FILE_REGULAR : S_ISDIR(st->st_mode) ? FILE_DIRECTORY : FILE_OTHER;
    f->size = st->st_size;
    f->modified = st->st_mtime;
    f->inode = st->st_ino;
    f->device = st->st_dev;
    f->mode = st->st_mode;
    e->modified = st->st_mtim;
    e->changed = st->st_ctim;
    out_char(&o, '"');
    out_hex(&o, (uint64_t)st->st_mtime, 1);
    out_char(&o, '-');
    out_hex(&o, (uint64_t)st->st_size, 1);
    out_char(&o, '"');
    f->etag = out_str_of(&o);
}

/* The bytes of a small file, if it gives all of them at once. */
static void keep_bytes(struct file_entry *e)
{
    struct file *f = &e->file;

    if (f->size == 0) {
        f->bytes = "";
    } else {
        e->kept = malloc((size_t)f->size);
        if (!e->kept)
            return;
        if (pread(f->fd, e->kept, (size_t)f->size, 0) != f->size) {
            free(e->kept);
            e->kept = NULL;
            return;
        }
        f->bytes = e->kept;
    }
    close(f->fd);
    f->fd = -1;
}

static void load_by_name(struct file_entry *e, struct str path)
{
    struct stat st;

    if (stat(path.data, &st) == 0)
        take_stat(e, &st);
    else
        fail(e, errno, "stat()");
}

void file_load(struct file_entry *e, struct str path, const struct file_how *how)
{
    struct file *f = &e->file;
    struct stat st;

    f->fd = -1;
    if (how->look && how->symlinks == SYMLINKS_FOLLOW) {
        load_by_name(e, path);
        return;
    }
    f->fd = how->symlinks == SYMLINKS_FOLLOW ? open(path.data, OPEN_FLAGS) : open_walking(path, how);
    if (f->fd < 0) {
        int error = errno;
        if (error == EACCES && how->symlinks == SYMLINKS_FOLLOW)
            load_by_name(e, path);             /* it may be there all the same: a kind is told */
        fail(e, error, "open()");
        return;
    }
    if (fstat(f->fd, &st) == 0)
        take_stat(e, &st);
    else
        fail(e, errno, "fstat()");
    if (f->kind != FILE_REGULAR || how->look) {
        close(f->fd);
        f->fd = -1;
    } else if (how->directio >= 0 && f->size >= how->directio)
        f->directio = os_direct_reads(f->fd);
    else if (how->whole && (uint64_t)f->size <= how->whole)
        keep_bytes(e);
    else if (how->read_ahead && (uint64_t)f->size >= how->read_ahead)
        os_read_in_order(f->fd);
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool file_unchanged(const struct file_entry *e, struct str path)
{
    const struct file *f = &e->file;
    struct stat st;

    if (f->error)
        return stat(path.data, &st) != 0 && errno == f->error;
    return e->how.symlinks == SYMLINKS_FOLLOW && stat(path.data, &st) == 0 &&
           st.st_ino == f->inode && st.st_dev == f->device && st.st_size == f->size &&
           same_time(st.st_mtim, e->modified) && same_time(st.st_ctim, e->changed);
}

struct file_entry *file_entry_new(void)
{
    struct file_entry *e = calloc(1, sizeof *e);

    if (e) {
        e->heap = true;
        e->references = 1;
        e->file.fd = -1;
        list_init(&e->used);
    }
    return e;
}

void file_entry_unref(struct file_entry *e)
{
    if (e->heap && --e->references > 0)
        return;
    if (e->file.fd >= 0)
        close(e->file.fd);
    e->file.fd = -1;
    if (!e->heap)
        return;
    free(e->kept);
    free((void *)(uintptr_t)e->path.data);
    free((void *)(uintptr_t)e->file.prepared.data);
    free(e);
}
