/*
 * cpus: how many processors this process may really use.
 */
#ifndef PROCESS_CPUS_H
#define PROCESS_CPUS_H

/* Those of the affinity mask, no more than the control group's quota allows; at least 1. */
unsigned cpus_available(void);

#endif
