/*
 * folder: see folder.h.  Its memory is on the heap, because a thread may work on it longer than the
 * request lasts.
 */
#include "http/modules/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "event/threads.h"
#include "http/files.h"
#include "http/files_denied.h"
#include "http/request.h"

enum { READ_AT_ONCE = 256 };           /* entries; the rest is for a thread */

struct item {
    size_t name;                       /* where it begins in `names` */
    uint32_t len;
    uint32_t kind;                     /* enum entry_kind */
    int64_t size;
    time_t modified;
};

struct folder {
    struct task task;
    struct request *request;           /* NULL: it has ended meanwhile */
    DIR *dir;                          /* NULL: not opened yet, or all is read */
    int error;
    const char *call;
    bool reading, ready;
    struct item *items;
    size_t count, room;
    char *names;
    size_t names_len, names_room;
    char path[];
};

/* ---- reading: also in a thread ---- */

static void fail(struct folder *f, int error, const char *call)
{
    f->error = error;
    f->call = call;
}

static bool make_room(struct folder *f, size_t name)
{
    if (f->count == f->room) {
        size_t room = f->room ? f->room * 2 : 64;
        struct item *items = realloc(f->items, room * sizeof *items);
        if (!items)
            return false;
        f->items = items;
        f->room = room;
    }
    if (f->names_room - f->names_len < name) {
        size_t room = f->names_room * 2 + 4096;
        char *names = realloc(f->names, room);
        if (!names)
            return false;
        f->names = names;
        f->names_room = room;
    }
    return true;
}

/* What can't be looked at is left out; a link that leads nowhere is shown as itself. */
static bool add(struct folder *f, const char *name)
{
    struct stat st;
    int fd = dirfd(f->dir);
    size_t len = strlen(name);

    if (fstatat(fd, name, &st, 0) != 0 &&
        ((errno != ENOENT && errno != ELOOP) || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0))
        return true;
    if (!make_room(f, len)) {
        fail(f, ENOMEM, "malloc()");
        return false;
    }
    memcpy(f->names + f->names_len, name, len);
    f->items[f->count++] = (struct item){
        .name = f->names_len,
        .len = (uint32_t)len,
        .kind = S_ISDIR(st.st_mode) ? ENTRY_FOLDER : S_ISREG(st.st_mode) ? ENTRY_FILE : ENTRY_OTHER,
        .size = st.st_size,
        .modified = st.st_mtime,
    };
    f->names_len += len;
    return true;
}

/* Reads up to `max` names more; f->dir is NULL when that was all. */
static void read_names(struct folder *f, size_t max)
{
    if (!f->dir) {
        f->dir = opendir(f->path);
        if (!f->dir) {
            fail(f, errno, "opendir()");
            return;
        }
    }
    while (f->count < max) {
        errno = 0;
        const struct dirent *d = readdir(f->dir);
        if (d && d->d_name[0] == '.')
            continue;
        if (d && add(f, d->d_name))
            continue;
        if (!d && errno)
            fail(f, errno, "readdir()");
        closedir(f->dir);
        f->dir = NULL;
        return;
    }
}

static struct str name_of(const struct folder *f, const struct item *i)
{
    return (struct str){ f->names + i->name, i->len };
}

static bool before(const struct folder *f, const struct item *a, const struct item *b)
{
    if ((a->kind == ENTRY_FOLDER) != (b->kind == ENTRY_FOLDER))
        return a->kind == ENTRY_FOLDER;
    return str_cmp(name_of(f, a), name_of(f, b)) < 0;
}

/* Merges two sorted runs of `from` into `to`. */
static void merge(const struct folder *f, const struct item *from, struct item *to, size_t low,
                  size_t middle, size_t high)
{
    size_t a = low, b = middle;

    for (size_t i = low; i < high; i++) {
        bool first = a < middle && (b == high || !before(f, &from[b], &from[a]));
        to[i] = first ? from[a++] : from[b++];
    }
}

/* By merging; qsort() can't be told where the names are. */
static void sort(struct folder *f)
{
    struct item *spare = malloc((f->count + 1) * sizeof *spare);

    if (!spare) {
        fail(f, ENOMEM, "malloc()");
        return;
    }
    for (size_t width = 1; width < f->count; width *= 2) {
        for (size_t low = 0; low < f->count; low += 2 * width) {
            size_t middle = low + width < f->count ? low + width : f->count;
            size_t high = middle + width < f->count ? middle + width : f->count;
            merge(f, f->items, spare, low, middle, high);
        }
        struct item *sorted = spare;
        spare = f->items;
        f->items = sorted;
    }
    free(spare);
}

static void folder_work(struct task *t)
{
    struct folder *f = CONTAINER(t, struct folder, task);

    read_names(f, SIZE_MAX);
    if (!f->error)
        sort(f);
}

/* ---- in the loop ---- */

static void folder_free(struct folder *f)
{
    if (f->dir)
        closedir(f->dir);
    free(f->items);
    free(f->names);
    free(f);
}

static void folder_done(struct task *t)
{
    struct folder *f = CONTAINER(t, struct folder, task);

    f->reading = false;
    f->ready = true;
    if (f->request)
        request_wake(f->request);
    else
        folder_free(f);
}

static void folder_forget(void *data)
{
    struct folder *f = data;

    f->request = NULL;
    if (!f->reading)
        folder_free(f);
}

static void read_on(struct folder *f)
{
    if (core_conf(f->request->conf)->aio == AIO_OFF) {
        read_names(f, READ_AT_ONCE);
        if (!f->dir) {
            if (!f->error)
                sort(f);
            f->ready = true;
            return;
        }
    }
    struct thread_pool *pool = files_pool(f->request);
    f->reading = pool && threads_post(pool, &f->task);
    if (!f->reading) {
        folder_work(&f->task);
        f->ready = true;
    }
}

static struct folder *folder_new(struct request *r, struct str path)
{
    struct folder *f = calloc(1, sizeof *f + path.len + 1);

    if (!f)
        return NULL;
    f->task = (struct task){ folder_work, folder_done, { NULL, NULL } };
    list_init(&f->task.link);
    f->request = r;
    memcpy(f->path, path.data, path.len);
    request_cleanup(r, folder_forget, f);
    read_on(f);
    return f;
}

int folder_read(struct request *r, void **slot)
{
    struct str path = files_map_uri(r, 0, NULL);

    if (!path.data)
        return STATUS_INTERNAL_SERVER_ERROR;
    if (!*slot)
        *slot = folder_new(r, path);
    const struct folder *f = *slot;
    if (!f)
        return STATUS_SERVICE_UNAVAILABLE;
    if (!f->ready)
        return STEP_WAIT;
    struct file failed = { .error = f->error, .failed = f->call };
    return f->error ? files_failed(r, &failed, path) : STEP_NEXT;
}

unsigned folder_count(const struct folder *f)
{
    return (unsigned)f->count;
}

struct folder_entry folder_entry_at(const struct folder *f, unsigned index)
{
    const struct item *i = &f->items[index];

    return (struct folder_entry){ name_of(f, i), (enum entry_kind)i->kind, i->size, i->modified };
}
