/*
 * load: see load.h.
 */
#include "process/load.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config/error_log.h"
#include "config/resolve.h"
#include "process/dynamic.h"
#include "process/limits.h"
#include "process/live.h"
#include "process/sockets.h"
#include "process/zones.h"

enum { MASTER_DESCRIPTORS = 64 };      /* besides those of two generations and of the workers */

static unsigned last_number;

static struct loaded numbered(struct tree *t, struct generation *g, const struct diag *d)
{
    if (g && d->errors) {
        generation_unref(g);
        g = NULL;
    }
    if (g)
        g->number = ++last_number;
    else
        dynamic_restore();
    return (struct loaded){ t, g };
}

struct loaded load_read(const struct options *o, struct diag *d)
{
    if (o->error_log_given)
        error_log_default_path = o->error_log;
    struct tree *t = o->text.data ? tree_parse(STR("weir serve"), o->text, d)
                                  : tree_read(o->conf_path, o->globals, d);
    if (!dynamic_load(t, o->prefix, d))
        return (struct loaded){ .tree = t };
    return numbered(t, config_resolve(t, o->prefix, o->conf_prefix, d), d);
}

struct loaded load_again(const struct bundle *b, struct diag *d)
{
    if (!dynamic_load(b->tree, b->prefix, d))
        return (struct loaded){ .tree = b->tree };
    return numbered(b->tree, config_resolve_again(b, d), d);
}

void load_free(struct loaded *l)
{
    if (l->generation)
        generation_unref(l->generation);
    if (l->tree)
        tree_free(l->tree);
    *l = (struct loaded){ 0 };
}

/* A descriptor of a folder to give away.  A symbolic link is followed where it is root's own alone:
 * what another user's leads to would become the workers'.  -1: errno. */
static int open_own_folder(const char *path)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = open(path, flags | O_NOFOLLOW), error = errno;
    struct stat st;

    if (fd >= 0 || lstat(path, &st) != 0 || !S_ISLNK(st.st_mode)) {
        errno = error;
        return fd;
    }
    if (st.st_uid == geteuid())
        return open(path, flags);
    errno = EPERM;
    return -1;
}

static void give_folder(const char *path, uid_t user)
{
    int fd = open_own_folder(path);

    if (fd < 0 || fchown(fd, user, (gid_t)-1) != 0)
        log_note(LOG_LEVEL_ALERT, errno, "folder \"%s\" could not be given to the workers%s", path,
                 fd < 0 && errno == EPERM ? ": it is a link that belongs to another user" : "");
    if (fd >= 0)
        close(fd);
}

/* Folders for temporary files belong to the workers' user, and to no one else. */
static void make_temp_folders(const struct generation *g)
{
    struct worker_user user;

    if (g->temp_folders.count == 0 || !limits_find_user(process_conf(g), &user))
        return;
    for (unsigned i = 0; i < g->temp_folders.count; i++) {
        const char *path = g->temp_folders.items[i].data;

        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            log_note(LOG_LEVEL_ALERT, errno, "mkdir() \"%s\" failed", path);
        else if (geteuid() == 0)
            give_folder(path, user.uid);
    }
}

bool load_open(struct generation *g, unsigned workers, bool retry)
{
    live_track(g);
    limits_make_room(MASTER_DESCRIPTORS + 2 * workers +
                     2 * (g->log_files.count + g->zones.count + g->listens.count * workers));
    live_open_logs(g);
    make_temp_folders(g);
    if (!zones_open(g))
        return false;
    if (sockets_open(g, workers, retry))
        return true;
    zones_rollback();
    return false;
}

void load_rollback(void)
{
    sockets_rollback();
    zones_rollback();
}

void load_commit(struct generation *g, unsigned workers)
{
    zones_commit(g);
    sockets_commit(g, workers);
    log_process = main_log(g);
}
