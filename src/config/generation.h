/*
 * generation: one resolved configuration in one arena, immutable once it is in use, counted by those
 * who use it.  What the master must open or share for it (log files, shared zones, listening sockets)
 * is registered here while the tree is resolved; the order is the same in every process that resolves
 * the same tree, which is how descriptors find their places.
 */
#ifndef CONFIG_GENERATION_H
#define CONFIG_GENERATION_H

#include "base/array.h"
#include "base/log.h"
#include "config/bundle.h"

struct block;
struct zone;           /* base/zone.h */
struct listen_spec;    /* net/listen.h */

/* A shared zone that the configuration asks for. */
struct zone_spec {
    struct str name;
    size_t size;
    const void *tag;                   /* who uses it: the same name for two uses is a mistake */
    struct zone *zone;                 /* attached before the generation is used */
    /* Called where the zone is fresh (not kept over a reload), in the master; false: logged. */
    bool (*init)(struct zone *zone, void *data);
    void *data;
};

/* Something to run when the generation is freed, or comes into use. */
struct cleanup {
    struct cleanup *next;
    void (*run)(void *data);
    void *data;
};

struct generation {
    struct arena arena;
    unsigned references;
    unsigned number;                   /* counts up with each reload, from 1 */
    struct block *main;                /* the root block */
    ARRAY(struct log_file *) log_files;        /* opened by the master before it is used */
    ARRAY(struct zone_spec *) zones;
    ARRAY(struct listen_spec *) listens;       /* distinct addresses */
    ARRAY(struct str) temp_folders;    /* made by the master, for the workers' user */
    ARRAY(struct bundle_file) files;   /* config/kept_files.h: empty in a worker */
    bool transparent;                  /* workers bind to addresses that are none of this machine's */
    struct cleanup *cleanups;
    struct cleanup *starts;            /* in the order in which they were added */
    void *http, *stream, *mail;        /* each engine's own root, NULL without its block */
    /* For generation.c alone: places in log_files + 1, by the hash of the path. */
    unsigned *log_slots, log_slot_count;
};

struct generation *generation_new(void);
static inline struct generation *generation_ref(struct generation *g)
{
    g->references++;
    return g;
}
/* The last one runs the cleanups and frees the arena. */
void generation_unref(struct generation *g);

/* The file of that path, registered once however many logs share it. */
struct log_file *generation_log_file(struct generation *g, struct str path);
/* A folder for temporary files, registered once; path ends in NUL. */
void generation_temp_folder(struct generation *g, struct str path);
void generation_cleanup(struct generation *g, void (*run)(void *data), void *data);
/* To run in each process that serves it (not in the master), when it begins to: timers, questions. */
void generation_on_use(struct generation *g, void (*run)(void *data), void *data);
/* For who serves it: runs those. */
void generation_use(struct generation *g);

#endif
