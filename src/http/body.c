/*
 * body: see body.h.
 */
#include "http/body.h"

#include <errno.h>

#include "http/core.h"
#include "http/temp_file.h"

enum { READS_A_TURN = 16 };            /* of a body that is read away: others want their turn */

/* A body that is being read. */
struct reading {
    struct body body;                  /* first: r->body points at it */
    char *space;
    size_t size, used;                 /* bytes of space; of those not in the file yet */
    uint64_t in_file;
};

int body_check_length(struct request *r)
{
    int64_t max = core_conf(r->conf)->client_max_body_size;

    if (max == 0 || r->content_length <= max)
        return 0;
    request_log(r, LOG_LEVEL_ERROR, 0, "client intended to send too large body: %lld bytes",
                (long long)r->content_length);
    return STATUS_CONTENT_TOO_LARGE;
}

bool body_awaits_leave(const struct request *r)
{
    struct str expect = headers_value(&r->headers, HEADER_EXPECT);

    return expect.data && !r->flags.expect_tested && r->version >= VERSION_11 &&
           (r->content_length > 0 || r->chunked_body) &&
           str_eq_nocase(expect, STR("100-continue"));
}

/* RFC 9110 section 10.1.1. */
static void give_leave(struct request *r)
{
    if (body_awaits_leave(r))
        r->wire->interim(r, STATUS_CONTINUE, NULL);
    r->flags.expect_tested = true;
}

static struct reading *start(struct request *r)
{
    const struct core_conf *conf = core_conf(r->conf);
    struct reading *b = ARENA_NEW(&r->arena, struct reading);
    size_t size = conf->client_body_buffer_size;

    r->body = &b->body;
    b->body.file = -1;
    if (r->content_length < 0 && !r->chunked_body)
        size = 0;                              /* there is none */
    else if (r->content_length >= 0 && (uint64_t)r->content_length < size)
        size = (size_t)r->content_length;
    if (size == 0)
        size = 1;
    b->space = arena_try_alloc(&r->arena, size);
    b->size = b->space ? size : 0;
    return b;
}

/* What is in memory goes to the file, which is made on first use.  0, or a status. */
static int spool(struct request *r, struct reading *b)
{
    const struct core_conf *conf = core_conf(r->conf);
    bool keep = conf->client_body_in_file_only == BODY_IN_FILE_ON;

    if (b->body.file < 0) {
        if (conf->client_body_in_file_only == BODY_IN_FILE_OFF)
            request_log(r, LOG_LEVEL_WARN, 0,
                        "a client request body is buffered to a temporary file");
        b->body.file = temp_file_open(r, &conf->client_body_temp_path, keep, &b->body.file_path);
        if (b->body.file < 0)
            return STATUS_INTERNAL_SERVER_ERROR;
    }
    if (!temp_file_write(b->body.file, b->space, b->used, (off_t)b->in_file)) {
        request_log(r, LOG_LEVEL_CRIT, errno, "writing a request's body to \"%.*s\" failed",
                    STR_ARG(b->body.file_path));
        return STATUS_INTERNAL_SERVER_ERROR;
    }
    b->in_file += b->used;
    b->used = 0;
    return 0;
}

static int finish(struct request *r, struct reading *b, bool force_file)
{
    bool in_file = force_file || b->body.file >= 0 ||
                   core_conf(r->conf)->client_body_in_file_only != BODY_IN_FILE_OFF;

    request_wait_no_more(r);
    if (in_file) {
        int status = spool(r, b);
        if (status)
            return status;
    } else
        b->body.memory = (struct str){ b->space, b->used };
    b->body.complete = true;
    return STEP_NEXT;
}

/* One read: a step's result, to which statuses of the wire are turned; *end: the body is complete. */
static int read_some(struct request *r, struct reading *b, bool *end)
{
    const struct core_conf *conf = core_conf(r->conf);
    ssize_t n = r->wire->read_body(r, b->space + b->used, b->size - b->used);

    *end = n == 0;
    if (n == IO_AGAIN) {
        request_wait_ms(r, conf->client_body_timeout);
        return STEP_WAIT;
    }
    if (n == IO_ERROR) {
        request_log(r, LOG_LEVEL_INFO, errno, "client prematurely closed connection");
        r->response.status = STATUS_BAD_REQUEST;
        return STEP_ABORT;
    }
    if (n < 0)
        return (int)-n;
    b->used += (size_t)n;
    b->body.length += (uint64_t)n;
    if (conf->client_max_body_size && b->body.length > (uint64_t)conf->client_max_body_size) {
        request_log(r, LOG_LEVEL_ERROR, 0,
                    "client intended to send too large chunked body: %llu bytes",
                    (unsigned long long)b->body.length);
        return STATUS_CONTENT_TOO_LARGE;
    }
    return STEP_NEXT;
}

static bool body_timed_out(struct request *r)
{
    if (!r->main->timed_out)
        return false;
    request_log(r, LOG_LEVEL_INFO, ETIMEDOUT, "client timed out while sending the request's body");
    return true;
}

