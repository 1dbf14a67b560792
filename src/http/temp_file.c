/*
 * temp_file: see temp_file.h.
 */
#include "http/temp_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool parse_levels(struct setting *s, struct temp_path *t)
{
    for (unsigned i = 2; i < s->node->count; i++) {
        unsigned digits;
        if (!str_to_uint(setting_arg(s, i), 3, &digits) || digits == 0)
            return setting_invalid(s, i);
        t->levels[i - 2] = (unsigned char)digits;
    }
    return true;
}

static bool parse_temp_path(struct setting *s, void *field)
{
    struct temp_path *t = field;

    *t = (struct temp_path){ 0 };
    t->path = setting_path(s, setting_arg(s, 1));
    while (t->path.len > 1 && t->path.data[t->path.len - 1] == '/')
        t->path.len--;
    if (!parse_levels(s, t))
        return false;
    if (s->node->words[0].line)                /* an initial value counts if it stays: temp_path_use() */
        temp_path_use(s, t);
    return true;
}

void temp_path_use(struct setting *s, const struct temp_path *t)
{
    generation_temp_folder(s->config->generation, t->path);
}

static void print_temp_path(const struct directive *row, const void *field, struct out *o)
{
    const struct temp_path *t = field;

    (void)row;
    out_str(o, t->path);
    for (unsigned i = 0; i < 3 && t->levels[i]; i++)
        out_printf(o, " %u", t->levels[i]);
}

const struct type type_temp_path = {
    "path", "a folder, and up to three numbers of digits (1 to 3) of the folders in it",
    parse_temp_path, print_temp_path,
};

/* path/9/01/0000000019: the last digits of the number are the folders' names. */
static struct str make_name(struct request *r, const struct temp_path *where, unsigned number)
{
    struct out o = out_growing(&r->arena, 4096);
    struct out digits = out_growing(&r->arena, 16);
    size_t end;

    out_padded(&digits, number, 10);
    out_str(&o, where->path);
    end = out_len(&digits);
    for (unsigned i = 0; i < 3 && where->levels[i]; i++) {
        end -= where->levels[i];
        out_char(&o, '/');
        out_bytes(&o, digits.start + end, where->levels[i]);
    }
    out_char(&o, '/');
    out_str(&o, out_str_of(&digits));
    out_char(&o, '\0');
    return (struct str){ o.start, out_len(&o) - 1 };
}

/* Makes the folders between where->path and the file. */
static void make_folders(const struct temp_path *where, struct str path)
{
    char *text = (char *)(uintptr_t)path.data;

    for (size_t i = where->path.len + 1; i < path.len; i++) {
        if (text[i] != '/')
            continue;
        text[i] = '\0';
        (void)mkdir(text, 0700);               /* if that fails, so does the open() that follows */
        text[i] = '/';
    }
}

struct temp_file {
    int fd;
    const char *path;                          /* NULL: it stays */
};

static void clean_up(void *data)
{
    struct temp_file *f = data;

    close(f->fd);
    if (f->path)
        unlink(f->path);
}

int temp_file_open(struct request *r, const struct temp_path *where, bool keep, struct str *path)
{
    static unsigned next;
    int fd = -1;

    if (next == 0)
        next = (unsigned)getpid() * 7919;      /* workers begin far apart */
    for (unsigned tries = 0; fd < 0 && tries < 100; tries++) {
        *path = make_name(r, where, ++next);
        fd = open(path->data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno == ENOENT && where->levels[0]) {
            make_folders(where, *path);
            fd = open(path->data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        }
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0) {
        request_log(r, LOG_LEVEL_CRIT, errno, "open() \"%.*s\" failed", STR_ARG(*path));
        return -1;
    }
    struct temp_file *f = ARENA_NEW(&r->arena, struct temp_file);
    *f = (struct temp_file){ fd, keep ? NULL : path->data };
    request_cleanup(r, clean_up, f);
    return fd;
}

bool temp_file_write(int fd, const char *data, size_t len, off_t offset)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
        offset += n;
    }
    return true;
}
