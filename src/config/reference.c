/*
 * reference: see reference.h.
 */
#include "config/reference.h"

static const struct {
    unsigned context;
    const char *name;
} context_names[] = {
    { IN_MAIN, "main" }, { IN_EVENTS, "events" }, { IN_HTTP, "http" }, { IN_MAIL, "mail" },
    { IN_STREAM, "stream" }, { IN_SERVER | IN_STREAM_SERVER | IN_MAIL_SERVER, "server" },
    { IN_UPSTREAM | IN_STREAM_UPSTREAM, "upstream" }, { IN_LOCATION, "location" },
    { IN_SERVER_IF, "if in server" }, { IN_LOCATION_IF, "if in location" },
    { IN_LIMIT_EXCEPT, "limit_except" },
};

void reference_contexts(struct out *o, unsigned contexts)
{
    bool first = true;

    for (unsigned i = 0; i < sizeof context_names / sizeof context_names[0]; i++) {
        if (!(contexts & context_names[i].context))
            continue;
        out_printf(o, first ? "%s" : ", %s", context_names[i].name);
        first = false;
    }
}
