/*
 * dynamic: see dynamic.h.  A file that was loaded once stays in memory: a generation before may use
 * it.
 */
#include "process/dynamic.h"

#include <dlfcn.h>

#include "config.h"
#include "config/resolve.h"
#include "process/module_abi.h"

enum { MAX_FILES = 128 };

struct set {
    const struct module_abi *files[MAX_FILES];
    unsigned count;
};

static struct module *const *always;
static struct set current, before;

void dynamic_init(struct module *const *built_in)
{
    always = built_in;
    modules_init(always);
}

static bool know(const struct module_abi *abi)
{
    for (struct module *const *m = abi->modules; *m; m++) {
        if (!modules_add(*m))
            return false;
    }
    return true;
}

static void know_all(const struct set *set)
{
    modules_init(always);
    for (unsigned i = 0; i < set->count; i++)
        know(set->files[i]);
}

static bool mistake(struct diag *d, const struct tree *t, const struct node *n, struct str message)
{
    diag_at(d, LOG_LEVEL_EMERG, t, n, 1, 0, STR(""), message);
    return false;
}

static bool load_file(const struct tree *t, const struct node *n, const char *path, struct diag *d)
{
    void *file = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    const struct module_abi *abi = file ? dlsym(file, "weir_module") : NULL;

    if (!abi)
        return mistake(d, t, n, arena_printf(&d->arena, "dlopen() \"%s\" failed (%s)", path,
                                             dlerror()));
    if (abi->version != MODULE_ABI_VERSION || strcmp(abi->weir, WEIR_VERSION) != 0)
        return mistake(d, t, n, arena_printf(&d->arena, "module \"%s\" was built for weir %s, "
                                             "version %u of its interface, instead of %s, %d",
                                             path, abi->weir, abi->version, WEIR_VERSION,
                                             MODULE_ABI_VERSION));
    if (current.count == MAX_FILES || !know(abi))
        return mistake(d, t, n, arena_printf(&d->arena, "module \"%s\" is already loaded", path));
    current.files[current.count++] = abi;
    return true;
}

bool dynamic_load(const struct tree *t, struct str prefix, struct diag *d)
{
    const struct node *n = tree_find(t->top, STR("load_module"));
    bool good = true;

    before = current;
    current.count = 0;
    modules_init(always);
    for (; n; n = tree_find(n->next, STR("load_module"))) {
        struct str path;

        if (n->count != 2)
            continue;                  /* resolving will say so */
        path = n->words[1].text;
        if (!str_starts(path, STR("/")))
            path = arena_concat(&d->arena, prefix, path);
        good &= load_file(t, n, path.data, d);
    }
    if (!good)
        dynamic_restore();
    return good;
}

void dynamic_restore(void)
{
    current = before;
    know_all(&current);
}
