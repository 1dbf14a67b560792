/*
 * body: the request's body: read, bounded by client_max_body_size, kept in memory or spooled to a
 * file, or discarded.  Reading goes on by the same calls after request_wake(): there are no callbacks.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "http/request.h"

struct body {
    struct str memory;                 /* what is in memory: all of it, if file is -1 */
    int file;                          /* a temporary file with all of it, or -1 */
    struct str file_path;              /* empty for an unlinked one */
    uint64_t length;                   /* bytes read so far */
    bool complete;
    bool discarding;
    int status;                        /* an error that was given: it is given again */
};

/*
 * Reads the whole body as the location's directives say.  STEP_NEXT: r->body is complete (an empty one
 * too); STEP_WAIT; or a status (400, 408, 413, 500), or STEP_ABORT where the client has gone.
 * `force_file`: into a file whatever its size.
 */
int body_read(struct request *r, bool force_file);
/* A content handler that has no use for the body says so: its bytes are read away after the response. */
void body_discard(struct request *r);
/* Reads away what has come: STEP_NEXT when the body is at its end, STEP_WAIT, STEP_ABORT. */
int body_drain(struct request *r);
/* Checks the announced length against client_max_body_size: 0 or 413. */
int body_check_length(struct request *r);
/* A source of the body that was read, from its start; may be taken more than once. */
struct source *body_source(struct request *r);
/* All of it as one text ($request_body); data NULL where it is (partly) in a file. */
struct str body_text(struct request *r);

#endif
