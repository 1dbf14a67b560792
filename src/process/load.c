/*
 * load: see load.h.
 */
#include "process/load.h"

#include <errno.h>
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

struct loaded load_again(struct tree *t, const struct options *o, struct diag *d)
{
    struct loaded l = { .tree = t };

    if (!dynamic_load(l.tree, o->prefix, d))
        return l;
    l.generation = config_resolve(l.tree, o->prefix, o->conf_prefix, d);
    if (l.generation && d->errors) {
        generation_unref(l.generation);
        l.generation = NULL;
    }
    if (!l.generation) {
        dynamic_restore();
        return l;
    }
    l.generation->number = ++last_number;
    return l;
}

struct loaded load_read(const struct options *o, struct diag *d)
{
    if (o->error_log_given)
        error_log_default_path = o->error_log;
    return load_again(o->text.data ? tree_parse(STR("weir serve"), o->text, d)
                                   : tree_read(o->conf_path, o->globals, d), o, d);
}

void load_free(struct loaded *l)
{
    if (l->generation)
        generation_unref(l->generation);
    if (l->tree)
        tree_free(l->tree);
    *l = (struct loaded){ 0 };
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
        else if (geteuid() == 0 && chown(path, user.uid, (gid_t)-1) != 0)
            log_note(LOG_LEVEL_ALERT, errno, "chown() \"%s\" failed", path);
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
