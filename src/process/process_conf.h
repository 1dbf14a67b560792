/*
 * process_conf: the directives of ngx_core_module: what the processes are, and the block `events`.
 */
#ifndef PROCESS_PROCESS_CONF_H
#define PROCESS_PROCESS_CONF_H

#include <sys/types.h>

#include "config/generation.h"
#include "config/types.h"

enum debug_points { DEBUG_POINTS_NONE, DEBUG_POINTS_STOP, DEBUG_POINTS_ABORT };

/* A limit that may be left as it is. */
struct rlimit_value {
    bool set;
    int64_t value;
};

/* user; without a name the one that configure was told. */
struct worker_user {
    struct str name, group;
    uid_t uid;
    gid_t gid;
};

/* worker_cpu_affinity: "0101" is CPUs 0 and 2. */
struct affinity {
    bool automatic;                    /* one CPU a worker, of masks[0] or of all */
    struct str *masks;
    unsigned count;                    /* 0: not automatic either, workers run anywhere */
};

/* Lines of a directive that repeats. */
struct str_list {
    struct str *items;
    unsigned count, room;
};

struct process_conf {
    bool daemon, master_process;
    unsigned worker_processes;         /* 0: one for each CPU */
    struct affinity affinity;
    int priority;
    struct worker_user user;
    struct rlimit_value rlimit_core, rlimit_nofile;
    struct str working_directory, pid;
    uint64_t timer_resolution, shutdown_timeout;       /* ms; 0: none */
    unsigned debug_points;
    struct str_list env;               /* "NAME" or "NAME=value" */
    struct str_list modules;           /* paths of load_module */
    const struct process_conf *events; /* the block's own values; NULL without one */

    unsigned worker_connections;
    struct str use;                    /* empty: the best there is */
    bool multi_accept;
    uint64_t stall_threshold;          /* ms; 0: off */
};

extern struct module process_module;

/* Of main, and of events; and main's error log. */
const struct process_conf *process_conf(const struct generation *g);
const struct process_conf *events_conf(const struct generation *g);
const struct log *main_log(const struct generation *g);

#endif
