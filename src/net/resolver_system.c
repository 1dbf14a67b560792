/*
 * resolver_system: see resolver_system.h.
 */
#include "net/resolver_system.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/resolver.h"

enum {
    FILE_MAX = 1 << 20,                /* bytes of a file; what follows is not looked at */
    LOOK_AGAIN = 1000,                 /* ms */
    DOMAIN_PORT = 53,
    NDOTS_MAX = 15,
};

struct file {
    const char *path;
    char *text;                        /* NULL: not there */
    size_t len;
    struct stat seen;
    uint64_t looked_ms;                /* 0: never */
};

static struct file resolv_conf = { .path = "/etc/resolv.conf" };
static struct file hosts = { .path = "/etc/hosts" };
static struct system_names names;

void resolver_system_files(const char *resolv_conf_path, const char *hosts_path)
{
    resolv_conf.path = resolv_conf_path;
    hosts.path = hosts_path;
    resolv_conf.looked_ms = hosts.looked_ms = 0;
}

/* ---- files ---- */

static void read_text(struct file *f, int fd, size_t size)
{
    f->text = malloc(size ? size : 1);
    while (f->text && f->len < size) {
        ssize_t n = read(fd, f->text + f->len, size - f->len);
        if (n <= 0)
            break;
        f->len += (size_t)n;
    }
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* true: it has changed, or was read for the first time. */
static bool refresh(struct file *f)
{
    struct stat now = { 0 };
    bool first = f->looked_ms == 0;

    if (!first && clock_ms() < f->looked_ms + LOOK_AGAIN)
        return false;
    f->looked_ms = clock_ms();
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &now))
        now = (struct stat){ 0 };
    bool changed = first || !same_file(&now, &f->seen);
    if (changed) {
        free(f->text);
        f->text = NULL;
        f->len = 0;
        f->seen = now;
        if (fd >= 0)
            read_text(f, fd, now.st_size < FILE_MAX ? (size_t)now.st_size : FILE_MAX);
    }
    if (fd >= 0)
        close(fd);
    return changed;
}

/* The next line, without what a comment says. */
static bool next_line(struct str *rest, struct str *line)
{
    if (!rest->data)
        return false;
    *line = str_split(rest, '\n');
    for (size_t i = 0; i < line->len; i++) {
        if (line->data[i] == '#' || line->data[i] == ';')
            line->len = i;
    }
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* false: there is none left. */
static bool next_word(struct str *line, struct str *word)
{
    size_t start = 0, end;

    while (start < line->len && is_space(line->data[start]))
        start++;
    for (end = start; end < line->len && !is_space(line->data[end]);)
        end++;
    *word = (struct str){ line->data + start, end - start };
    *line = str_from(*line, end);
    return word->len > 0;
}

/* ---- resolv.conf ---- */

static void parse_search(struct str line, struct system_names *n)
{
    struct str word;

    n->search_count = 0;                       /* the last line counts */
    while (n->search_count < SYSTEM_SEARCH_MAX && next_word(&line, &word)) {
        if (!str_eq(word, STR(".")))
            n->search[n->search_count++] = word;
    }
}

static void parse_options(struct str line, struct system_names *n)
{
    struct str word, prefix = STR("ndots:");
    unsigned value;

    while (next_word(&line, &word)) {
        if (str_starts(word, prefix) &&
            str_to_uint(str_from(word, prefix.len), UINT16_MAX, &value))
            n->ndots = value < NDOTS_MAX ? value : NDOTS_MAX;
    }
}

void system_names_parse(struct str text, struct system_names *n)
{
    struct str line, word;

    *n = (struct system_names){ .ndots = 1 };
    while (next_line(&text, &line)) {
        if (!next_word(&line, &word))
            continue;
        if (str_eq(word, STR("nameserver"))) {
            if (n->server_count < SYSTEM_SERVERS_MAX && next_word(&line, &word) &&
                address_parse_ip(word, DOMAIN_PORT, &n->servers[n->server_count]))
                n->server_count++;
        } else if (str_eq(word, STR("search")) || str_eq(word, STR("domain"))) {
            parse_search(line, n);
        } else if (str_eq(word, STR("options"))) {
            parse_options(line, n);
        }
    }
    if (n->server_count == 0 && address_parse_ip(STR("127.0.0.1"), DOMAIN_PORT, &n->servers[0]))
        n->server_count = 1;
}

const struct system_names *system_names(bool *changed)
{
    *changed = refresh(&resolv_conf);
    if (*changed)
        system_names_parse((struct str){ resolv_conf.text, resolv_conf.len }, &names);
    return &names;
}

/* ---- hosts ---- */

static bool names_host(struct str line, struct str name)
{
    struct str word;

    while (next_word(&line, &word)) {
        if (str_eq_nocase(word, name))
            return true;
    }
    return false;
}

unsigned system_hosts_find(struct str name, struct peer *found, unsigned max)
{
    struct str rest, line, word;
    struct address a;
    unsigned count = 0;

    refresh(&hosts);
    rest = (struct str){ hosts.text, hosts.len };
    if (name.len && name.data[name.len - 1] == '.')
        name.len--;
    while (count < max && next_line(&rest, &line)) {
        if (next_word(&line, &word) && address_parse_ip(word, 0, &a) && names_host(line, name))
            found[count++] = peer_of(&a);
    }
    return count;
}
