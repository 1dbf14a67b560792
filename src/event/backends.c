/*
 * backends: the ways to wait that this build has; configure wrote their names, the best first.
 */
#include "event/backend.h"

#include "modules_enabled.h"

#define DECLARE(name) extern const struct backend name##_backend;
EVENT_ENGINES(DECLARE)

#define ENTRY(name) &name##_backend,
const struct backend *const backends[] = { EVENT_ENGINES(ENTRY) NULL };
