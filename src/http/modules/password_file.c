/*
 * password_file: see password_file.h.  A file that looks as it did (its identity, size and times) is not
 * read again.
 */
#include "http/modules/password_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "script/table.h"

enum { MAX_KEPT = 64, MAX_SIZE = 64 << 20 };

struct kept {
    struct list link;                  /* the one used last stands first */
    struct stat seen;
    time_t read_at;                    /* the calendar's second */
    struct arena arena;                /* the rest, this struct too */
    struct str path;
    struct table users;                /* name → struct str * */
};

static struct list files = { &files, &files };
static unsigned count;

static void forget(struct kept *k)
{
    struct arena a = k->arena;

    list_remove(&k->link);
    count--;
    arena_fini(&a);
}

void password_file_forget_all(void)
{
    while (!list_empty(&files))
        forget(CONTAINER(files.next, struct kept, link));
}

/* A file that was written in the second in which it was read may have been written again in the same
 * tick of its clock. */
static bool is_settled(const struct kept *k)
{
    return k->seen.st_mtim.tv_sec + 1 < k->read_at;
}

static bool unchanged(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* "name:entry" or "name:entry:comment"; "#" begins a comment. */
static void take_line(struct kept *k, struct str line)
{
    struct str rest = line, user = str_split(&rest, ':');

    if (line.len == 0 || line.data[0] == '#' || !rest.data || user.len == 0)
        return;
    struct str *entry = ARENA_NEW(&k->arena, struct str);
    *entry = str_split(&rest, ':');
    if (str_ends(*entry, STR("\r")))
        entry->len--;
    if (!table_find(&k->users, str_hash(user), user))
        table_add(&k->users, str_hash(user), user, entry);
}

static bool read_all(int fd, char *text, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t n = read(fd, text + used, size - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return false;
        }
        used += (size_t)n;
    }
    return true;
}

static struct kept *kept_new(struct str path, const struct stat *seen)
{
    struct arena a;

    arena_init(&a);
    struct kept *k = ARENA_NEW(&a, struct kept);
    k->arena = a;
    k->path = arena_str(&k->arena, path);
    k->seen = *seen;
    k->read_at = clock_seconds();
    table_init(&k->users, &k->arena, false);
    list_init(&k->link);
    return k;
}

static void take_lines(struct kept *k, struct str text)
{
    while (text.data && text.len)
        take_line(k, str_split(&text, '\n'));
}

/* What an open file holds.  NULL: errno. */
static struct kept *read_file(struct str path, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return NULL;
    if (!S_ISREG(st.st_mode) || st.st_size > MAX_SIZE) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : S_ISREG(st.st_mode) ? EFBIG : EINVAL;
        return NULL;
    }
    struct kept *k = kept_new(path, &st);
    size_t size = (size_t)st.st_size;
    char *bytes = arena_try_alloc(&k->arena, size + 1);
    if (!bytes)
        errno = ENOMEM;
    else if (read_all(fd, bytes, size)) {
        take_lines(k, (struct str){ bytes, size });
        return k;
    }
    int error = errno;
    struct arena a = k->arena;
    arena_fini(&a);
    errno = error;
    return NULL;
}

static struct kept *load(struct str path)
{
    int fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return NULL;
    struct kept *k = read_file(path, fd);
    int error = errno;
    close(fd);
    errno = error;
    return k;
}

static struct kept *find_kept(struct str path)
{
    LIST_EACH(node, &files) {
        struct kept *k = CONTAINER(node, struct kept, link);
        if (str_eq(k->path, path))
            return k;
    }
    return NULL;
}

bool password_file_find(struct str path, struct str user, struct str *entry)
{
    struct kept *k = find_kept(path);
    struct stat st;

    if (k && (!is_settled(k) || stat(path.data, &st) < 0 || !unchanged(&st, &k->seen))) {
        forget(k);
        k = NULL;
    }
    if (!k) {
        k = load(path);
        if (!k)
            return false;
        if (count == MAX_KEPT)
            forget(CONTAINER(files.prev, struct kept, link));
        count++;
    }
    list_remove(&k->link);
    list_push_front(&files, &k->link);
    struct table_entry *e = table_find(&k->users, str_hash(user), user);
    *entry = e ? *(struct str *)e->value : (struct str){ NULL, 0 };
    return true;
}
