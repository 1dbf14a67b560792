/*
 * body: the request's body: read, bounded by client_max_body_size, kept in memory or spooled to a
 * file, or discarded.  Reading goes on by the same calls after request_wake(): there are no
 * callbacks.
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
    bool passed;                       /* body_stream(): not all of it is there any more */
    int status;                        /* an error that was given: it is given again */
};

/*
 * Reads the whole body as the location's directives say.  STEP_NEXT: r->body is complete (an empty
 * one too); STEP_WAIT; or a status (400, 408, 413, 500), or STEP_ABORT where the client has gone.
 * `force_file`: into a file whatever its size.
 */
int body_read(struct request *r, bool force_file);
/*
 * The same for who passes it on as it comes: body_begin(), which waits for nothing, takes what is
 * there into r->body->memory, as much as client_body_buffer_size; body_stream() takes what has come
 * since in its place.  STEP_NEXT: there is some, or r->body->complete, or (body_begin() alone) none
 * so far; otherwise as body_read().
 */
int body_begin(struct request *r);
int body_stream(struct request *r);
/* Whether the client waits for a 100 (Continue) that it has not got: after any other response it
 * may send its body or not, and nobody knows. */
bool body_awaits_leave(const struct request *r);
/* Reads away what has come of a body that nobody wants: STEP_NEXT when it is at its end, STEP_WAIT
 * (no timer is set), STEP_ABORT where the client has gone, or a status: it is malformed or too
 * large. */
int body_drain(struct request *r);
/* The same, after the response: as long as lingering_time and lingering_timeout allow. */
int body_finish(struct request *r);
/* Checks the announced length against client_max_body_size: 0 or 413. */
int body_check_length(struct request *r);
/* A source of the body that was read, from its start; may be taken more than once.  NULL: it is
 * empty, or has been passed on. */
struct source *body_source(struct request *r);
/* All of it as one text ($request_body); data NULL where it is (partly) in a file, or gone. */
struct str body_text(struct request *r);

#endif