static int read_on(struct request *r, struct reading *b, bool force_file)
{
    bool end = false;

    if (body_timed_out(r))
        return STATUS_REQUEST_TIMEOUT;
    if (b->size == 0)
        return STATUS_INTERNAL_SERVER_ERROR;
    for (;;) {
        if (b->used == b->size && r->content_length != (int64_t)b->size) {
            int status = spool(r, b);
            if (status)
                return status;
        }
        int result = b->used == b->size ? STEP_NEXT : read_some(r, b, &end);
        if (result != STEP_NEXT)
            return result;
        if (end || (r->content_length >= 0 && b->body.length == (uint64_t)r->content_length))
            return finish(r, b, force_file);
    }
}

/* r->body is made.  0, or a status. */
static int begin(struct request *r)
{
    int status = body_check_length(r);

    if (status)
        return status;
    struct reading *b = start(r);
    b->body.complete = r->content_length < 0 && !r->chunked_body;
    if (!b->body.complete)
        give_leave(r);
    return 0;
}

int body_read(struct request *r, bool force_file)
{
    int status = r->body ? 0 : begin(r);
    struct reading *b = (struct reading *)r->body;

    if (status || b->body.complete || b->body.status)
        return status ? status : b->body.status;
    if (b->body.passed) {                      /* nobody gets what is left of it */
        b->body.complete = true;
        b->body.memory = (struct str){ NULL, 0 };
        return STEP_NEXT;
    }
    int result = read_on(r, b, force_file);
    if (result > 0)
        b->body.status = result;
    return result;
}

/* What has come, into b->space behind what is there. */
static int read_piece(struct request *r, struct reading *b)
{
    bool end = false;

    if (body_timed_out(r))
        return STATUS_REQUEST_TIMEOUT;
    if (b->size == 0)
        return STATUS_INTERNAL_SERVER_ERROR;
    while (b->used < b->size && !end) {
        int result = read_some(r, b, &end);
        if (result == STEP_WAIT && b->used)
            break;
        if (result != STEP_NEXT)
            return result;
        end |= r->content_length >= 0 && b->body.length == (uint64_t)r->content_length;
    }
    request_wait_no_more(r);
    b->body.complete = end;
    b->body.memory = (struct str){ b->space, b->used };
    return STEP_NEXT;
}

int body_stream(struct request *r)
{
    struct reading *b = (struct reading *)r->body;

    if (b->body.complete || b->body.status)
        return b->body.status;
    size_t before = b->used;
    b->used = 0;
    int result = read_piece(r, b);
    if (result == STEP_NEXT)
        b->body.passed |= before > 0;
    else
        b->used = before;                      /* nothing has taken its place */
    if (result > 0)
        b->body.status = result;
    return result;
}

int body_begin(struct request *r)
{
    int result = r->body ? 0 : begin(r);

    if (result == 0 && !r->body->passed && !((struct reading *)r->body)->used)
        result = body_stream(r);
    if (result != STEP_WAIT)
        return result;
    request_wait_no_more(r);
    return STEP_NEXT;
}

int body_drain(struct request *r)
{
    int64_t max = core_conf(r->conf)->client_max_body_size;
    char waste[16384];

    for (unsigned i = 0; i < READS_A_TURN; i++) {
        ssize_t n = r->wire->read_body(r, waste, sizeof waste);
        if (n == 0)
            return STEP_NEXT;
        if (n == IO_AGAIN)
            return STEP_WAIT;
        if (n < 0)
            return n == IO_ERROR ? STEP_ABORT : (int)-n;
        r->discarded += (uint64_t)n;
        if (r->chunked_body && max && r->discarded > (uint64_t)max)
            return STATUS_CONTENT_TOO_LARGE;
    }
    request_wake(r);
    return STEP_WAIT;
}

int body_finish(struct request *r)
{
    const struct core_conf *conf = core_conf(r->conf);
    struct client *c = r->client;
    uint64_t now = clock_ms();

    if (r->timed_out)
        return STEP_ABORT;
    int result = body_drain(r);
    if (result != STEP_WAIT)
        return result;
    if (c->bound_ms == 0)
        c->bound_ms = now + conf->lingering_time;
    if (now >= c->bound_ms)
        return STEP_ABORT;
    uint64_t left = c->bound_ms - now;
    request_wait_ms(r, left < conf->lingering_timeout ? left : conf->lingering_timeout);
    return STEP_WAIT;
}

struct source *body_source(struct request *r)
{
    const struct body *b = r->body;

    if (!b || b->length == 0 || b->passed)
        return NULL;
    return b->file >= 0 ? source_file(r, b->file, 0, (off_t)b->length, NULL, NULL)
                        : source_memory(r, b->memory);
}

struct str body_text(struct request *r)
{
    const struct body *b = r->body;

    return b && b->file < 0 && !b->passed ? b->memory : (struct str){ NULL, 0 };
}
