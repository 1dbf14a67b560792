/*
 * subrequest: a request that the server makes of itself for the sake of another: it walks the same
 * phases, and its response is a source of the request that asked for it.  It is driven by its
 * parent: whoever made it calls subrequest_run() whenever the parent runs, until the head is there.
 */
#ifndef HTTP_SUBREQUEST_H
#define HTTP_SUBREQUEST_H

#include "http/request.h"

/*
 * A GET for `uri` on the parent's server, with the parent's header fields and variables.  It lives
 * until the main request ends.  NULL (logged): too many of them, or memory is short.
 */
struct request *subrequest_new(struct request *parent, struct str uri, struct str args);

/* One that asks for the same once more, in the same location, from its handler on. */
struct request *subrequest_clone(struct request *parent);

/*
 * Walks its phases: STEP_WAIT (it wakes the main request by itself), STEP_RESPOND when its
 * response's head is settled (status, fields, body: pull or close it), or STEP_ABORT.
 */
int subrequest_run(struct request *sub);
/*
 * Its response is of interest to nobody: from now on the main request drives it, and reads its
 * response away.  It holds up the end of the main request, not its response.
 */
void subrequest_in_background(struct request *sub);
/* Drives those of a main request: true when all have ended. */
bool subrequest_run_background(struct request *main);
/* Ends them whatever they are at: the main request ends. */
void subrequest_end_background(struct request *main);
/* Its response has been used: logs it where log_subrequest says so, and lets go of what it
 * holds. */
void subrequest_end(struct request *sub);

/*
 * The body of a subrequest's response as a source of the parent's; the subrequest is made when it
 * is first pulled.  A response other than 200 gives no bytes.
 */
struct source *subrequest_source(struct request *parent, struct str uri, struct str args);
/* The same of one that was made before (SSI includes that run side by side). */
struct source *subrequest_source_of(struct request *sub);

#endif
